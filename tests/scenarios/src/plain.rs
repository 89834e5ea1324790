//! What the exports give, as JSON: every field by its name.

use serde_json::{Map, Value, json};
use takings_ffi::TakingsError;
use takings_ffi::demo::CardTaken;
use takings_ffi::records::{
    ActivationView, AlertView, ChargeOutcome, OfflineRiskView, PaymentDetail, PaymentView, PayoutEntryView, PayoutView,
    ReaderView, Receipt, SignOnView, StatusView, SumView, SyncReport, TakingsLine, TimelineEntry, TroubleView,
    VerifyReport,
};

/// Becomes JSON.
pub(crate) trait Plain {
    /// Converts.
    fn plain(self) -> Value;
}

macro_rules! as_it_is {
    ($($ty:ty),+) => { $(impl Plain for $ty {
        fn plain(self) -> Value {
            Value::from(self)
        }
    })+ };
}
as_it_is!(bool, String, u32, u64, i64);

impl<T: Plain> Plain for Option<T> {
    fn plain(self) -> Value {
        self.map_or(Value::Null, Plain::plain)
    }
}

impl<T: Plain> Plain for Vec<T> {
    fn plain(self) -> Value {
        self.into_iter().map(Plain::plain).collect()
    }
}

impl Plain for () {
    fn plain(self) -> Value {
        Value::Null
    }
}

macro_rules! records {
    ($($name:ident { $($field:ident),+ $(,)? })+) => { $(impl Plain for $name {
        fn plain(self) -> Value {
            let $name { $($field),+ } = self;
            let mut members = Map::new();
            $(members.insert(stringify!($field).to_owned(), $field.plain());)+
            Value::Object(members)
        }
    })+ };
}
records! {
    ActivationView { merchant_id, terminal_id }
    AlertView { alert, at_ms, alert_kind, subject_kind, subject_id, amount_minor, currency }
    OfflineRiskView { currency, count, max_count, amount_minor, max_amount_minor, oldest_age_ms }
    PaymentDetail { payment, timeline }
    PaymentView {
        payment_id, captured_at_ms, captured_on, amount_minor, currency, order_reference, payment_class, delivery, authorization,
        clearing, arrival, stage, cause, source, acts, next_step, expected_date, expected_provisional, evidence, payout_id,
        gross_minor, fee_minor, net_minor, accepted_at_ms, approved_minor, scheme, last_four, entry_mode, stan,
        batch_number, rrn, auth_code, response_code, partly_approved, service_given,
        from_acquirer,
    }
    PayoutEntryView { entry_id, entry_type, payment_id, gross_minor, fee_minor, net_minor }
    PayoutView {
        payout_id, status, direction, business_date, expected_date, arrived_at_ms, evidence, currency, gross_minor,
        fee_minor, net_minor, entry_count, entries_heard, difference_minor, end_to_end_id, reissue_of, reissued_by,
        failure_code, overdue,
    }
    ReaderView { serial, model, firmware, battery_percent, charging, trouble, first_seen_ms, last_seen_ms }
    Receipt { payment_id, lines, offline, reprint }
    SignOnView { business_date, batch_number, policy_version, terms_version, calendar_version, offset_ms }
    StatusView {
        activation, signed_on, batch_number, now_ms, trusted_ms, line, unsent_count, unsent, oldest_unsent_age_ms,
        policy_version, offline_risk, last_seq, missing_events, read_only, readers, trouble,
    }
    SumView { currency, amount_minor }
    SyncReport {
        ended, requests, sent, answered, approved, declined, events, waiting, next_due_ms, detail,
    }
    TakingsLine { stage, currency, count, amount_minor }
    TimelineEntry { seq, at_ms, operator, kind, body }
    TroubleView { at_ms, detail }
    VerifyReport { sound, events, broken_at, missing_events, detail }
}

/// A charge that was played.
pub(crate) fn charge(payment_id: &str, taken: CardTaken) -> Value {
    let CardTaken { outcome, prompts, stopped, calls } = taken;
    let (word, approved_minor, cause, detail) = match outcome {
        None => (None, None, None, None),
        Some(ChargeOutcome::Saved) => (Some("saved"), None, None, None),
        Some(ChargeOutcome::Approved { approved_minor }) => (Some("approved"), Some(approved_minor), None, None),
        Some(ChargeOutcome::NotCharged { cause, detail }) => (Some("not_charged"), None, Some(cause), detail),
        Some(ChargeOutcome::NotConfirmed) => (Some("not_confirmed"), None, None, None),
    };
    json!({
        "payment_id": payment_id, "outcome": word, "approved_minor": approved_minor, "cause": cause, "detail": detail,
        "prompts": prompts, "stopped": stopped, "calls": calls,
    })
}

/// An error of the library.
pub(crate) fn error(error: TakingsError) -> Value {
    let (kind, code, detail) = match error {
        TakingsError::RetryLater { code, detail } => ("retry_later", code, detail),
        TakingsError::FixInput { code, detail } => ("fix_input", code, detail),
        TakingsError::SignIn { code, detail } => ("sign_in", code, detail),
        TakingsError::AskMerchant { code, detail } => ("ask_merchant", code, detail),
        TakingsError::Storage { code, detail } => ("storage", code, detail),
        TakingsError::UpgradeApp { code, detail } => ("upgrade_app", code, detail),
        TakingsError::NotFound { code, detail } => ("not_found", code, detail),
        TakingsError::Internal { code, detail } => ("internal", code, detail),
    };
    json!({"kind": kind, "code": code, "detail": detail})
}
