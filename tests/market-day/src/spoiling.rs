//! A bad line: what goes wrong, chosen by the seed, and what in truth went wrong, as the acquirer and the relay say.

use std::collections::BTreeMap;

use relay::Mode;
use serde_json::{Value, json};

use crate::args::Faults;
use crate::day::Day;
use crate::error::{About, DayError};
use crate::screen::Look;
use crate::script::Head;
use crate::stream::Stream;
use crate::telling::text;
use crate::words::{Say as _, Spoilt};

/// The second evening: only there the line breaks by itself.
const SECOND_EVENING: u32 = 1;
/// The morning on which the first payout is read.
const READING: u32 = 2;

impl Day {
    /// Plants the faults of this evening (or morning), once. Before the line is back: what the till then does by itself
    /// meets them, too.
    pub(crate) fn spoil(&mut self, when: u32) -> Result<(), DayError> {
        let head = &self.script.head;
        if head.faults == Faults::None || self.journal.spoilt.contains(&when) {
            return Ok(());
        }
        let faults = plan(head, when);
        self.acquirer.start(self.now_ms)?;
        self.acquirer.admin("DELETE", "/admin/faults", None)?;
        for fault in faults {
            self.acquirer.admin("POST", "/admin/faults", Some(&fault))?;
        }
        self.journal.spoilt(when)
    }

    /// The evening is over: what did not go wrong by now does not go wrong tomorrow.
    pub(crate) fn mend(&mut self) -> Result<(), DayError> {
        if self.script.head.faults == Faults::Market {
            self.acquirer.admin("DELETE", "/admin/faults", None)?;
        }
        Ok(())
    }

    /// On the second evening the line itself breaks in the middle of an answer, once.
    pub(crate) fn weaken_line(&mut self) -> Result<(), DayError> {
        let Some(relay) = &self.relay else { return Ok(()) };
        let second = self.journal.spoilt.contains(&SECOND_EVENING) && !self.journal.spoilt.contains(&READING);
        if second && self.journal.cuts.is_empty() {
            let mut chance = Stream::new(self.script.head.seed, "the line breaks");
            // The feed is read in every contact, so that one of the two always comes by.
            let at = [("POST", "/v1/payments/batch"), ("GET", "/v1/events")];
            relay.aim(if chance.one_in(2) { &at } else { &at[1..] });
            let after_bytes = usize::try_from(chance.between(1, 240)).unwrap_or(1);
            relay.set_mode(Mode::CutAnswer { after_bytes, times: 1 }).about("the relay")?;
        }
        Ok(())
    }

    /// Looks what went wrong since the last look: writes down what the relay did, and tells all of it.
    pub(crate) fn tell_faults(&mut self) -> Result<(), DayError> {
        if self.script.head.faults == Faults::None {
            return Ok(());
        }
        let cut = self.relay.iter().flat_map(relay::Relay::seen).find(|exchange| exchange.cut);
        if let Some(cut) = cut.filter(|_| self.journal.cuts.is_empty()) {
            let mut words = cut.request_line.split([' ', '?']);
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            self.journal.line_was_cut(&json!({"kind": "cut_answer", "method": method, "path": path}))?;
            self.tell_fault("cut_answer");
        }
        if !self.acquirer.is_up() {
            return Ok(());
        }
        let known = self.acquirer.admin("GET", "/admin/faults", None)?;
        let fired = known["fired"].as_array().map_or(&[][..], Vec::as_slice);
        let told = self.faults_told.replace(fired.len());
        for fault in fired.iter().skip(told.unwrap_or(fired.len())) {
            self.tell_fault(text(fault, "kind"));
        }
        Ok(())
    }

    fn tell_fault(&mut self, kind: &str) {
        if let Some(spoilt) = Spoilt::from_kind(kind) {
            let text = spoilt.say(self.screen.language());
            self.screen.event(self.now_ms, Look::Warn, "≈", text);
        }
    }

    /// What went wrong on the line, counted: the acquirer's own log, and the relay's.
    pub(crate) fn faults(&self, ledger: &Value) -> Value {
        let fired = ledger["faults_fired"].as_array().map_or(&[][..], Vec::as_slice);
        let by_acquirer = fired.iter().map(|fault| ("acquirer", fault));
        let by_relay = self.journal.cuts.iter().map(|cut| ("relay", cut));
        let mut counts: BTreeMap<(&str, &str, String), u64> = BTreeMap::new();
        for (by, fault) in by_acquirer.chain(by_relay) {
            let path = format!("{} {}", text(fault, "method"), text(fault, "path"));
            *counts.entry((by, text(fault, "kind"), path)).or_default() += 1;
        }
        let line = |((by, kind, path), count)| json!({"by": by, "kind": kind, "path": path, "count": count});
        counts.into_iter().map(line).collect()
    }
}

impl Spoilt {
    fn from_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "drop_request" => Self::RequestLost,
            "drop_answer" => Self::AnswerLost,
            "half_answer" => Self::HalfAnswer,
            "status" => Self::Busy,
            "wrong_signature" => Self::WrongSignature,
            "duplicate" => Self::Duplicate,
            "cut_answer" => Self::LineBreaks,
            _ => return None,
        })
    }
}

/// The faults of an evening or a morning. Over a whole day each kind comes at least once; where, when and in which order
/// is left to the seed.
///
/// What is planted first fires first. A batch is sent again after a request that never took effect, so those come first;
/// after one that did, the feed may tell the till before it asks again, so each evening's batches end with one such. The
/// rest hits whatever comes by: no contact is over before all of it has.
fn plan(head: &Head, when: u32) -> Vec<Value> {
    let mut chance = Stream::new(head.seed, "faults");
    let mut without_effect = vec![
        json!({"kind": "drop_request"}),
        json!({"kind": "status", "status": 503, "retry_after_s": chance.between(5, 30)}),
        json!({"kind": "status", "status": if chance.one_in(2) { 500 } else { 429 }}),
    ];
    let mut with_effect = vec![
        json!({"kind": "drop_answer"}),
        json!({"kind": "half_answer"}),
        json!({"kind": "wrong_signature"}),
        json!({"kind": "duplicate"}),
    ];
    let any = [&without_effect[..], &with_effect[..3]].concat();
    chance.shuffle(&mut without_effect);
    chance.shuffle(&mut with_effect);
    if when == READING {
        let on = chance.pick(&["GET /v1/payouts/*", "GET /v1/payouts/*/entries", "GET /v1/events"]).copied();
        return vec![planted(pick(&any, &mut chance), on.unwrap_or("GET /v1/events"))];
    }
    let first = usize::try_from(chance.between(1, 2)).unwrap_or(1);
    let (batch, anywhere) = if when == 0 {
        (&without_effect[..first], &with_effect[1..2])
    } else {
        (&without_effect[first..], &with_effect[3..])
    };
    let last = if when == 0 { &with_effect[0] } else { &with_effect[2] };
    let on_batches = batch.iter().chain([last]).map(|fault| planted(fault.clone(), "POST /v1/payments/batch"));
    let mut faults: Vec<Value> = on_batches.collect();
    if when == 0 {
        faults.push(planted(while_the_customer_waits(&any, &mut chance), "POST /v1/payments"));
    }
    faults.extend(anywhere.iter().map(|fault| planted(fault.clone(), "*")));
    faults
}

fn planted(mut fault: Value, on: &str) -> Value {
    fault["on"] = json!(on);
    if fault.get("count").is_none() {
        fault["count"] = json!(1);
    }
    fault
}

fn pick(of: &[Value], chance: &mut Stream) -> Value {
    chance.pick(of).cloned().unwrap_or_default()
}

/// What happens to the customer who comes while the queue waits; once in four days the answer stays away for longer than
/// anybody waits.
fn while_the_customer_waits(any: &[Value], chance: &mut Stream) -> Value {
    if chance.one_in(4) { json!({"kind": "drop_answer", "count": 1_000}) } else { pick(any, chance) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::script::Script;

    fn kinds(seed: u64, when: u32) -> Vec<String> {
        let head = Script::invent(seed, 72, Faults::Market, true, true).head;
        plan(&head, when).iter().map(|fault| text(fault, "kind").to_owned()).collect()
    }

    #[test]
    fn a_day_has_every_kind_and_no_two_days_are_alike() {
        let mut days = BTreeSet::new();
        for seed in 1..=40 {
            let day = [kinds(seed, 0), kinds(seed, 1), kinds(seed, 2)];
            for kind in ["drop_request", "drop_answer", "half_answer", "wrong_signature", "status", "duplicate"] {
                assert!(day.iter().flatten().any(|has| has == kind), "seed {seed} has no {kind}");
            }
            assert!(day.iter().all(|part| !part.is_empty()), "seed {seed}");
            days.insert(day);
        }
        assert!(days.len() > 35, "{}", days.len());
    }
}
