//! How the till is, as the shells read it.

use crate::wire::mirror;

mirror! {
    /// What an activation brought.
    ActivationView of takings_till::views::ActivationView {
        /// The merchant, as the acquirer names it.
        merchant_id: String,
        /// The terminal.
        terminal_id: String,
    }
    /// What a sign-on brought.
    SignOnView of takings_till::views::SignOnView {
        /// The acquirer's business date.
        business_date: String,
        /// The batch of new payments.
        batch_number: String,
        /// The offline policy in force.
        policy_version: Option<String>,
        /// The settlement terms in force.
        terms_version: Option<String>,
        /// The calendar in force.
        calendar_version: Option<String>,
        /// Server time less wall clock, milliseconds.
        offset_ms: i64,
    }
    /// What a sync did, and why it stopped.
    SyncReport of takings_till::views::SyncReport {
        /// `done`, `no_line`, `waiting` (something is due later, or news could not be read), `budget`, `sign_in`, `unverified`.
        ended: String,
        /// Requests that left.
        requests: u32,
        /// Payments sent, repeats included.
        sent: u32,
        /// Payments that got their answer.
        answered: u32,
        /// Of these, approved.
        approved: u32,
        /// Of these, declined.
        declined: u32,
        /// Events read from the feed.
        events: u32,
        /// Still unsent or unanswered.
        waiting: u64,
        /// The next thing is due at, wall clock, milliseconds UTC.
        next_due_ms: Option<i64>,
        /// What went wrong last, for support.
        detail: Option<String>,
    }
    /// How the till is.
    StatusView of takings_till::views::StatusView {
        /// Merchant and terminal, once activated.
        activation: Option<ActivationView>,
        /// Signed on, and the session is not over.
        signed_on: bool,
        /// The batch of new payments.
        batch_number: Option<String>,
        /// The phone's wall clock, milliseconds UTC.
        now_ms: i64,
        /// The acquirer's clock as well as we know it, milliseconds UTC.
        trusted_ms: Option<i64>,
        /// `unknown`, `up`, `down`: by the last request.
        line: String,
        /// Payments on this phone alone or in doubt.
        unsent_count: u64,
        /// Their sums.
        unsent: Vec<SumView>,
        /// Age of the oldest, milliseconds.
        oldest_unsent_age_ms: Option<i64>,
        /// The offline policy in force.
        policy_version: Option<String>,
        /// How much of it is used, for each currency it allows.
        offline_risk: Vec<OfflineRiskView>,
        /// The ledger's newest event.
        last_seq: u64,
        /// Events that a witness outside the file says are missing.
        missing_events: u64,
        /// The ledger can only be read, and why.
        read_only: Option<String>,
        /// The card readers that were connected, by serial number.
        readers: Vec<ReaderView>,
        /// What went wrong last, if the newest contact with the acquirer did not end well or the phone's disk refused.
        trouble: Option<TroubleView>,
    }
    /// A card reader, as it last said of itself.
    ReaderView of takings_till::views::ReaderView {
        /// Its serial number.
        serial: String,
        /// Model name; empty if it does not tell.
        model: String,
        /// Firmware version; empty if it does not tell.
        firmware: String,
        /// Charge left, percent.
        battery_percent: Option<u32>,
        /// It is on a charger.
        charging: Option<bool>,
        /// What is wrong with it: a word for `text_of` with the kind *reader trouble*.
        trouble: Option<String>,
        /// First connected, wall clock, milliseconds UTC.
        first_seen_ms: i64,
        /// Last said so, wall clock, milliseconds UTC. After a restart of the app: when it was last on record, a day ago at most
        /// for one in use.
        last_seen_ms: i64,
    }
    /// What customers went away with that no bank has confirmed yet, against what the acquirer allows. Minor units.
    OfflineRiskView of takings_till::views::OfflineRiskView {
        /// ISO 4217.
        currency: String,
        /// How many payments wait.
        count: u32,
        /// The most that may.
        max_count: u32,
        /// Their sum.
        amount_minor: i64,
        /// The most it may be.
        max_amount_minor: i64,
        /// Age of the oldest by the reading of the clock that makes it oldest, milliseconds.
        oldest_age_ms: Option<i64>,
    }
    /// Something that went wrong while nobody was waiting for it.
    TroubleView of takings_till::views::TroubleView {
        /// When, wall clock, milliseconds UTC.
        at_ms: i64,
        /// What, for support.
        detail: String,
    }
    /// What a ledger's witness says of it, also when the ledger itself cannot be opened.
    AtStakeView of takings_till::views::AtStakeView {
        /// How many events the ledger held.
        events: u64,
        /// What had no answer of the acquirer's.
        unsent: Vec<UnsentView>,
    }
    /// Unsent payments in one currency.
    UnsentView of takings_till::views::UnsentView {
        /// ISO 4217.
        currency: String,
        /// How many payments.
        count: u64,
        /// Their sum, minor units.
        amount_minor: i64,
    }
    /// A sum in one currency.
    SumView of takings_till::views::SumView {
        /// ISO 4217.
        currency: String,
        /// Minor units.
        amount_minor: i64,
    }
    /// One alert, told until acknowledged.
    AlertView of takings_till::views::AlertView {
        /// Its number: acknowledge up to it.
        alert: u64,
        /// When the fact was written down, wall clock, milliseconds UTC.
        at_ms: i64,
        /// A word for `text_of` with the kind *alert*.
        alert_kind: String,
        /// `payment`, `payout`, `reader` or `ledger`.
        subject_kind: String,
        /// The payment's or payout's id, the reader's serial number.
        subject_id: String,
        /// The money it is about, minor units, where it is about money.
        amount_minor: Option<i64>,
        /// ISO 4217.
        currency: Option<String>,
    }
    /// What a check of the whole ledger found.
    VerifyReport of takings_till::views::VerifyReport {
        /// Every event, hash, projection and balance holds.
        sound: bool,
        /// How many events there are.
        events: u64,
        /// The first bad event's number.
        broken_at: Option<u64>,
        /// Events that the head names and the ledger lacks.
        missing_events: u64,
        /// What is wrong, for support.
        detail: Option<String>,
    }
}
