//! From the acquirer to the bank, and back. Each row: the event => payout and its evidence | the payment in it | where
//! the money is | what is told. A sale of 18.00, a fee of 0.11.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use proptest::prelude::*;
use takings_domain::PayoutStatus::{self, Arrived, Created, Failed, Held, Returned, Sent};
use takings_domain::alert;
use takings_domain::balance::{Account, payout_postings};
use takings_domain::event::{
    EntriesReported, Entry, OverdueNoticed, PayoutEvent, PayoutReported, Reconciled, Recorded,
};
use takings_domain::payment::{self, FoldError};
use takings_domain::payout::PayoutState;
use takings_domain::{Direction, EntryType, Evidence, PayoutId};

use crate::history::{AMOUNT_MINOR, Books, DAY_MS, History, NOON_MS, at, cny, id, post, sale_day};
use crate::runs;

const FEE_MINOR: i64 = 11;
const NET_MINOR: i64 = AMOUNT_MINOR - FEE_MINOR;
const PAYOUT_OVERDUE_MS: i64 = NOON_MS + 5 * DAY_MS;

/// One payout, and the books that its payment left.
#[derive(Debug, Clone)]
struct Payout {
    events: Vec<Recorded<PayoutEvent>>,
    state: PayoutState,
    payment: History,
    books: Books,
    news: String,
}

fn name(text: &str) -> PayoutId {
    PayoutId::new(text).unwrap()
}

fn reported(report_version: u64, status: PayoutStatus) -> PayoutReported {
    let evidence = if status == Arrived { Evidence::BankNotification } else { Evidence::None };
    PayoutReported {
        payout_id: name("po_1"),
        report_version,
        status,
        direction: Direction::Credit,
        gross: cny(AMOUNT_MINOR),
        fee: cny(FEE_MINOR),
        net: cny(NET_MINOR),
        entry_count: 1,
        business_date: NaiveDate::from_ymd_opt(2026, 11, 23).unwrap(),
        expected_date: NaiveDate::from_ymd_opt(2026, 11, 24),
        overdue_after_ms: Some(PAYOUT_OVERDUE_MS),
        arrived_at_ms: None,
        evidence,
        end_to_end_id: Some("E2E0001".into()),
        bank_reference: None,
        reissue_of: None,
        failure_code: None,
    }
}

fn line(entry_id: &str, entry_type: EntryType, gross_minor: i64, fee_minor: i64) -> Entry {
    let about = matches!(entry_type, EntryType::Payment | EntryType::Refund);
    Entry {
        entry_id: entry_id.into(),
        entry_type,
        payment_id: about.then(id),
        captured_on: about.then(sale_day),
        gross_minor,
        fee_minor,
        net_minor: gross_minor - fee_minor,
    }
}

fn page(number: u32, last: bool, entries: Vec<Entry>) -> EntriesReported {
    EntriesReported { report_version: 1, page: number, last, entries }
}

fn the_sale() -> EntriesReported {
    page(0, true, vec![line("en_1", EntryType::Payment, AMOUNT_MINOR, FEE_MINOR)])
}

fn summed(report_version: u64, difference_minor: i64) -> Reconciled {
    Reconciled { report_version, difference: cny(difference_minor) }
}

impl Payout {
    fn heard(report: PayoutReported) -> Self {
        Self::beside(History::approved(), Books::new(), report)
    }

    fn beside(payment: History, others: Books, report: PayoutReported) -> Self {
        let recorded = Recorded { seq: 100, at: at(NOON_MS), operator: None, event: report.clone() };
        let state = PayoutState::open(&recorded);
        let mut books = if others.is_empty() { payment.books.clone() } else { others };
        post(&mut books, &payout_postings(None, &state));
        let event = PayoutEvent::from(report);
        let news = told(None, &event, &state);
        let events = vec![Recorded { seq: 100, at: at(NOON_MS), operator: None, event }];
        Self { events, state, payment, books, news }
    }

    fn try_then(&mut self, event: PayoutEvent) -> Result<(), FoldError> {
        let before = self.state.clone();
        let seq = self.events.last().map_or(0, |event| event.seq) + 1;
        let recorded = Recorded { seq, at: at(NOON_MS), operator: None, event };
        let done = self.state.apply(&recorded);
        if done.is_err() {
            assert_eq!(self.state, before, "a refused event changes nothing");
            return done;
        }
        post(&mut self.books, &payout_postings(Some(&before), &self.state));
        self.news = told(Some(&before), &recorded.event, &self.state);
        self.events.push(recorded);
        assert_eq!(PayoutState::fold(&self.events).unwrap().as_ref(), Some(&self.state));
        Ok(())
    }

    fn then(mut self, event: impl Into<PayoutEvent>) -> Self {
        if let Err(error) = self.try_then(event.into()) {
            panic!("{error}");
        }
        self
    }

    fn refuses(&self, event: impl Into<PayoutEvent>) -> &'static str {
        match self.clone().try_then(event.into()) {
            Err(error) => error.why,
            Ok(()) => panic!("it was taken"),
        }
    }

    fn line(&self) -> String {
        let link = self.state.payments().next().map(|(_, entry)| self.state.link(entry));
        let base = payment::base(&self.payment.state, link.as_ref());
        let (stage, why) = payment::standing_at(base, self.payment.now_ms);
        let why = why.map(|why| format!(": {}", why.cause)).unwrap_or_default();
        let report = &self.state.report;
        format!("{} by {} | {stage}{why} | {} | {}", report.status, report.evidence, self.money(), self.news)
    }

    fn money(&self) -> String {
        let mut accounts: BTreeMap<Account, i64> = BTreeMap::new();
        for ((account, _, _), amount) in &self.books {
            *accounts.entry(*account).or_default() += amount;
        }
        accounts.remove(&Account::Customers);
        accounts.retain(|_, amount| *amount != 0);
        accounts.iter().map(|(account, amount)| format!("{account} {amount}")).collect::<Vec<_>>().join(", ")
    }
}

fn told(before: Option<&PayoutState>, event: &PayoutEvent, after: &PayoutState) -> String {
    alert::of_payout(before, event, after).map_or("-".into(), |(kind, _)| kind.to_string())
}

/// As in `history`: a table of events and the lines they lead to.
macro_rules! payouts {
    ($start:expr; $first:literal; $($event:expr => $line:literal;)+) => {{
        let payout = $start;
        assert_eq!(payout.line(), $first, "at the start");
        $(
            let payout = payout.then($event);
            assert_eq!(payout.line(), $line, "after {}", stringify!($event));
        )+
        payout
    }};
}

#[test]
fn created_sent_arrived_returned_and_paid_again() {
    let returned = payouts! {
        Payout::heard(reported(1, Created));
        "created by none | approved | acquirer 1800 | -";
        the_sale() => "created by none | on_its_way | payout 1789, fees 11 | -";
        summed(1, 0) => "created by none | on_its_way | payout 1789, fees 11 | -";
        reported(2, Sent) => "sent by none | on_its_way | payout 1789, fees 11 | payout_sent";
        reported(3, Arrived) => "arrived by bank_notification | arrived | bank 1789, fees 11 | payout_arrived";
        reported(4, Returned) =>
            "returned by none | needs_you: returned_by_bank | payout 1789, fees 11 | payout_returned";
    };
    let again = PayoutReported { payout_id: name("po_2"), reissue_of: Some(name("po_1")), ..reported(1, Created) };
    let (payment, books) = (returned.payment, returned.books);
    let second = |version, status| PayoutReported {
        payout_id: name("po_2"),
        reissue_of: Some(name("po_1")),
        ..reported(version, status)
    };
    payouts! {
        Payout::beside(payment, books, again);
        "created by none | approved | payout 1789, fees 11 | -";
        the_sale() => "created by none | on_its_way | payout 1789, fees 11 | -";
        summed(1, 0) => "created by none | on_its_way | payout 1789, fees 11 | -";
        second(2, Sent) => "sent by none | on_its_way | payout 1789, fees 11 | payout_sent";
        second(3, Arrived) => "arrived by bank_notification | arrived | bank 1789, fees 11 | payout_arrived";
    };
}

#[test]
fn p6_evidence_arrived_is_never_the_end() {
    let history = payouts! {
        Payout::heard(reported(1, Created)).then(the_sale());
        "created by none | on_its_way | payout 1789, fees 11 | -";
        PayoutReported { evidence: Evidence::None, ..reported(2, Arrived) } =>
            "arrived by acquirer | arrived | bank 1789, fees 11 | payout_arrived";
        reported(3, Arrived) => "arrived by bank_notification | arrived | bank 1789, fees 11 | -";
        reported(4, Returned) =>
            "returned by none | needs_you: returned_by_bank | payout 1789, fees 11 | payout_returned";
        reported(5, Arrived) => "arrived by bank_notification | arrived | bank 1789, fees 11 | payout_arrived";
        reported(6, Failed) => "failed by none | needs_you: account_invalid | payout 1789, fees 11 | payout_failed";
    };
    assert_eq!(history.state.report.report_version, 6);
    let at_once = Payout::heard(PayoutReported { evidence: Evidence::None, ..reported(1, Arrived) });
    assert_eq!(at_once.state.report.evidence, Evidence::Acquirer, "from the first word on");
}

#[test]
fn held_failed_and_sent_after_all() {
    payouts! {
        Payout::heard(reported(1, Held)).then(the_sale());
        "held by none | needs_you: risk_hold | payout 1789, fees 11 | -";
        reported(2, Failed) => "failed by none | needs_you: account_invalid | payout 1789, fees 11 | payout_failed";
        reported(3, Sent) => "sent by none | on_its_way | payout 1789, fees 11 | payout_sent";
    };
    assert_eq!(Payout::heard(reported(1, Held)).news, "payout_held");
}

#[test]
fn a_payout_on_its_way_too_long() {
    let mut payout = Payout::heard(reported(1, Sent)).then(the_sale());
    payout.payment = payout.payment.until(PAYOUT_OVERDUE_MS - 1);
    assert_eq!(payout.line(), "sent by none | on_its_way | payout 1789, fees 11 | -");
    payout.payment = payout.payment.wait(1);
    assert_eq!(payout.line(), "sent by none | needs_you: unknown_overdue | payout 1789, fees 11 | -");
    assert_eq!(payout.state.notice_after_ms(), Some(PAYOUT_OVERDUE_MS));
    let notice = || OverdueNoticed { due_ms: PAYOUT_OVERDUE_MS };
    let told = payouts! {
        payout;
        "sent by none | needs_you: unknown_overdue | payout 1789, fees 11 | -";
        notice() => "sent by none | needs_you: unknown_overdue | payout 1789, fees 11 | payout_overdue";
    };
    assert_eq!(told.state.notice_after_ms(), None);
    assert_eq!(told.refuses(notice()), "the same notice is given once");
    // A new day, missed again, is a new fact; what arrived is never overdue.
    let later_ms = PAYOUT_OVERDUE_MS + DAY_MS;
    let moved = told.then(PayoutReported { overdue_after_ms: Some(later_ms), ..reported(2, Sent) });
    assert_eq!(moved.state.notice_after_ms(), Some(later_ms));
    assert_eq!(moved.then(reported(3, Arrived)).state.notice_after_ms(), None);
}

#[test]
fn money_late_with_its_payout_is_told_by_the_payout() {
    let payout = Payout::heard(reported(1, Sent)).then(the_sale());
    let link = payout.state.payments().next().map(|(_, entry)| payout.state.link(entry));
    let alone = payment::base(&payout.payment.state, None);
    assert!(payment::own_attention_after_ms(&alone, None).is_some());
    let inside = payment::base(&payout.payment.state, link.as_ref());
    assert_eq!(inside.attention_after_ms, Some(PAYOUT_OVERDUE_MS));
    assert_eq!(payment::own_attention_after_ms(&inside, link.as_ref()), None);
}

#[test]
fn one_payment_singled_out_of_its_payout() {
    use takings_domain::{Arrival, Authorization};
    let mut payout = Payout::heard(reported(1, Sent)).then(the_sale());
    let held = takings_domain::event::PaymentReported {
        arrival: Arrival::Held,
        ..crate::history::report(2, Authorization::Approved)
    };
    payout.payment = payout.payment.then(held);
    assert_eq!(payout.line(), "sent by none | needs_you: risk_hold | payout 1789, fees 11 | -");
}

#[test]
fn lines_of_every_kind_add_up() {
    let lines = [
        line("en_1", EntryType::Payment, AMOUNT_MINOR, FEE_MINOR),
        line("en_2", EntryType::Refund, -500, 0),
        line("en_3", EntryType::ServiceFee, -300, 0),
        line("en_4", EntryType::ReserveRelease, 40, 0),
    ];
    let net = NET_MINOR - 500 - 300 + 40;
    payouts! {
        Payout::heard(PayoutReported { net: cny(net), entry_count: 4, ..reported(1, Created) });
        "created by none | approved | acquirer 1800 | -";
        page(0, false, lines[..2].to_vec()) =>
            "created by none | on_its_way | payout 1289, fees 11, other_entries 500 | -";
        page(1, true, lines[2..].to_vec()) =>
            "created by none | on_its_way | payout 1029, fees 11, other_entries 760 | -";
        summed(1, 0) => "created by none | on_its_way | payout 1029, fees 11, other_entries 760 | -";
        PayoutReported { net: cny(net), ..reported(2, Arrived) } =>
            "arrived by bank_notification | arrived | bank 1029, fees 11, other_entries 760 | payout_arrived";
    };
}

#[test]
fn a_withdrawal_goes_the_other_way() {
    let net = NET_MINOR - 5_000;
    let debit =
        |version, status| PayoutReported { direction: Direction::Debit, net: cny(net), ..reported(version, status) };
    let lines =
        vec![line("en_1", EntryType::Payment, AMOUNT_MINOR, FEE_MINOR), line("en_2", EntryType::Chargeback, -5_000, 0)];
    payouts! {
        Payout::heard(debit(1, Created)).then(page(0, true, lines)).then(summed(1, 0));
        "created by none | on_its_way | payout -3211, fees 11, other_entries 5000 | -";
        debit(2, Arrived) =>
            "arrived by bank_notification | arrived | bank -3211, fees 11, other_entries 5000 | payout_arrived";
    };
}

#[test]
fn p11_adds_up_a_difference_is_an_item_of_its_own() {
    let one_short = |version, status| PayoutReported { net: cny(NET_MINOR - 1), ..reported(version, status) };
    let payout = payouts! {
        Payout::heard(one_short(1, Created)).then(the_sale());
        "created by none | on_its_way | payout 1789, fees 11 | -";
        summed(1, -1) => "created by none | on_its_way | payout 1788, fees 11, differences 1 | payout_difference";
        one_short(2, Arrived) =>
            "arrived by bank_notification | arrived | bank 1788, fees 11, differences 1 | payout_arrived";
    };
    assert_eq!(payout.state.difference(), Ok(cny(-1)));
    // The acquirer corrects its header: the difference is added up again, and goes.
    payouts! {
        payout;
        "arrived by bank_notification | arrived | bank 1788, fees 11, differences 1 | payout_arrived";
        reported(3, Arrived) =>
            "arrived by bank_notification | arrived | payout -1, bank 1789, fees 11, differences 1 | -";
        summed(3, 0) => "arrived by bank_notification | arrived | bank 1789, fees 11 | -";
    };
}

#[test]
fn what_cannot_happen_to_a_payout() {
    let created = Payout::heard(reported(1, Created));
    let complete = created.clone().then(the_sale());
    let other = PayoutReported { payout_id: name("po_9"), ..reported(2, Sent) };
    let dollars = PayoutReported {
        net: takings_domain::Money::new(1, takings_domain::Currency::from_code("USD").unwrap()).unwrap(),
        ..reported(2, Sent)
    };
    let sale = || line("en_1", EntryType::Payment, AMOUNT_MINOR, FEE_MINOR);
    let newer = "only a newer report is written down";
    let when = "a payout is added up when all its lines are here, for its newest report";
    let rows: Vec<(&Payout, PayoutEvent, &str)> = vec![
        (&created, reported(1, Sent).into(), newer),
        (&created, other.into(), "another payout's report"),
        (&created, dollars.into(), "another payout's report"),
        (&created, page(1, true, vec![]).into(), "pages come in order, each once"),
        (&complete, page(1, true, vec![]).into(), "pages come in order, each once"),
        (&created, page(0, true, vec![sale(), sale()]).into(), "an entry is heard once"),
        (&created, summed(1, 0).into(), when),
        (&complete, summed(2, 0).into(), when),
        (&complete, summed(1, 1).into(), "header and lines do not give this difference"),
    ];
    for (payout, event, why) in rows {
        assert_eq!(payout.refuses(event.clone()), why, "{}", event.kind());
    }
    let half = created.then(page(0, false, vec![sale()]));
    assert_eq!(half.refuses(page(1, true, vec![sale()])), "an entry is heard once");
    assert_eq!(half.refuses(page(0, true, vec![])), "pages come in order, each once");
    assert_eq!(PayoutState::fold(&[]), Ok(None));
    assert!(PayoutState::fold(&half.events[1..]).is_err());
}

#[test]
fn a_payment_reads_its_share() {
    let payout = Payout::heard(reported(2, Sent)).then(the_sale());
    let links: Vec<_> = payout.state.payments().map(|(id, entry)| (id, payout.state.link(entry))).collect();
    let (payment, link) = links.first().unwrap();
    assert_eq!(*payment, id());
    assert_eq!((link.gross_minor, link.fee_minor, link.net_minor), (AMOUNT_MINOR, FEE_MINOR, NET_MINOR));
    assert_eq!((link.payout_id.as_str(), link.status), ("po_1", Sent));
    assert_eq!(link.expected_date, NaiveDate::from_ymd_opt(2026, 11, 24));
}

/// What to try next: a kind and a choice within it.
fn payout_steps() -> impl Strategy<Value = Vec<(u8, u8)>> {
    prop::collection::vec((0_u8..8, any::<u8>()), 1..30)
}

fn next_event(kind: u8, choice: u8, state: &PayoutState) -> PayoutEvent {
    let number = state.entries.len();
    let all = EntryType::ALL;
    let entry = |offset: usize| {
        let gross = i64::from(choice) * 100 - 9_000;
        line(&format!("en_{}", number + offset), all[(usize::from(choice) + offset) % all.len()], gross, gross / 90)
    };
    match kind {
        0..=3 => {
            let report_version = state.report.report_version + u64::from(choice % 4);
            let status = PayoutStatus::ALL[usize::from(choice / 4) % PayoutStatus::ALL.len()];
            let evidence = Evidence::ALL[usize::from(choice / 16) % Evidence::ALL.len()];
            let net = cny(i64::from(choice % 3) * 777 - 500);
            PayoutReported { net, evidence, ..reported(report_version, status) }.into()
        }
        4 | 5 => page(state.pages, choice.is_multiple_of(3), vec![entry(0), entry(1)]).into(),
        _ => {
            let off = i64::from(choice.is_multiple_of(4));
            let difference = state.difference().unwrap().amount_minor() + off;
            summed(state.report.report_version, difference).into()
        }
    }
}

proptest! {
    #![proptest_config(runs())]

    #[test]
    fn p4_p6_p11_hold_whatever_the_acquirer_says(steps in payout_steps()) {
        let mut payout = Payout::heard(reported(1, Created));
        for (kind, choice) in steps {
            let event = next_event(kind, choice, &payout.state);
            // `try_then` checks that postings sum to zero and that folding all is folding one by one.
            if payout.try_then(event.clone()).is_err() {
                continue;
            }
            let (state, report) = (&payout.state, &payout.state.report);
            prop_assert!(report.status != Arrived || report.evidence != Evidence::None, "P6: arrived names its evidence");
            if let PayoutEvent::Reconciled(reconciled) = &event {
                prop_assert_eq!(reconciled.difference, state.difference().unwrap(), "P11: computed, not believed");
                let sum: i64 = state.entries.iter().map(|entry| entry.net_minor).sum();
                prop_assert_eq!(reconciled.difference.amount_minor(), report.net.amount_minor() - sum);
                prop_assert_eq!(payout.news != "-", reconciled.difference.amount_minor() != 0, "and told");
                // All is here and added up: what is in no payout any more is in the bank, and what is not is here.
                let on = |account| payout.books.iter().filter(|((at, ..), _)| *at == account).map(|(_, sum)| sum).sum();
                let (there, here): (i64, i64) = (on(Account::Bank), on(Account::Payout));
                let net = report.net.amount_minor();
                prop_assert_eq!((there, here), if report.status == Arrived { (net, 0) } else { (0, net) });
            }
        }
        // Nothing is terminal: the bank can return it for ever.
        let version = payout.state.report.report_version;
        let back = payout.then(reported(version + 1, Arrived)).then(reported(version + 2, Returned));
        prop_assert_eq!(back.news, "payout_returned");
    }
}
