//! How events are written down: every kind with arbitrary content reads back as it was, and a payment stays small.

use chrono::{Days, NaiveDate};
use proptest::prelude::*;
use takings_domain::event::*;
use takings_domain::settlement::Basis;
use takings_domain::{
    Arrival, AttemptId, Authorization, Clearing, Currency, Direction, EntryMode, EntryType, Evidence, ExpectedArrival,
    LedgerId, MAX_AMOUNT_MINOR, MaskedCard, Money, OperationId, PaymentId, PayoutId, PayoutStatus, ReversalId, Scheme,
};

use crate::history::{History, report};
use crate::runs;

/// Six events of a payment take less than this, bytes of JSON: what disk and feed are planned with.
const MAX_BODIES_LEN: usize = 1_400;

type Any<T> = BoxedStrategy<T>;

fn word<T: Copy + std::fmt::Debug>(all: &'static [T]) -> Any<T> {
    prop::sample::select(all).boxed()
}

fn text() -> Any<String> {
    any::<String>().boxed()
}

fn maybe<T: std::fmt::Debug + 'static>(value: Any<T>) -> Any<Option<T>> {
    prop::option::of(value).boxed()
}

fn ms() -> Any<i64> {
    any::<i64>().boxed()
}

fn date() -> Any<NaiveDate> {
    let first = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
    (0_u64..100_000).prop_map(move |days| first.checked_add_days(Days::new(days)).unwrap()).boxed()
}

fn minor() -> Any<i64> {
    (-MAX_AMOUNT_MINOR..=MAX_AMOUNT_MINOR).boxed()
}

fn money() -> Any<Money> {
    let code = prop::sample::select(vec!["CNY", "JPY", "KWD", "USD"]);
    (minor(), code).prop_map(|(minor, code)| Money::new(minor, Currency::from_code(code).unwrap()).unwrap()).boxed()
}

fn payment_id() -> Any<PaymentId> {
    any::<[u8; 16]>().prop_map(PaymentId::from_bytes).boxed()
}

fn op() -> Any<OperationId> {
    any::<[u8; 16]>().prop_map(OperationId::from_bytes).boxed()
}

fn payout_id() -> Any<PayoutId> {
    "[ -~]{1,128}".prop_map(|text| PayoutId::new(text).unwrap()).boxed()
}

fn of<T: Into<Event> + std::fmt::Debug + 'static>(body: impl Strategy<Value = T> + 'static) -> Any<Event> {
    body.prop_map(Into::into).boxed()
}

fn ledger_events() -> Vec<Any<Event>> {
    let document = || (text(), text(), ms(), maybe(ms()));
    vec![
        of((any::<[u8; 16]>(), text()).prop_map(|(id, device_key_thumbprint)| Opened {
            ledger_id: LedgerId::from_bytes(id),
            device_key_thumbprint,
        })),
        of((op(), text()).prop_map(|(request_id, code_sha256)| ActivationStarted { request_id, code_sha256 })),
        of((text(), text(), text(), text(), text()).prop_map(
            |(merchant_id, merchant_name, terminal_id, root_key, alg)| Activated {
                merchant_id,
                merchant_name,
                terminal_id,
                root_key,
                alg,
            },
        )),
        of((text(), text(), date(), ms(), ms(), ms()).prop_map(
            |(session_id, batch_number, business_date, server_ms, offset_ms, sign_on_again_before_ms)| SignedOn {
                session_id,
                batch_number,
                business_date,
                server_ms,
                offset_ms,
                sign_on_again_before_ms,
            },
        )),
        of(document().prop_map(|(version, digest, valid_from_ms, valid_until_ms)| PolicyAdopted {
            version,
            digest,
            valid_from_ms,
            valid_until_ms,
        })),
        of(document().prop_map(|(version, digest, valid_from_ms, valid_until_ms)| TermsAdopted {
            version,
            digest,
            valid_from_ms,
            valid_until_ms,
        })),
        of(document().prop_map(|(version, digest, valid_from_ms, valid_until_ms)| CalendarAdopted {
            version,
            digest,
            valid_from_ms,
            valid_until_ms,
        })),
        of(ms().prop_map(|by_ms| ClockJumped { by_ms })),
        of((any::<u64>(), any::<u64>(), proptest::collection::vec((any::<u64>(), money()), 0..3)).prop_map(
            |(witness_seq, found_seq, unsent)| HistoryLost {
                witness_seq,
                found_seq,
                unsent: unsent.into_iter().map(|(count, total)| UnsentThen { count, total }).collect(),
            },
        )),
        of((any::<u64>(), any::<u64>()).prop_map(|(payments, payouts)| HistoryRestored { payments, payouts })),
        of((
            text(),
            text(),
            text(),
            maybe(any::<u8>().boxed()),
            maybe(any::<bool>().boxed()),
            maybe(word(ReaderTrouble::ALL)),
        )
            .prop_map(|(serial, model, firmware, battery_percent, charging, trouble)| ReaderSeen {
                serial,
                model,
                firmware,
                battery_percent,
                charging,
                trouble,
            })),
    ]
}

fn till_events() -> Vec<Any<Event>> {
    let charge = (payment_id(), money(), maybe(text()), any::<u32>(), text(), date());
    vec![
        of((charge, word(ChargeMode::ALL), maybe(text())).prop_map(
            |((payment_id, amount, order_reference, stan, batch_number, captured_on), mode, policy_version)| {
                ChargeStarted {
                    payment_id,
                    amount,
                    order_reference,
                    stan,
                    batch_number,
                    captured_on,
                    mode,
                    policy_version,
                }
            },
        )),
        of((word(Class::ALL), ms()).prop_map(|(class, captured_at_ms)| Restored { class, captured_at_ms })),
        of((any::<[u8; 16]>(), maybe(text()))
            .prop_map(|(id, reader_serial)| AttemptStarted { attempt_id: AttemptId::from_bytes(id), reader_serial })),
        of((word(EntryMode::ALL), word(Scheme::ALL), text(), text(), any::<u32>(), text(), maybe(ms())).prop_map(
            |(entry_mode, scheme, first, last, blob_len, blob_sha256, captured_at_ms)| CardRead {
                entry_mode,
                scheme,
                card: MaskedCard::new(&first, &last),
                blob_len,
                blob_sha256,
                captured_at_ms,
            },
        )),
        of((text(), text(), any::<bool>()).prop_map(|(outcome, code, unexpected)| ReaderConcluded {
            outcome,
            code,
            unexpected,
        })),
        of((maybe(text()), maybe(text()), maybe(word(Verification::ALL)), any::<bool>(), maybe(text()), maybe(text()))
            .prop_map(|(aid, application_name, verification, signature, tvr, tsi)| ReceiptDataRead {
                aid,
                application_name,
                verification,
                signature,
                tvr,
                tsi,
            })),
        of(word(AttemptEnd::ALL).prop_map(|why| AttemptEnded { why })),
        of((word(Class::ALL), maybe(ms())).prop_map(|(class, deadline_ms)| Accepted { class, deadline_ms })),
        of(text().prop_map(|rule| OfflineRefused { rule })),
        of(word(AttemptEnd::ALL).prop_map(|why| Abandoned { why })),
        of(payment_id().prop_map(|other| DuplicateOverridden { other })),
        of(any::<bool>().prop_map(|given| ServiceMarked { given })),
        of((op(), any::<u32>(), word(Lane::ALL)).prop_map(|(op, n, lane)| SendStarted { op, n, lane })),
        of((op(), any::<u32>(), word(Lane::ALL), word(SendResult::ALL), maybe(text()), maybe(ms())).prop_map(
            |(op, n, lane, result, code, retry_after_ms)| SendEnded { op, n, lane, result, code, retry_after_ms },
        )),
        of((ms(), any::<bool>()).prop_map(|(as_of_ms, is_final)| NotReceived { as_of_ms, is_final })),
        of((payment_id(), word(ReversalReason::ALL))
            .prop_map(|(payment, reason)| ReversalRequested { reversal_id: ReversalId::of(payment), reason })),
        of(word(ReversalOutcome::ALL).prop_map(|outcome| ReversalReported { outcome })),
        of((word(ParkReason::ALL), maybe(text())).prop_map(|(reason, code)| Parked { reason, code })),
        of(ms().prop_map(|by_ms| Expired { by_ms })),
        Just(CancelledUnsent {}.into()).boxed(),
        of(word(EraseReason::ALL).prop_map(|why| BlobErased { why })),
        of((word(NoticeKind::ALL), ms()).prop_map(|(kind, due_ms)| Noticed { kind, due_ms })),
    ]
}

fn expected() -> Any<ExpectedArrival> {
    let flags = (word(&[Basis::Acquirer, Basis::Computed]), any::<bool>(), ms());
    (date(), date(), date(), flags)
        .prop_map(|(date, earliest, latest, (basis, provisional, overdue_after_ms))| ExpectedArrival {
            date,
            earliest,
            latest,
            basis,
            provisional,
            overdue_after_ms,
        })
        .boxed()
}

fn payment_reported() -> Any<Event> {
    let axes = (
        word(&[Via::Answer, Via::Inquiry, Via::Feed]),
        any::<u64>(),
        word(Authorization::ALL),
        word(Clearing::ALL),
        word(Arrival::ALL),
        word(Evidence::ALL),
    );
    let bank = (maybe(text()), maybe(text()), maybe(text()), maybe(minor()), maybe(ms()));
    let settlement = (maybe(expected()), maybe(date()), maybe(text()), maybe(payout_id()), maybe(minor()));
    of((axes, bank, settlement).prop_map(|(axes, bank, settlement)| PaymentReported {
        via: axes.0,
        report_version: axes.1,
        authorization: axes.2,
        clearing: axes.3,
        arrival: axes.4,
        evidence: axes.5,
        code: bank.0,
        rrn: bank.1,
        auth_code: bank.2,
        approved_amount_minor: bank.3,
        accepted_at_ms: bank.4,
        expected: settlement.0,
        computed_date: settlement.1,
        reason: settlement.2,
        payout_id: settlement.3,
        withheld_minor: settlement.4,
    }))
}

fn payout_events() -> Vec<Any<Event>> {
    let header = (payout_id(), any::<u64>(), word(PayoutStatus::ALL), word(Direction::ALL));
    let sums = (money(), money(), money(), any::<u32>(), date());
    let bank = (maybe(date()), maybe(ms()), maybe(ms()), word(Evidence::ALL), maybe(text()), maybe(text()));
    let reported = (header, sums, bank, maybe(payout_id()), maybe(text()));
    let about = (text(), word(EntryType::ALL), maybe(payment_id()), maybe(date()));
    let entry = (about, any::<i64>(), any::<i64>(), any::<i64>()).prop_map(|(about, gross, fee, net)| Entry {
        entry_id: about.0,
        entry_type: about.1,
        payment_id: about.2,
        captured_on: about.3,
        gross_minor: gross,
        fee_minor: fee,
        net_minor: net,
    });
    let entries = prop::collection::vec(entry, 0..4);
    vec![
        of(reported.prop_map(|(header, sums, bank, reissue_of, failure_code)| PayoutReported {
            payout_id: header.0,
            report_version: header.1,
            status: header.2,
            direction: header.3,
            gross: sums.0,
            fee: sums.1,
            net: sums.2,
            entry_count: sums.3,
            business_date: sums.4,
            expected_date: bank.0,
            overdue_after_ms: bank.1,
            arrived_at_ms: bank.2,
            evidence: bank.3,
            end_to_end_id: bank.4,
            bank_reference: bank.5,
            reissue_of,
            failure_code,
        })),
        of((any::<u64>(), any::<u32>(), any::<bool>(), entries)
            .prop_map(|(report_version, page, last, entries)| EntriesReported { report_version, page, last, entries })),
        of((any::<u64>(), money()).prop_map(|(report_version, difference)| Reconciled { report_version, difference })),
        of(any::<i64>().prop_map(|due_ms| OverdueNoticed { due_ms })),
    ]
}

/// One strategy for each kind.
fn kinds() -> Vec<Any<Event>> {
    let mut kinds = ledger_events();
    kinds.extend(till_events());
    kinds.push(payment_reported());
    kinds.extend(payout_events());
    kinds
}

#[test]
fn every_kind_is_tried() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::new(runs());
    let mut tried: Vec<_> = kinds().iter().map(|kind| kind.new_tree(&mut runner).unwrap().current().kind()).collect();
    let mut all = [LedgerEvent::KINDS, PaymentEvent::KINDS, PayoutEvent::KINDS].concat();
    tried.sort_unstable();
    all.sort_unstable();
    assert_eq!(tried, all);
}

proptest! {
    #![proptest_config(runs())]

    #[test]
    fn every_body_reads_back_as_it_was(event in proptest::strategy::Union::new(kinds())) {
        let body = event.body().unwrap();
        prop_assert!(!body.contains('\n'), "one line: bodies are hashed and carried as they are");
        let read = Event::read(event.kind(), event.body_version(), &body);
        prop_assert_eq!(&read, &Ok(event));
        prop_assert_eq!(read.unwrap().body().unwrap(), body, "byte for byte");
    }

    #[test]
    fn whatever_a_body_holds_reading_it_does_not_fail_loudly(
        kind in prop::sample::select([LedgerEvent::KINDS, PaymentEvent::KINDS, PayoutEvent::KINDS].concat()),
        body in "[\\[\\]{}\":,a-z0-9_ ]{0,60}",
    ) {
        let read = Event::read(kind, 1, &body);
        let known = match &read {
            Ok(event) => event.kind() == kind,
            Err(UnknownEvent::Body { kind: named }) => named == kind,
            Err(UnknownEvent::Kind { .. }) => false,
        };
        prop_assert!(known, "{:?}", read);
    }
}

#[test]
fn six_events_of_a_payment_stay_small() {
    let history = History::sending().then(report(1, Authorization::Approved));
    let lengths: Vec<(&str, usize)> =
        history.events.iter().map(|event| (event.event.kind(), event.event.body().unwrap().len())).collect();
    assert_eq!(lengths.len(), 6, "{lengths:?}");
    let sum: usize = lengths.iter().map(|(_, length)| length).sum();
    assert!(sum <= MAX_BODIES_LEN, "{sum} bytes: {lengths:?}");
}
