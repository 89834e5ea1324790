//! What was heard of a day, put where each judge finds it.

use std::collections::BTreeMap;

use serde_json::Value;
use takings_till::ChargeOutcome;
use takings_till::views::{
    AlertView, PaymentDetail, PaymentView, PayoutDetail, StatusView, TakingsLine, TimelineEntry,
};

use super::time::MINUTE_MS;
use crate::record::{Deed, RawEvent, Tap};

/// How a charge was begun.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    pub(super) at_ms: i64,
    pub(super) amount_minor: i64,
    pub(super) order: Option<String>,
}

/// One payment, as its merchant knows it.
#[derive(Debug, Clone, Default)]
pub(super) struct Sale {
    pub(super) begun: Option<Begun>,
    /// What the screen said of the charge; the same words in a row once.
    pub(super) told: Vec<(i64, ChargeOutcome)>,
    /// The merchant asked for it, whatever was answered.
    pub(super) cancel_asked: bool,
    pub(super) cancelled_ms: Option<i64>,
    /// How it looked in lists; the same look in a row once.
    pub(super) shown: Vec<(i64, PaymentView)>,
    /// Until when each of these looks was seen last.
    shown_until_ms: Vec<i64>,
    /// Its history as it was listed last.
    pub(super) timeline: Vec<TimelineEntry>,
    /// When a list held it last.
    pub(super) listed_ms: Option<i64>,
}

impl Sale {
    /// A list holds it so.
    pub(super) fn look(&mut self, at_ms: i64, view: &PaymentView) {
        if self.last_look() == Some(view)
            && let Some(until_ms) = self.shown_until_ms.last_mut()
        {
            *until_ms = at_ms;
        } else {
            self.shown.push((at_ms, view.clone()));
            self.shown_until_ms.push(at_ms);
        }
    }

    pub(super) fn last_look(&self) -> Option<&PaymentView> {
        self.shown.last().map(|(_, view)| view)
    }

    pub(super) fn told_when(&self, wanted: impl Fn(&ChargeOutcome) -> bool) -> Option<i64> {
        self.told.iter().find(|(_, outcome)| wanted(outcome)).map(|(at_ms, _)| *at_ms)
    }

    /// When the screen said *saved* first.
    pub(super) fn saved_ms(&self) -> Option<i64> {
        self.told_when(|outcome| *outcome == ChargeOutcome::Saved)
    }

    pub(super) fn approved(&self) -> Option<(i64, i64)> {
        self.told.iter().find_map(|(at_ms, outcome)| match outcome {
            ChargeOutcome::Approved { approved_minor } => Some((*at_ms, *approved_minor)),
            _ => None,
        })
    }

    /// When the screen said *not charged* first.
    pub(super) fn not_charged_ms(&self) -> Option<i64> {
        self.told_when(|outcome| matches!(outcome, ChargeOutcome::NotCharged { .. }))
    }

    /// Whether an event of this kind is in its history.
    pub(super) fn has(&self, kind: &str) -> bool {
        self.timeline.iter().any(|entry| entry.kind == kind)
    }

    /// The first event of this kind.
    pub(super) fn first(&self, kind: &str) -> Option<&TimelineEntry> {
        self.timeline.iter().find(|entry| entry.kind == kind)
    }

    /// When anything was known of it first.
    pub(super) fn since_ms(&self) -> i64 {
        let begun = self.begun.as_ref().map(|begun| begun.at_ms);
        begun.or(self.shown.first().map(|(at_ms, _)| *at_ms)).unwrap_or(i64::MIN)
    }
}

/// An alert as it was shown first.
#[derive(Debug, Clone)]
pub(super) struct ShownAlert {
    pub(super) first_ms: i64,
    pub(super) view: AlertView,
}

/// What was shown last of one kind, and at which place in the order of everything shown.
#[derive(Debug, Clone)]
pub(super) struct Look<T> {
    pub(super) at_ms: i64,
    pub(super) place: u64,
    pub(super) seen: T,
}

/// One phone and the merchant before it.
#[derive(Debug, Default)]
pub(super) struct Phone {
    /// Every terminal it was, the newest last.
    pub(super) terminals: Vec<String>,
    pub(super) sales: BTreeMap<String, Sale>,
    /// Rows of its ledger as they were read last.
    pub(super) rows: Vec<RawEvent>,
    pub(super) deeds: Vec<(i64, Deed)>,
    pub(super) payments: Option<Look<Vec<PaymentDetail>>>,
    pub(super) payouts: Option<Look<Vec<PayoutDetail>>>,
    /// Each payout's looks, with when they were seen first.
    pub(super) payout_looks: BTreeMap<String, Vec<(i64, PayoutDetail)>>,
    pub(super) takings: Option<Look<Vec<TakingsLine>>>,
    pub(super) status: Option<Look<StatusView>>,
    /// Policy versions the till named, and since when; the same in a row once.
    pub(super) policies: Vec<(i64, Option<String>)>,
    pub(super) alerts: BTreeMap<u64, ShownAlert>,
    pub(super) acknowledged: u64,
    /// When alerts were listed last.
    pub(super) alerts_ms: i64,
    /// When its rows were read last, milliseconds UTC.
    pub(super) rows_ms: i64,
    /// The largest event number a screen named.
    pub(super) shown_seq: u64,
    /// When payments were listed.
    pub(super) lists: Vec<i64>,
    /// Ends of contacts.
    pub(super) synced: Vec<(i64, String)>,
    /// The disk is full, or fails.
    pub(super) disk_full: bool,
    pub(super) disk_fails: bool,
    /// The disk was out of order until then, milliseconds UTC.
    pub(super) disk_bad_until_ms: Option<i64>,
    /// History that was seen is gone, excused by an older copy.
    pub(super) history_lost_ms: Option<i64>,
    /// Somebody outside the copy knows of it: the witness beside the ledger, or the acquirer since a sign-on.
    pub(super) loss_is_witnessed: bool,
    /// The till said so since.
    pub(super) loss_noticed: bool,
    /// Pieces of what the reader gave out.
    pub(super) ciphertexts: Vec<(String, Vec<u8>)>,
    /// How many lists and sums were shown.
    pub(super) places: u64,
    /// How many charges were refused.
    pub(super) refusals: u32,
}

impl Phone {
    pub(super) fn terminal(&self) -> Option<&str> {
        self.terminals.last().map(String::as_str)
    }

    pub(super) fn sale(&mut self, payment: &str) -> &mut Sale {
        self.sales.entry(payment.to_owned()).or_default()
    }

    /// Older copies of its files that were put back: when each was made, and when it was put back. The oldest first.
    pub(super) fn copies(&self) -> impl DoubleEndedIterator<Item = (i64, i64)> {
        self.deeds.iter().filter_map(|(back_ms, deed)| match deed {
            Deed::OlderCopy { of_ms } => Some((*of_ms, *back_ms)),
            _ => None,
        })
    }

    /// What it learnt at this moment, an older copy does not know.
    pub(super) fn forgot(&self, at_ms: i64) -> bool {
        self.copies().any(|(of_ms, back_ms)| (of_ms..=back_ms).contains(&at_ms))
    }

    /// Something that was said of a sale, an older copy does not know: what became of it may differ for ever.
    pub(super) fn forgot_of(&self, sale: &Sale) -> bool {
        let told = sale.told.iter().map(|(when, _)| *when);
        told.chain([sale.since_ms()]).chain(sale.cancelled_ms).any(|when| self.forgot(when))
    }

    /// An older copy was put back between these moments.
    pub(super) fn was_copied_between(&self, from_ms: i64, to_ms: i64) -> bool {
        self.copies().any(|(_, back_ms)| (from_ms..=to_ms).contains(&back_ms))
    }

    /// When an older copy was put back last, milliseconds UTC; the earliest time if none was.
    pub(super) fn last_copy_ms(&self) -> i64 {
        self.copies().next_back().map_or(i64::MIN, |(_, back_ms)| back_ms)
    }

    /// When the older copy before the newest one was put back, milliseconds UTC; the earliest time if there was none.
    pub(super) fn last_copy_but_one_ms(&self) -> i64 {
        self.copies().rev().nth(1).map_or(i64::MIN, |(_, back_ms)| back_ms)
    }

    /// Another boot than before, by this moment: the monotonic clock began anew.
    pub(super) fn booted_by(&self, at_ms: i64) -> bool {
        let boots = |deed: &Deed| matches!(deed, Deed::PowerCut | Deed::Restarted | Deed::OlderCopy { .. });
        self.deeds.iter().any(|(when, deed)| *when <= at_ms && boots(deed))
    }

    /// Its wall clock was set by this moment.
    pub(super) fn clock_set_by(&self, at_ms: i64) -> bool {
        self.deeds.iter().any(|(when, deed)| *when <= at_ms && matches!(deed, Deed::ClockSet { .. }))
    }

    /// Beside the newest older copy today's witness stayed.
    pub(super) fn witness_stayed(&self) -> bool {
        let since = self.deeds.iter().rposition(|(_, deed)| matches!(deed, Deed::OlderCopy { .. })).unwrap_or(0);
        self.deeds.iter().skip(since).any(|(_, deed)| *deed == Deed::WitnessStayed)
    }

    /// Something of this kind was done to it.
    pub(super) fn ever(&self, wanted: impl Fn(&Deed) -> bool) -> bool {
        self.deeds.iter().any(|(_, deed)| wanted(deed))
    }

    /// By how much its wall clock was wrong then, milliseconds.
    pub(super) fn clock_offset_ms(&self, at_ms: i64) -> i64 {
        let moved = self.deeds.iter().filter(|(when, _)| *when <= at_ms).map(|(_, deed)| deed);
        moved.map(|deed| if let Deed::ClockSet { by_ms } = deed { *by_ms } else { 0 }).sum()
    }

    /// A charge may have been written down though nobody was told: somebody died, or the disk failed, in between.
    pub(super) fn was_interrupted(&self) -> bool {
        self.refusals > 0
            || self.ever(|deed| {
                matches!(deed, Deed::Killed | Deed::PowerCut | Deed::Restarted | Deed::DiskFails(_) | Deed::DiskFull(_))
            })
    }

    /// The disk is out of order, or was a few minutes ago.
    pub(super) fn disk_was_bad(&self, at_ms: i64) -> bool {
        self.disk_is_bad() || self.disk_bad_until_ms.is_some_and(|until_ms| at_ms <= until_ms + 15 * MINUTE_MS)
    }

    pub(super) fn disk_is_bad(&self) -> bool {
        self.disk_full || self.disk_fails
    }

    /// The next place in the order of what this phone showed.
    pub(super) fn place(&mut self) -> u64 {
        self.places += 1;
        self.places
    }
}

/// Everything heard.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) merchant_of: Vec<usize>,
    pub(super) phones: Vec<Phone>,
    /// What phones knew as another terminal before.
    pub(super) former: Vec<(usize, String, BTreeMap<String, Sale>)>,
    pub(super) taps: BTreeMap<String, Vec<Tap>>,
    /// Every payment id, and the phone it was begun at.
    pub(super) begun_at: BTreeMap<String, usize>,
    /// Restores of the acquirer: the state it has again, and when.
    pub(super) rollbacks: Vec<(i64, i64)>,
    /// Policies and since when, each laid over the one before.
    pub(super) policies: Vec<(i64, Value)>,
    pub(super) healed_ms: Option<i64>,
}

impl Facts {
    pub(super) fn new(phones: usize, merchant_of: Vec<usize>) -> Self {
        Self { merchant_of, phones: (0..phones).map(|_| Phone::default()).collect(), ..Self::default() }
    }

    pub(super) fn terminal(&mut self, phone: usize, terminal_id: &str) {
        let Some(known) = self.phones.get_mut(phone) else { return };
        if known.terminal() == Some(terminal_id) {
            return;
        }
        if let Some(old) = known.terminals.last().cloned() {
            // A new beginning on the same phone: what it was before is judged by the books alone.
            let before = std::mem::take(known);
            self.former.push((phone, old, before.sales));
            known.terminals = before.terminals;
            known.deeds = before.deeds;
            known.ciphertexts = before.ciphertexts;
        }
        known.terminals.push(terminal_id.to_owned());
    }

    pub(super) fn deed(&mut self, at_ms: i64, phone: Option<usize>, deed: Deed) {
        match (&deed, phone) {
            (Deed::Policy(members), _) => self.policies.push((at_ms, members.clone())),
            (Deed::Healed, _) => self.healed_ms = Some(at_ms),
            (Deed::AcquirerRestored { of_ms }, _) => self.rollbacks.push((*of_ms, at_ms)),
            _ => {}
        }
        if let Some(known) = phone.and_then(|phone| self.phones.get_mut(phone)) {
            match deed {
                Deed::DiskFull(full) => known.disk_full = full,
                Deed::DiskFails(fails) => known.disk_fails = fails,
                Deed::OlderCopy { .. } => {
                    known.alerts.clear();
                    known.acknowledged = 0;
                    known.shown_seq = 0;
                    known.loss_noticed = false;
                    known.loss_is_witnessed = false;
                }
                _ => {}
            }
            if matches!(deed, Deed::DiskFull(_) | Deed::DiskFails(_)) {
                known.disk_bad_until_ms = Some(at_ms);
            }
            known.deeds.push((at_ms, deed));
        }
    }

    /// What the acquirer forgot when it was restored may differ for ever: something became known of it, or may have,
    /// between the backup and the restore.
    pub(super) fn forgotten(&self, sale: &Sale) -> bool {
        self.rollbacks.iter().any(|(of_ms, at_ms)| {
            let within = |from_ms: i64, to_ms: i64| from_ms <= *at_ms && *of_ms <= to_ms;
            let mut known_ms = sale.since_ms();
            let changed = sale.shown.iter().zip(&sale.shown_until_ms).any(|((when, _), until_ms)| {
                let before_ms = std::mem::replace(&mut known_ms, *until_ms);
                within(before_ms, *when)
            });
            let begun_ms = sale.since_ms();
            changed || within(begun_ms, begun_ms) || sale.told.iter().any(|(when, _)| within(*when, *when))
        })
    }

    /// Something that a screen showed anew at these moments, in order, may have been told between a backup and its restore.
    pub(super) fn may_have_forgotten(&self, mut shown_ms: impl Iterator<Item = i64>) -> bool {
        let Some(first_ms) = shown_ms.next() else { return false };
        let last_ms = shown_ms.last().unwrap_or(first_ms);
        self.rollbacks.iter().any(|(of_ms, at_ms)| first_ms <= *at_ms && *of_ms <= last_ms)
    }

    /// When the acquirer was restored from a backup last, milliseconds UTC; the earliest time if it never was.
    pub(super) fn restored_ms(&self) -> i64 {
        self.rollbacks.iter().map(|(_, at_ms)| *at_ms).max().unwrap_or(i64::MIN)
    }

    /// The taps of a payment's card.
    pub(super) fn taps_of(&self, payment: &str) -> &[Tap] {
        self.taps.get(payment).map_or(&[], Vec::as_slice)
    }

    /// Every sale of every phone, former lives included: phone, terminal and id first.
    pub(super) fn all_sales(&self) -> impl Iterator<Item = (usize, &str, &Sale)> {
        let now = self
            .phones
            .iter()
            .enumerate()
            .flat_map(|(phone, known)| known.sales.iter().map(move |(id, sale)| (phone, id.as_str(), sale)));
        let before = self
            .former
            .iter()
            .flat_map(|(phone, _, sales)| sales.iter().map(move |(id, sale)| (*phone, id.as_str(), sale)));
        now.chain(before)
    }

    /// The phone that is, or was, this terminal.
    pub(super) fn phone_of(&self, terminal_id: &str) -> Option<usize> {
        self.phones.iter().position(|phone| phone.terminals.iter().any(|known| known == terminal_id))
    }
}
