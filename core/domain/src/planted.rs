//! Bugs that can be planted, one at a time, to see whether a judge finds them. Only with the feature `planted`, which
//! nothing that ships turns on (`tests/run rules`).
//!
//! Each is a mistake that somebody could make: a line or two at the place where the rule lives, in any crate of the core.

use std::sync::atomic::{AtomicUsize, Ordering};

use thiserror::Error;

/// A bug that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bug {
    /// What it is called.
    pub name: &'static str,
    /// The promise that should catch it, `P1` to `P12`.
    pub promise: &'static str,
    /// What the till does then, and how it shows from outside.
    pub what: &'static str,
}

/// There is no bug of this name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no bug is called {0}")]
pub struct UnknownBug(pub String);

/// Which one, counted from 1; 0: none.
static PLANTED: AtomicUsize = AtomicUsize::new(0);

/// Plants this bug in the whole process, instead of any other; none: everything is as it should be.
///
/// # Errors
/// [`UnknownBug`]; nothing was changed.
pub fn plant(name: Option<&str>) -> Result<(), UnknownBug> {
    let number = match name {
        None => 0,
        Some(name) => match ALL.iter().position(|bug| bug.name == name) {
            Some(at) => at.saturating_add(1),
            None => return Err(UnknownBug(name.to_owned())),
        },
    };
    PLANTED.store(number, Ordering::Relaxed);
    Ok(())
}

/// Whether this bug is planted.
#[must_use]
pub fn is(name: &str) -> bool {
    debug_assert!(ALL.iter().any(|bug| bug.name == name), "no bug is called {name}");
    let number = PLANTED.load(Ordering::Relaxed);
    number.checked_sub(1).and_then(|at| ALL.get(at)).is_some_and(|bug| bug.name == name)
}

const fn bug(name: &'static str, promise: &'static str, what: &'static str) -> Bug {
    Bug { name, promise, what }
}

/// Every bug there is, by promise.
#[rustfmt::skip]
pub const ALL: &[Bug] = &[
    bug("acknowledge_before_commit", "P1", "a card taken offline is written with the next input: the screen said saved, and a process that ends in between has no payment"),
    bug("synchronous_normal", "P1", "a commit does not wait for the disk: what the screen called saved or approved is gone after a power cut"),
    bug("log_removed_at_opening", "P1", "an opening takes the log of the last run for rubbish: what was committed since the last checkpoint is gone after a kill"),
    bug("failed_commit_believed", "P1", "a commit that failed counts as done: saved on the screen, nothing in the ledger"),
    bug("new_id_per_retry", "P2", "a resend is a new sale to the acquirer, with an id and a trace number of its own: one card, two approved payments in its book"),
    bug("reverse_deferred", "P2", "a payment whose customer left with the goods is undone after an answer that did not come: reversed in the acquirer's book"),
    bug("cancel_allowed_in_doubt", "P2", "the merchant may cancel what may have left: cancelled on the screen, charged in the acquirer's book"),
    bug("stan_reused_after_restart", "P2", "the first sale after a start has the trace number of the last one: two payments with one number, the second is refused"),
    bug("duplicate_guard_sees_approved_only", "P2", "an order whose payment waits or is in doubt can be charged again: two approved payments of one order"),
    bug("effect_before_commit", "P3", "a live request leaves before its start is on disk: after a kill in between the sale is called interrupted, and the card is charged"),
    bug("unlisted_code_as_decline", "P3", "an answer with a code on no list is shown as declined, while the acquirer has not decided"),
    bug("not_found_as_not_charged", "P3", "a live payment in doubt is asked after at once, and called not charged if it is not found or the question brings nothing, without closing the door to it: charged in the book"),
    bug("results_by_position", "P3", "results of a batch are matched by their place: one payment shows the answer of another"),
    bug("version_ignored", "P3", "a report that is older than the one known is taken for news: approved turns into being confirmed again"),
    bug("timeout_as_decline", "P3", "no answer while the customer waits is shown as declined: the card is charged"),
    bug("maybe_as_not_sent", "P3", "a line cut after the request counts as nothing sent: a live payment that the acquirer approved is saved offline too, or cancelled"),
    bug("in_progress_409_as_declined", "P3", "an acquirer that is still working on it counts as one that declined: not charged on the screen, approved in the book"),
    bug("unsigned_answer_believed", "P3", "answers about payments are believed without a signature: what a portal or a proxy says becomes the outcome"),
    bug("issuer_timeout_as_approval", "P3", "code 68, the issuer did not answer yet, is shown as approved: it may be declined later"),
    bug("partial_approval_as_full", "P3", "a partial approval shows the amount asked for, not what was approved"),
    bug("queue_cancelled_at_start", "P3", "a start cancels what waits to be sent: saved on the screen, not charged in the list"),
    bug("in_doubt_shown_as_approved", "P3", "a payment in doubt stands in the list as approved"),
    bug("reversal_unanswered_counts_as_done", "P3", "a reversal without an answer counts as done: not charged on the screen, approved in the book"),
    bug("too_late_reversal_as_done", "P3", "a reversal that came after the cut-off counts as done: not charged on the screen, captured in the book"),
    bug("second_end_undoes_payment", "P3", "the reader ends a payment once more, otherwise: told not charged, after it was told saved and while it is sent"),
    bug("link_lost_after_card_as_not_charged", "P3", "the link goes after the card was read: told not charged, and the payment takes its course"),
    bug("balance_not_updated_on_return", "P4", "a payout that the bank sends back stays on the bank's account: the balances are not those of the events, and a check says so"),
    bug("takings_not_moved", "P4", "a payment that changes its stage is added to the new sum and stays in the old one: the takings are more than the payments"),
    bug("payout_change_not_spread", "P4", "a payout's new state does not reach its payments: the list says scheduled or sent where the payout arrived or came back"),
    bug("live_resend_new_stan", "P4", "a live resend has another trace number: the acquirer's book and the screen name different ones, and the next sale collides"),
    bug("hash_of_previous_left_out", "P5", "an event's hash does not cover the one before: the chain does not compute"),
    bug("chain_restarts_after_reopen", "P5", "the first event of each run is chained to the beginning: the chain does not compute"),
    bug("tail_loss_unnoticed", "P5", "neither the witness beside the file nor the acquirer's is looked at: an older copy of the ledger opens as if nothing were missing"),
    bug("head_written_before_commit", "P5", "the witness is written before the commit: after a kill in between it speaks of events that never were, and history counts as lost"),
    bug("second_process_let_in", "P5", "the lock of the directory is not taken: a second process opens the same ledger"),
    bug("returned_payout_ignored", "P6", "a payout that the bank sent back is not written down: its payments stay arrived"),
    bug("sent_shown_as_arrived", "P6", "money that is on its way to the bank is shown as arrived, and nobody says so"),
    bug("reissue_not_followed", "P6", "a payout that was paid again does not give way to its reissue: returned on the screen, arrived at the bank"),
    bug("alert_before_verification", "P7", "news of payments and payouts are believed before their signatures are checked: alerts about what never happened"),
    bug("alert_key_too_narrow", "P7", "an alert is known by kind and version, not by what it is about: the second payout's is not told"),
    bug("acknowledged_alert_retold", "P7", "an acknowledgement is not kept: alerts the merchant has heard are shown again"),
    bug("overdue_never_told", "P7", "money that is late is not told"),
    bug("late_decline_not_told", "P7", "a decline after the customer has gone is not told"),
    bug("hint_followed_before_read", "P7", "the hints of the feed count as followed when the first of them is asked for: the news of the others, and of a lost answer, are read a day later at best"),
    bug("blob_kept", "P8", "the ciphertext of a payment that is answered stays in its table"),
    bug("erased_blob_stays_in_log", "P8", "the log is not emptied after an erasure: the ciphertext of payments that are answered stays in the files"),
    bug("secure_delete_off", "P8", "erased ciphertext is unlinked and not overwritten: it stays in the file"),
    bug("policy_by_optimistic_clock", "P9", "limits of age and validity are judged by the clock that makes things younger: a clock set back lets the till accept for ever"),
    bug("limit_count_off_by_one", "P9", "one payment more than the policy allows is accepted offline"),
    bug("limit_total_ignores_in_doubt", "P9", "payments under way or in doubt do not count as waiting: more is accepted offline than the policy allows"),
    bug("policy_expired_accepted", "P9", "a policy whose validity is over still allows offline acceptance"),
    bug("clock_age_ignored", "P9", "offline acceptance goes on however long the acquirer's clock was not heard"),
    bug("outbox_outside_transaction", "P10", "what is to be done is written after the commit: after a kill in between a saved payment is never sent"),
    bug("drain_restarted_by_sale", "P10", "a sale drops the batch under way: its answer is not heard, and its payments stay in sending until the app starts anew"),
    bug("reversal_forgotten_at_restart", "P10", "a payment begun before the last start is not undone any more: in doubt for ever"),
    bug("reversal_with_random_id", "P10", "each try of a reversal has an id of its own: the acquirer refuses all of them, and the payment stays in doubt"),
    bug("given_up_after_three_sends", "P10", "a payment whose third send brought no answer is not sent again and says nothing"),
    bug("ended_session_not_renewed", "P10", "a session that is over is never opened anew: nothing more is sent"),
    bug("parked_without_reason", "P10", "a payment that stands still shows neither cause nor next step"),
    bug("expired_by_wall_clock", "P10", "a wall clock set forward lets payments expire days before their deadline: never sent"),
    bug("entries_deduplicated_by_amount", "P11", "lines of a payout with equal amounts count as one: the payout is not the sum of its lines"),
    bug("fee_with_wrong_sign", "P11", "a line's fee is kept with the acquirer's sign: fees of a payout are not those of the book"),
    bug("event_kind_forgotten", "P12", "a kind of event is unknown to the opening: a ledger that has one opens read-only and asks for an upgrade"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn one_bug_is_planted_at_a_time_and_only_one_that_there_is() {
        assert!(!is("synchronous_normal"));
        plant(Some("synchronous_normal")).unwrap();
        assert!(is("synchronous_normal") && !is("second_process_let_in"));
        assert_eq!(plant(Some("none of this name")), Err(UnknownBug("none of this name".into())));
        assert!(is("synchronous_normal"), "nothing was changed");
        plant(None).unwrap();
        assert!(!is("synchronous_normal"));
    }

    #[test]
    fn every_bug_has_a_name_of_its_own_and_a_promise() {
        let names: BTreeSet<&str> = ALL.iter().map(|bug| bug.name).collect();
        assert_eq!(names.len(), ALL.len());
        let promises: BTreeSet<&str> = ALL.iter().map(|bug| bug.promise).collect();
        let twelve: BTreeSet<String> = (1..=12).map(|number| format!("P{number}")).collect();
        assert_eq!(promises, twelve.iter().map(String::as_str).collect());
    }
}
