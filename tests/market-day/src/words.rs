//! What the day itself says, Chinese and English side by side. Data: a line without one of its texts, or a text that
//! leaves out something it has to name, does not compile. The till's own words are in `takings_till::texts`.

use std::fmt::Display;

use chrono::{Datelike, NaiveDate, Weekday};
use takings_domain::event::Class;
use takings_domain::{EntryMode, Evidence, PayoutStatus};
use takings_till::texts::Language;

/// A word of the day in both languages.
pub(crate) trait Say {
    /// The text in this language.
    fn say(self, language: Language) -> &'static str;
}

macro_rules! words {
    ($($word:ident { $($variant:ident: $zh:literal, $en:literal;)+ })+) => {
        $(impl Say for $word {
            fn say(self, language: Language) -> &'static str {
                let (zh, en) = match self { $(Self::$variant => ($zh, $en)),+ };
                match language { Language::Zh => zh, Language::En => en }
            }
        })+
    };
}

/// Declares the words of the day and their texts in one go.
macro_rules! own_words {
    ($($(#[$doc:meta])* $word:ident { $($variant:ident: $zh:literal, $en:literal;)+ })+) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $word { $($variant),+ }

        impl $word {
            #[cfg(test)]
            const ALL: &'static [Self] = &[$(Self::$variant),+];
        }

        words! { $word { $($variant: $zh, $en;)+ } })+
    };
}

/// Sentences that name something.
macro_rules! sentences {
    ($($name:ident($($given:ident),+): $zh:literal, $en:literal;)+) => {
        $(pub(crate) fn $name(language: Language, $($given: impl Display),+) -> String {
            match language {
                Language::Zh => format!($zh, $($given = $given),+),
                Language::En => format!($en, $($given = $given),+),
            }
        })+
    };
}

own_words! {
    /// A moment of the story.
    Moment {
        Opens: "出摊。应用激活并签到。", "The stall opens. The till is activated and signs on.";
        LineGoes: "集市人多起来，网络断了。", "The market fills, the network goes.";
        LineIsBad: "网络恢复，但很差。", "The network is back, and bad.";
        LineGoesAgain: "网络又断了，夜市照常。", "The network goes again; the night market does not.";
        AfterCutOff: "日切后网络恢复：现在上送的算星期日的账。", "After the cut-off the network is back: what is sent now counts for Sunday.";
        OpensForAnAfternoon: "下午出摊。", "The stall is open for an afternoon.";
        NoLineBehindTheChurch: "教堂后面没有网络。", "No network behind the church.";
        HomeWithAGoodLine: "回到家，网络很好。", "Home, with a good line.";
        OpensALastTime: "最后一次出摊。", "The stall is open a last time.";
        NoLine: "没有网络。", "No network.";
        Home: "回到家。", "Home.";
        CustomerComes: "排队上送时来了一位顾客。", "A customer comes while the queue waits.";
    }
    /// A title, a table's head, a mark.
    Label {
        Payments: "每一笔交易，钱在哪里", "Every payment, and where its money is";
        Payouts: "打款", "Payouts";
        Takings: "按状态汇总", "Takings by stage";
        Books: "与收单机构和银行的账对照", "Beside the acquirer's and the bank's books";
        Order: "订单号", "order";
        Sold: "销售日", "sold";
        Yuan: "元", "CNY";
        Card: "卡", "card";
        Class: "方式", "class";
        Stage: "状态", "stage";
        Expected: "预计到账", "expected";
        Evidence: "依据", "evidence";
        Fee: "手续费", "fee";
        Payout: "打款号", "payout";
        BusinessDate: "交易日", "business date";
        Status: "状态", "status";
        PaymentCount: "笔数", "payments";
        Net: "净额", "net";
        Reference: "银行参考号", "reference";
        Count: "笔数", "count";
        Till: "应用", "till";
        Theirs: "对方", "theirs";
        Whose: "谁的账", "whose";
        Equal: "一致", "equal";
        Different: "不一致", "DIFFERENT";
        Overdue: "逾期", "overdue";
        PaidAgain: "重新打款", "paid again";
        AccountClosed: "账户已销户", "account closed";
        PaidOut: "收单机构称已打款", "paid out, says the acquirer";
        Sending: "上送", "sending";
        Lost: "丢失", "lost";
        ChargedTwice: "重复扣款", "charged twice";
        Verifies: "校验无误", "verifies";
        DoesNotVerify: "校验不通过", "DOES NOT VERIFY";
    }
    /// A line of the comparison with the books.
    Figure {
        Payments: "收单机构有的交易", "payments the acquirer has";
        Declined: "被拒绝", "declined";
        Approved: "已批准", "approved";
        Captured: "已清算", "captured";
        PayoutEntries: "打款明细", "payout entries";
        PayoutFees: "打款中的手续费", "fees in payouts";
        PayoutNet: "打款净额", "net in payouts";
        InTheBank: "银行里的钱", "money in the bank";
    }
    /// Whose books.
    Whose {
        Acquirer: "收单机构", "acquirer";
        Bank: "银行", "bank";
    }
    /// When the reader's link breaks or the phone dies.
    When {
        BeforeCard: "顾客正在找卡", "while the customer looks for the card";
        DuringCardData: "正在传卡片数据", "in the middle of the card's data";
        CardToTill: "卡片数据还没传到", "between the card and the till";
        CardToAnswer: "读卡后、应答前", "between card and answer";
        Saved: "刚说已保存", "the moment it says saved";
        AfterAnswer: "应答之后", "after the answer";
        Charging: "收款途中", "in the middle of a charge";
    }
    /// What went wrong on the line.
    Spoilt {
        RequestLost: "一个请求在途中丢失。", "A request is lost on its way.";
        AnswerLost: "一个应答在途中丢失。", "An answer is lost on its way.";
        HalfAnswer: "只收到半个应答。", "Only half of an answer arrives.";
        Busy: "收单机构忙，请求未处理。", "The acquirer is busy and turns a request away.";
        WrongSignature: "一个应答的签名不对，不予采信。", "An answer has a wrong signature and is not believed.";
        Duplicate: "同一个请求到了两次。", "The same request arrives twice.";
        LineBreaks: "应答收到一半，线路断了。", "The line breaks in the middle of an answer.";
    }
    /// Something that happens to the phone.
    Line {
        DiesBeforeAcknowledging: "手机突然关机（提醒刚看过、尚未确认），重新启动：提醒会再来，但只说一次。", "The phone dies (the alerts just read, not yet acknowledged) and is started again.";
    }
    /// How a contact with the acquirer ended.
    Ended {
        Done: "完成", "done";
        NoLine: "没有网络", "no line";
        Waiting: "稍后再试", "again in a moment";
        Budget: "本次时间已用完", "time is up for now";
        SignIn: "会话已结束", "the session is over";
        Unverified: "应答不可信", "an answer not to be believed";
    }
}

words! {
    Class {
        Live: "在线", "live";
        Deferred: "离线", "deferred";
        ChipOffline: "芯片离线批准", "chip offline";
    }
    EntryMode {
        Chip: "插卡", "chip";
        Contactless: "挥卡", "contactless";
        Stripe: "刷卡", "stripe";
        Fallback: "降级刷卡", "fallback";
        Manual: "手输", "manual";
    }
    Evidence {
        None: "", "";
        Acquirer: "收单机构", "acquirer";
        BankNotification: "银行通知", "bank notification";
        BankStatement: "银行对账单", "bank statement";
        Merchant: "商户", "merchant";
    }
    PayoutStatus {
        Created: "已生成", "created";
        Sent: "已发出", "sent";
        Arrived: "已到账", "arrived";
        Failed: "失败", "failed";
        Returned: "被退回", "returned";
        Held: "暂缓", "held";
    }
    Weekday {
        Mon: "星期一", "Monday";
        Tue: "星期二", "Tuesday";
        Wed: "星期三", "Wednesday";
        Thu: "星期四", "Thursday";
        Fri: "星期五", "Friday";
        Sat: "星期六", "Saturday";
        Sun: "星期日", "Sunday";
    }
}

sentences! {
    kept_in(seed, sales, dir): "种子 {seed}，{sales} 笔销售。保存在 {dir}（用 --dir 可在那里继续）。", "Seed {seed}, {sales} sales. Kept in {dir} (--dir to go on there).";
    goes_on(step, of): "中断后继续，第 {step} 步，共 {of} 步。", "The day goes on after an interruption, at step {step} of {of}.";
    not_right(dir): "账目不对；一切保存在 {dir}", "the account is not right; everything is kept in {dir}";
    activated(terminal): "已激活，终端号 {terminal}。", "Activated as terminal {terminal}.";
    signed_on(date, batch, policy, terms): "已签到：交易日 {date}，批次 {batch}，离线规则 {policy}，结算规则 {terms}。", "Signed on: business date {date}, batch {batch}, policy {policy}, terms {terms}.";
    queue(count): "本机有 {count} 笔待上送。开始上送。", "{count} payments wait on this phone. Sending.";
    contact(number, sent, approved, declined, left, ended): "第 {number} 次联系：上送 {sent}，批准 {approved}，拒绝 {declined}，剩余 {left}；{ended}", "Contact {number}: {sent} sent, {approved} approved, {declined} declined, {left} wait; {ended}";
    by_itself(answered, left): "其间应用自动重试：{answered} 笔有了结果，剩余 {left}", "Meanwhile the till tried again by itself: {answered} answered, {left} wait";
    perhaps_sent(order): "{order}  可能已上送，没有网络无法查询：请顾客稍后再来。", "{order}  Perhaps sent, and no line to ask: the customer comes back later.";
    phone_dies(order, when): "{order}  手机突然关机（{when}），重新启动。", "{order}  The phone dies ({when}) and is started again.";
    link_breaks(order, when): "{order}  读卡器连接中断（{when}）。", "{order}  The reader's link breaks ({when}).";
    no_answer(order, step): "{order}  没有应答。{step}。应用会查询。", "{order}  No answer; {step}. The till asks.";
    not_offline(what, why): "{what}（离线）：{why}", "{what} offline: {why}";
    because(what, why): "{what}：{why}", "{what}: {why}";
    and(what, more): "{what}，{more}", "{what}, {more}";
    in_part(what, approved): "{what}，仅批准 {approved}", "{what}: {approved} only";
    date(year, month, day, weekday): "{year}年{month}月{day}日 {weekday}", "{weekday}, {day} {month} {year}";
    totals(saved, approved, declined, arrived, lost, twice): "已保存 {saved}，批准 {approved}，拒绝 {declined}，到账 {arrived}，丢失 {lost}，重复扣款 {twice}", "{saved} saved, {approved} approved, {declined} declined, {arrived} arrived, {lost} lost, {twice} charged twice";
    verdict(sign, totals, ledger): "{sign} {totals}；{ledger}", "{sign} {totals}; {ledger}";
    ledger(events, verifies): "{events} 条事件的账本{verifies}。", "the ledger of {events} events {verifies}.";
}

/// The day as a heading has it.
pub(crate) fn day(language: Language, day: NaiveDate) -> String {
    let month = match language {
        Language::Zh => day.month().to_string(),
        Language::En => day.format("%B").to_string(),
    };
    date(language, day.year(), month, day.day(), day.weekday().say(language))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both<T: Say + Copy>(words: &[T]) {
        for word in words {
            let (zh, en) = (word.say(Language::Zh), word.say(Language::En));
            assert!(en.is_ascii(), "{en}");
            assert!(!zh.contains(|letter: char| letter.is_ascii_alphabetic()), "{zh}");
            assert_eq!(zh.is_empty(), en.is_empty());
        }
    }

    #[test]
    fn no_chinese_text_is_an_english_one() {
        both(Moment::ALL);
        both(Label::ALL);
        both(Figure::ALL);
        both(Whose::ALL);
        both(When::ALL);
        both(Ended::ALL);
        both(Spoilt::ALL);
        both(Line::ALL);
        both(Class::ALL);
        both(EntryMode::ALL);
        both(Evidence::ALL);
        both(PayoutStatus::ALL);
    }

    #[test]
    fn a_day_is_written_as_each_language_writes_it() {
        let saturday = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
        assert_eq!(day(Language::En, saturday), "Saturday, 21 November 2026");
        assert_eq!(day(Language::Zh, saturday), "2026年11月21日 星期六");
    }
}
