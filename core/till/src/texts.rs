//! Every text a merchant or customer reads, Chinese and English side by side. Data: a word without its texts does not
//! compile.

use serde::{Deserialize, Serialize};
use takings_domain::EntryMode;
use takings_domain::alert::AlertKind;
use takings_domain::event::{AttemptEnd, ReaderTrouble, Verification};
use takings_domain::payment::{Acts, Cause, NextStep, Stage};
use takings_domain::policy::Rule;

/// A language.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Chinese, simplified.
    Zh,
    /// English.
    #[default]
    En,
}

impl Language {
    /// The language of this tag: `zh…` or `en…`.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        match tag.get(..2)? {
            "zh" => Some(Self::Zh),
            "en" => Some(Self::En),
            _ => None,
        }
    }
}

/// A word that has texts.
pub trait Texts {
    /// The text in this language.
    fn text(self, language: Language) -> &'static str;
}

macro_rules! texts {
    ($($word:ident { $($variant:ident: $zh:literal, $en:literal;)+ })+) => {
        $(impl Texts for $word {
            fn text(self, language: Language) -> &'static str {
                let (zh, en) = match self { $(Self::$variant => ($zh, $en)),+ };
                match language { Language::Zh => zh, Language::En => en }
            }
        })+
    };
}

/// Lines of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptText {
    /// Heading of the customer's copy.
    CustomerCopy,
    /// Heading of the merchant's copy.
    MerchantCopy,
    /// Mark of a reprint, followed by its number.
    Reprint,
    /// Before the merchant's number.
    Merchant,
    /// Before the terminal's number.
    Terminal,
    /// Before the amount.
    Amount,
    /// Before an amount that is less than was asked.
    ApprovedOnly,
    /// Before scheme and last four.
    Card,
    /// Before the application on the card.
    Application,
    /// Before how the cardholder was verified.
    Verified,
    /// Before the terminal's verification results, for support.
    Results,
    /// The line on which the cardholder signs.
    Signature,
    /// Before the trace number.
    Stan,
    /// Before the batch.
    Batch,
    /// Before the retrieval reference number.
    Rrn,
    /// Before the approval code.
    Approval,
    /// Before the order reference.
    Order,
    /// Nothing was charged.
    NotCharged,
    /// Accepted offline, unanswered.
    AcceptedOffline,
    /// Unknown.
    NotConfirmed,
    /// Declined after deferral.
    Declined,
    /// Approved.
    Approved,
    /// Approved, accepted offline before.
    ApprovedAfterOffline,
}

texts! {
    EntryMode {
        Chip: "插卡", "chip";
        Contactless: "挥卡", "contactless";
        Stripe: "刷卡", "swipe";
        Fallback: "降级刷卡", "fallback swipe";
        Manual: "手工输入", "keyed in";
    }
    Stage {
        NotCharged: "未扣款", "not charged";
        NeedsYou: "需要处理", "needs you";
        GivenBack: "已退款", "given back";
        SettledByOffset: "已抵扣", "settled by offset";
        TakenBack: "已被拒付扣回", "taken back";
        Arrived: "已到账", "arrived";
        OnItsWay: "打款中", "on its way";
        Approved: "已批准，待到账", "approved";
        BeingConfirmed: "确认中", "being confirmed";
        SavedOnPhone: "已存在本机", "saved on this phone";
    }
    Cause {
        Interrupted: "交易中断，可重新收款", "interrupted, safe to repeat";
        Abandoned: "读卡前已放弃", "given up before a card was read";
        OfflineRefused: "不符合离线规则", "not allowed offline";
        Declined: "银行拒绝", "declined by the bank";
        CancelledUnsent: "上送前已取消", "cancelled before it was sent";
        Reversed: "已冲正", "reversed";
        NotReceived: "收单方未收到", "the acquirer never had it";
        DeclinedAfterDeferral: "离线交易事后被银行拒绝", "declined by the bank after the customer had gone";
        InDoubt: "结果未知", "no answer yet";
        ExpiredInDoubt: "期限已过，结果未知", "no answer before the deadline";
        Expired: "超过上送期限", "not sent in time";
        RefusedByAcquirer: "收单方拒收", "refused by the acquirer";
        CounterBroken: "终端流水号重复", "the terminal's counter repeats itself";
        UnlistedCode: "应答码未知", "an answer nobody can read";
        AlreadyCleared: "已清算，无法冲正", "cleared before it could be undone";
        RiskHold: "已暂缓结算", "held back by the acquirer";
        ReturnedByBank: "银行退票", "sent back by the bank";
        AccountInvalid: "打款失败：账户有误", "payout refused: check the account";
        SettlementRejected: "清算拒绝", "refused by clearing";
        UnknownOverdue: "逾期未到账", "overdue";
        NotUploaded: "交易未上送", "not sent yet";
    }
    NextStep {
        ChargeAgain: "可以重新收款", "charge again, it is safe";
        Nothing: "无需处理", "nothing to do";
        Connect: "请联网上送", "go online and sync";
        WaitForAnswer: "请等待结果：勿交货，勿重复收款", "wait: do not hand over, do not charge again";
        CollectOtherwise: "请用其他方式收款", "collect another way";
        ContactAcquirer: "请联系收单机构", "call the acquirer";
        Refund: "请退款", "refund it";
        SendDocuments: "请按要求提交材料", "send the documents asked for";
        FixAccount: "请更正结算账户", "correct the bank account";
        AskForPayout: "请向收单机构查询打款", "ask for the payout";
    }
    Acts {
        App: "应用自动处理", "the app";
        Merchant: "商户处理", "you";
        Acquirer: "收单机构处理", "the acquirer";
        Bank: "银行处理", "the bank";
        Nobody: "无需处理", "nobody";
    }
    Rule {
        NoPolicy: "没有离线规则", "there is no offline policy";
        PolicyExpired: "离线规则已过期", "the offline policy has expired";
        PolicyNotYetValid: "离线规则尚未生效", "the offline policy is not in force yet";
        OfflineNotAllowed: "不允许离线收款", "offline payments are not allowed";
        AmountNotPositive: "金额必须大于零", "the amount must be above zero";
        CurrencyNotAllowed: "该币种不能离线收款", "not in this currency";
        AmountOverLimit: "超过单笔离线限额", "over the limit for one payment";
        ContactlessOverLimit: "超过免密限额", "over the limit for a tap";
        TooManyOpen: "待上送笔数已满", "too many payments wait";
        TotalOverLimit: "待上送总额超限", "too much money waits";
        TooOldOpen: "有交易久未上送", "a payment has waited too long";
        ClockUntrusted: "时钟不可信，请联网签到", "the clock cannot be trusted: sign on";
        SchemeDenied: "该卡组织不能离线收款", "not with this card scheme";
        SchemeUnknown: "卡组织无法识别", "the card scheme is unknown";
        EntryModeDenied: "该读卡方式不能离线收款", "not read this way";
        DigitsHidden: "读卡器未显示所需卡号位", "the reader hides the digits a rule needs";
        BinDenied: "该卡段不能离线收款", "not with this card range";
        CardLimitReached: "该卡今日离线次数已满", "this card was used often enough today";
        OnlineRequired: "必须联网授权", "must be authorised online";
    }
    AlertKind {
        DeclinedAfterDeferral: "离线交易被银行拒绝", "the bank declined a payment whose customer has gone";
        PartlyApproved: "离线交易仅部分批准，余额待收", "the bank approved only part of a payment whose customer has gone";
        PaymentParked: "交易需要处理", "a payment needs you";
        PaymentExpired: "交易超过上送期限", "a payment was not sent in time";
        PaymentInDoubt: "交易结果仍未知", "a payment is still in doubt";
        PaymentConfirmedLate: "顾客离开后交易才获批准，顾客已被扣款", "a payment was approved after its customer stopped waiting: the customer is charged";
        PaymentReversed: "未确认的交易已冲正，未扣款", "an unconfirmed payment was undone: nothing is charged";
        PaymentHeld: "一笔款项被暂缓结算", "the acquirer holds a payment back";
        PaymentReleased: "暂缓的款项已放行", "a held payment was let go";
        PaymentOverdue: "一笔款项逾期未到账", "a payment's money is overdue";
        PayoutOverdue: "一笔结算款逾期未到账", "a payout is overdue";
        PayoutSent: "款项已发往银行", "a payout was sent to the bank";
        PayoutArrived: "款项已到账", "a payout arrived";
        PayoutReturned: "银行退票", "the bank sent a payout back";
        PayoutFailed: "打款失败", "a payout was refused";
        PayoutHeld: "打款被暂缓", "a payout is held back";
        PayoutDifference: "打款与明细不符", "a payout and its lines differ";
        TermsChanged: "结算规则变更", "settlement terms changed";
        HistoryLost: "部分账目丢失，当时未上送的交易可能不在本机", "a part of the books is lost, with what it had not sent";
        ReaderTampered: "读卡器曾被拆开，已停用", "a card reader was opened and takes no payments any more";
        ReaderKeysMissing: "读卡器缺少密钥，不能收款", "a card reader has no usable keys";
        ReaderBatteryLow: "读卡器电量低，请充电", "a card reader's battery is low: charge it";
        HistoryRestored: "已从收单机构取回以往交易，未上送的不在其中", "earlier payments were fetched from the acquirer; what was never sent is not among them";
    }
    ReaderTrouble {
        Tampered: "读卡器曾被拆开，已停用：请换一台，并联系收单机构", "it was opened and takes no payments any more: use another one, and call the acquirer";
        KeysMissing: "缺少密钥，不能收款：请联系收单机构", "it has no usable keys: call the acquirer";
        Locked: "已被锁定：请联系收单机构", "it is locked: call the acquirer";
        OutOfService: "暂停服务：请重启读卡器，仍不行请联系收单机构", "it is out of service: switch it off and on, then call the acquirer";
        NoAnswer: "无应答：请重启读卡器并重新连接", "it does not answer: switch it off and on, and connect it again";
        TooCold: "温度过低：请回暖后再用", "it is too cold: warm it up first";
        TooHot: "温度过高：请冷却后再用", "it is too hot: let it cool down first";
        BatteryLow: "电量低：请尽快充电", "its battery is low: charge it soon";
    }
    Verification {
        None: "无需验证", "no verification";
        Signature: "签名", "signature";
        PinByChip: "密码（芯片验证）", "PIN, checked by the chip";
        PinOnline: "密码（联机验证）", "PIN, checked by the issuer";
        PinAndSignature: "密码和签名", "PIN and signature";
        OnDevice: "手机验证", "on the device";
        Failed: "未通过", "failed";
    }
    AttemptEnd {
        TimedOut: "无人出示卡片", "nobody presented a card";
        Cancelled: "已取消", "cancelled";
        ReadError: "卡片无法读取", "the card could not be read";
        Declined: "卡片拒绝", "the card said no";
        NotAccepted: "不支持该卡片或读卡方式", "not accepted here";
        ReaderFault: "读卡器故障，请重试；仍不行请重启读卡器", "the reader failed: try again; if that does not help, switch it off and on";
        ReaderTampered: "读卡器曾被拆开，已停用，请更换", "the reader was opened and takes no payments any more: replace it";
        ReaderKeysMissing: "读卡器缺少密钥，请联系收单机构", "the reader has no usable keys: call the acquirer";
        ReaderBatteryTooLow: "读卡器电量不足，请充电", "the reader's battery is too low: charge it";
        ReaderRestartsSoon: "读卡器即将重启，请稍后再试", "the reader restarts in a moment: try again after it";
        ReaderSwitchesOff: "读卡器即将关机，请重新开机后再试", "the reader is switching itself off: switch it on and try again";
        ReaderOutOfService: "读卡器暂停服务，请重启读卡器；仍不行请联系收单机构", "the reader is out of service: switch it off and on; if that does not help, call the acquirer";
        ReaderBusy: "读卡器正忙，请稍后再试", "the reader is busy: try again";
        ReaderNoAnswer: "读卡器无应答，请重启读卡器", "the reader does not answer: switch it off and on";
        LinkLost: "读卡器连接中断", "the link to the reader was lost";
        Interrupted: "应用中断", "the app ended";
        Unknown: "读卡器返回未知结果", "the reader's answer is on no list";
    }
    ReceiptText {
        CustomerCopy: "持卡人存根", "CUSTOMER COPY";
        MerchantCopy: "商户存根", "MERCHANT COPY";
        Reprint: "重打印", "REPRINT";
        Merchant: "商户号", "Merchant";
        Terminal: "终端号", "Terminal";
        Amount: "金额", "Amount";
        ApprovedOnly: "部分批准，余额待收", "Approved in part, the balance is due";
        Card: "卡", "Card";
        Application: "应用", "Application";
        Verified: "持卡人验证", "Verification:";
        Results: "终端结果", "Results";
        Signature: "持卡人签名 ______________________", "SIGNATURE ______________________";
        Stan: "流水号", "STAN";
        Batch: "批次号", "Batch";
        Rrn: "参考号", "RRN";
        Approval: "授权码", "Approval";
        Order: "订单号", "Order";
        NotCharged: "未扣款", "NOT CHARGED";
        AcceptedOffline: "离线受理：银行尚未应答，仍可能拒绝", "ACCEPTED OFFLINE: the bank has not answered and may still decline";
        NotConfirmed: "未确认：不作为付款凭证", "NOT CONFIRMED: this is no proof of payment";
        Declined: "银行拒绝", "DECLINED BY THE BANK";
        Approved: "已批准", "APPROVED";
        ApprovedAfterOffline: "已批准（离线受理）", "APPROVED (accepted offline)";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both<T: Texts + Copy>(words: &[T]) {
        for word in words {
            let (zh, en) = (word.text(Language::Zh), word.text(Language::En));
            assert!(!zh.is_empty() && !en.is_empty() && zh != en);
            assert!(en.is_ascii() && !zh.is_ascii(), "{zh} / {en}");
        }
    }

    #[test]
    fn every_word_has_a_chinese_and_an_english_text() {
        both(Stage::ALL);
        both(Cause::ALL);
        both(NextStep::ALL);
        both(Acts::ALL);
        both(Rule::ALL);
        both(AlertKind::ALL);
        both(AttemptEnd::ALL);
        both(ReaderTrouble::ALL);
        both(Verification::ALL);
        both(EntryMode::ALL);
    }

    #[test]
    fn a_tag_names_its_language() {
        assert_eq!(Language::from_tag("zh-CN"), Some(Language::Zh));
        assert_eq!(Language::from_tag("en"), Some(Language::En));
        assert_eq!(Language::from_tag("d"), None);
    }
}
