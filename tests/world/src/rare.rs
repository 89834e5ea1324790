//! States that are rare and matter: a run that never reached one of them proved nothing about it.

use std::collections::BTreeMap;

use takings_readers::simulated::Failure;

/// How often each was reached.
pub type Counts = BTreeMap<String, u64>;

/// All of them, and what each means.
pub const ALL: &[(&str, &str)] = &[
    ("lost_answer", "the acquirer did it, and the answer was lost"),
    ("answer_after_resend", "a payment sent more than once got its answer"),
    ("in_progress_409", "a repeat met the first one still under way"),
    ("wrong_batch", "the acquirer asked for another batch or a new session"),
    ("crash_in_recovery", "the process died while it opened the ledger again"),
    ("crash_between_commit_and_effect", "something was committed and the process died before it was said or sent"),
    ("power_cut_lost_writes", "writes that were not synced did not survive"),
    ("clock_back", "the wall clock went back"),
    ("restart_without_network", "the phone started again while there was no network"),
    ("late_decline", "the bank declined what the customer had already taken away"),
    ("reversal_lost", "a reversal or its answer was lost"),
    ("reversal_after_capture", "a payment that had been authorised was reversed"),
    ("blob_erased_late", "card data was erased at a later opening than the one it was read in"),
    ("shortened_history_noticed", "a till said that events are missing"),
    ("disk_full_during_answer", "an answer came in while the disk was full"),
    ("disk_failed", "the disk refused a call"),
    ("sync_failed", "a sync failed"),
    ("charge_refused_for_room", "a charge was refused because the disk was nearly full"),
    ("second_process_refused", "a second process was kept out"),
    ("keys_away", "a request could not be signed"),
    ("unsigned_answer", "somebody without a key answered"),
    ("spoiled_answer", "a byte of an answer was another"),
    ("doubled_request", "a request arrived twice"),
    ("late_request", "a request arrived after its time-out"),
    ("partial_approval", "a payment was approved for less"),
    ("unlisted_code", "the acquirer answered a code that no table lists"),
    ("news_before_answer", "the feed told of a payment before its own answer came"),
    ("payout_returned", "the bank gave a payout back"),
    ("payout_paid_again", "a payout was paid again"),
    ("acquirer_restored", "the acquirer forgot what it had been told"),
    ("older_copy", "an older copy of a phone's files was put back"),
    ("limit_reached", "the offline policy refused a charge"),
    ("policy_changed", "a new policy came while payments waited"),
    ("background_during_charge", "the app went to the background while a card was at the reader"),
    ("reader_lost", "the link to the reader went during a charge"),
    ("reader_silent", "the reader said nothing more"),
    ("reader_restarted", "the reader restarted"),
    ("reader_garbled", "the reader itself lost, doubled, repeated or swapped values"),
    ("reader_spoiled_card_data", "card data was not encrypted as it must be"),
    ("reader_ended_again", "a payment ended more than once at the reader"),
    ("reader_receipt_data", "receipt data never came, or was another payment's"),
    ("reader_out_of_service", "the reader refused to start, or was about to go"),
    ("write_failed", "a value could not be written to the reader"),
    ("card_presented_again", "a card was presented once more in the same charge"),
    ("chip_card_swiped", "a card whose chip had failed was swiped"),
    ("order_guard", "an order that was charged already was asked for again"),
    ("not_confirmed", "the screen said that nobody knows"),
    ("parked", "a payment was set aside for the merchant"),
    ("overdue_told", "money that is late was told"),
];

/// Counts them.
#[derive(Debug, Default, Clone)]
pub struct Rare(Counts);

impl Rare {
    /// Once more.
    pub fn count(&mut self, name: &'static str) {
        debug_assert!(ALL.iter().any(|(known, _)| *known == name), "{name}");
        *self.0.entry(name.to_owned()).or_default() += 1;
    }

    /// All counts, zeros included.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let of = |(name, _): &(&str, &str)| ((*name).to_owned(), self.0.get(*name).copied().unwrap_or(0));
        ALL.iter().map(of).collect()
    }
}

/// What a failure of a reader counts as.
#[must_use]
pub fn of_reader(failure: Failure) -> &'static str {
    match failure {
        Failure::Silent | Failure::SilentAfter(_) => "reader_silent",
        Failure::Restarted | Failure::RestartsAfter(_) => "reader_restarted",
        Failure::LosesValue(_) | Failure::DoublesValue(_) | Failure::RepeatsValue(_) | Failure::SwapsValues(_) => {
            "reader_garbled"
        }
        Failure::SpoilsCardData => "reader_spoiled_card_data",
        Failure::EndsAgain(_) => "reader_ended_again",
        Failure::NoReceiptData | Failure::OtherReceiptData(_) => "reader_receipt_data",
        Failure::RestartsSoon(_)
        | Failure::SwitchesOff
        | Failure::TooCold(_)
        | Failure::TooHot(_)
        | Failure::RefusesStart(_) => "reader_out_of_service",
    }
}
