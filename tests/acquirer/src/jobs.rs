//! Work that is due at an instant: cut-offs, payouts, the bank. Runs in order of time, then of planning.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate, NaiveTime};

use crate::instant::{at, local};
use crate::sandbox::Sandbox;

/// Something to do later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// Ends a batch date.
    CutOff(NaiveDate),
    /// Makes the payouts due on a day.
    PayoutRun(NaiveDate),
    /// Gives a payout to the bank.
    Send(String),
    /// The bank's turn with a payout that was sent.
    Bank(String),
    /// A late credit.
    Credit(String),
    /// The bank gives a credited payout back.
    Return(String),
    /// Makes a payout anew after it came back.
    Reissue(String),
    /// The final answer to a payment that was processing.
    Finalise { payment_id: String, code: String },
}

/// The queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jobs {
    queue: BTreeMap<(i64, u64), Job>,
    planned: u64,
}

impl Jobs {
    pub(crate) fn plan(&mut self, due_ms: i64, job: Job) {
        self.planned += 1;
        self.queue.insert((due_ms, self.planned), job);
    }

    fn pop_due(&mut self, until_ms: i64) -> Option<(i64, Job)> {
        let first = self.queue.first_entry()?;
        if first.key().0 > until_ms {
            return None;
        }
        let ((due_ms, _), job) = first.remove_entry();
        Some((due_ms, job))
    }

    /// When the next job is due.
    pub(crate) fn next_due_ms(&self) -> Option<i64> {
        self.queue.first_key_value().map(|((due_ms, _), _)| *due_ms)
    }

    /// Takes the planned cut-off out of the queue.
    fn take_cut_off(&mut self) -> Option<NaiveDate> {
        let (key, date) = self.queue.iter().find_map(|(key, job)| match job {
            Job::CutOff(date) => Some((*key, *date)),
            _ => None,
        })?;
        self.queue.remove(&key);
        Some(date)
    }
}

/// The step from a payout's making to its sending, and from there to the bank's turn: 30 minutes,
/// less if the day ends sooner (a payout made at the cut-off still arrives that day).
pub(crate) fn payout_step_ms(now_ms: i64) -> i64 {
    let midnight = at(local(now_ms).date() + Days::new(1), NaiveTime::MIN);
    ((midnight - now_ms) / 3).min(30 * 60_000)
}

/// When payouts are made.
pub(crate) fn payout_time() -> NaiveTime {
    NaiveTime::MIN + chrono::TimeDelta::minutes(9 * 60 + 30)
}

/// When the bank credits what is late.
pub(crate) fn bank_time() -> NaiveTime {
    NaiveTime::MIN + chrono::TimeDelta::minutes(10 * 60 + 30)
}

/// When the bank gives back what it had credited.
pub(crate) fn return_time() -> NaiveTime {
    NaiveTime::MIN + chrono::TimeDelta::minutes(15 * 60)
}

impl Sandbox {
    /// Plans the first cut-off and the first payout run after the start.
    pub(crate) fn plan_days(&mut self) {
        let now = local(self.now_ms);
        let cut_off = self.terms.current().cut_off();
        let first = |time: NaiveTime| if now.time() < time { now.date() } else { now.date() + Days::new(1) };
        self.jobs.plan(at(first(cut_off), cut_off), Job::CutOff(first(cut_off)));
        self.jobs.plan(at(first(payout_time()), payout_time()), Job::PayoutRun(first(payout_time())));
    }

    /// Moves the planned cut-off to the time of the terms in force.
    pub(crate) fn replan_cut_off(&mut self) {
        if let Some(date) = self.jobs.take_cut_off() {
            let due_ms = at(date, self.terms.current().cut_off()).max(self.now_ms);
            self.jobs.plan(due_ms, Job::CutOff(date));
        }
    }

    /// Runs everything due until `until_ms`, in order, then sets the time. Never goes back.
    pub(crate) fn advance(&mut self, until_ms: i64) {
        while let Some((due_ms, job)) = self.jobs.pop_due(until_ms) {
            self.now_ms = self.now_ms.max(due_ms);
            self.run(job);
        }
        self.now_ms = self.now_ms.max(until_ms);
        self.feeds.forget(self.now_ms);
    }

    fn run(&mut self, job: Job) {
        match job {
            Job::CutOff(date) => {
                self.cut_off(date);
                let next = date + Days::new(1);
                self.jobs.plan(at(next, self.terms.current().cut_off()), Job::CutOff(next));
            }
            Job::PayoutRun(date) => {
                self.make_payouts(date);
                let next = date + Days::new(1);
                self.jobs.plan(at(next, payout_time()), Job::PayoutRun(next));
            }
            Job::Send(payout_id) => self.send_payout(&payout_id),
            Job::Bank(payout_id) => self.bank_acts(&payout_id),
            Job::Credit(payout_id) => self.credit(&payout_id),
            Job::Return(payout_id) => self.give_back(&payout_id),
            Job::Reissue(payout_id) => self.reissue(&payout_id),
            Job::Finalise { payment_id, code } => self.finalise(&payment_id, &code),
        }
    }
}
