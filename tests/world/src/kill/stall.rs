//! A stall for a day: an acquirer, a till that is killed, and a merchant who goes on after each kill and looks an order up
//! before charging it again.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::acquirer::Acquirer;
use super::card_data;
use super::judge::{self, Verdict};
use super::till::{Dies, Heard, Start, Till};
use super::{About as _, Asked, KillError, Programs, Trouble};

/// Saturday 2026-11-21, 08:00 in Shanghai.
const START_MS: i64 = 1_795_219_200_000;
const DAY_MS: i64 = 86_400_000;
/// Between a death and the next start.
const RESTART_MS: i64 = 5_000;
/// So often time passes until every payment has its answer.
const MOST_ROUNDS: u32 = 90;

/// A sale.
#[derive(Debug, Clone)]
pub(super) struct Customer {
    pub(super) order: String,
    pub(super) amount_minor: i64,
    pub(super) first: &'static str,
    pub(super) last_four: String,
    pub(super) mode: &'static str,
    /// Where the till stands still in this charge, and is killed.
    pub(super) dies_at: Option<&'static str>,
}

/// What a merchant does.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    Activate,
    SignOn,
    Charge(Customer),
    Sync,
    Acknowledge,
    Background,
    /// Time passes at both ends, milliseconds.
    Pass(i64),
}

/// See the module.
pub(super) struct Stall<'a> {
    asked: &'a Asked,
    programs: &'a Programs,
    dir: TempDir,
    pub(super) acquirer: Acquirer,
    code: Value,
    till: Option<Till>,
    now_ms: i64,
    seed: u64,
    charging: bool,
    said: BTreeSet<String>,
    verdict: Verdict,
}

/// Plays a day and judges it. `name` is how a report names it.
pub(super) fn day<'a>(
    asked: &'a Asked,
    programs: &'a Programs,
    name: &str,
    seed: u64,
    play: impl FnOnce(&mut Stall<'a>) -> Result<(), Trouble>,
) -> Result<Verdict, KillError> {
    let mut stall = Stall::new(asked, programs, seed)?;
    match play(&mut stall).and_then(|()| stall.close()) {
        Err(Trouble::Failed(error)) => return Err(error),
        Err(Trouble::Wrong(what)) => stall.verdict.wrong.push(what),
        Ok(()) => {}
    }
    let Stall { dir, verdict, .. } = &mut stall;
    if !verdict.wrong.is_empty() {
        dir.disable_cleanup(true);
        let place = dir.path().display();
        verdict.wrong.iter_mut().for_each(|line| *line = format!("{name}, in {place}: {line}"));
    }
    Ok(std::mem::take(verdict))
}

impl<'a> Stall<'a> {
    fn new(asked: &'a Asked, programs: &'a Programs, seed: u64) -> Result<Self, KillError> {
        let place = asked.dir.clone().unwrap_or_else(std::env::temp_dir);
        let dir = tempfile::Builder::new().prefix("takings-kill-").tempdir_in(place).about("a place for the till")?;
        let acquirer = Acquirer::start(programs, dir.path(), seed, START_MS)?;
        let mut issued = acquirer.admin("POST", "/admin/activation-codes", &json!({}))?;
        let code = issued.get_mut("activation_code").map(Value::take).unwrap_or_default();
        Ok(Self {
            asked,
            programs,
            dir,
            acquirer,
            code,
            till: None,
            now_ms: START_MS,
            seed,
            charging: false,
            said: BTreeSet::new(),
            verdict: Verdict::default(),
        })
    }

    /// Starts the till, under another program or soon to be killed if wanted; false if it died while it opened.
    pub(super) fn open(&mut self, under: &[OsString], dies: Option<Dies>) -> Result<bool, Trouble> {
        let dir = self.dir.path().join("till");
        let how = Start {
            program: &self.programs.till,
            dir: &dir,
            url: &self.acquirer.url,
            now_ms: self.now_ms,
            seed: self.seed,
            key: self.asked.key.as_deref(),
            under,
            dies,
        };
        let (till, open) = Till::start(&how)?;
        self.till = Some(till);
        if !open {
            self.verdict.kills_while_opening += 1;
            self.bury()?;
        }
        Ok(open)
    }

    /// Starts the till again after a death, some seconds later, and holds the ledger against what was said.
    pub(super) fn open_again(&mut self, dies: Option<Dies>) -> Result<bool, Trouble> {
        self.now_ms += RESTART_MS;
        self.acquirer.clock(self.now_ms)?;
        self.look_at_the_dead()?;
        if !self.open(&[], dies)? {
            return Ok(false);
        }
        let Some(payments) = self.everything()? else { return Ok(false) };
        let lost: Vec<&String> = self.said.iter().filter(|id| !payments.contains_key(*id)).collect();
        if lost.is_empty() { Ok(true) } else { Err(Trouble::Wrong(format!("said saved, not in the ledger: {lost:?}"))) }
    }

    /// What a dead till leaves is looked at before the next one touches it.
    fn look_at_the_dead(&mut self) -> Result<(), Trouble> {
        let dir = self.dir.path().join("till");
        if self.asked.key.is_some() || !dir.exists() {
            return Ok(());
        }
        let found = card_data::files_with_ciphertext(&dir).about("the till's files")?;
        self.verdict.with_ciphertext += u32::from(!found.is_empty());
        match card_data::seen_in_the_ledger(&dir.join("ledger")) {
            Ok(seen) if seen.wrong.is_empty() => {
                self.verdict.waiting_at_death += seen.waiting as u64;
                Ok(())
            }
            Ok(seen) => Err(Trouble::Wrong(seen.wrong.join("; "))),
            Err(error) => Err(Trouble::Wrong(format!("the files of a dead till cannot be read: {error}"))),
        }
    }

    /// Does it; false if the till died on the way. Also a dead till's time passes.
    pub(super) fn perform(&mut self, deed: &Deed) -> Result<bool, Trouble> {
        let command = match deed {
            Deed::Activate => json!({"cmd": "activate", "code": self.code}),
            Deed::SignOn => json!({"cmd": "sign_on"}),
            Deed::Sync => json!({"cmd": "sync"}),
            Deed::Background => json!({"cmd": "background"}),
            Deed::Charge(customer) => return self.serve(customer),
            Deed::Acknowledge => return self.acknowledge(),
            Deed::Pass(ms) => {
                self.now_ms += ms;
                self.acquirer.clock(self.now_ms)?;
                json!({"cmd": "advance", "ms": ms})
            }
        };
        let Some(answer) = self.ask(&command)? else { return Ok(false) };
        // An answer that was on disk before the death is not asked for twice.
        let done = answer["ok"] == true || answer["error"]["code"] == "already_activated";
        // Without a line these come to nothing, in order.
        let excused =
            matches!(deed, Deed::Activate | Deed::SignOn | Deed::Sync) && answer["error"]["kind"] == "retry_later";
        if done || excused { Ok(true) } else { Err(Trouble::Wrong(format!("{deed:?}: {answer}"))) }
    }

    fn serve(&mut self, customer: &Customer) -> Result<bool, Trouble> {
        let Some(found) = self.ask(&json!({"cmd": "find", "order": customer.order}))? else { return Ok(false) };
        let before = found["payments"].as_array().into_iter().flatten();
        if before.into_iter().any(|payment| payment["stage"] != "not_charged") {
            return Ok(true);
        }
        let card = json!({"first": customer.first, "last_four": customer.last_four});
        self.charging = true;
        let answer = self
            .ask(&json!({"cmd": "charge", "amount_minor": customer.amount_minor, "order": customer.order,
            "mode": customer.mode, "card": card, "hold_at": customer.dies_at}))?;
        self.charging = false;
        match answer {
            None => Ok(false),
            Some(answer) if answer["ok"] == true || answer["error"]["kind"] == "ask_merchant" => Ok(true),
            Some(answer) => Err(Trouble::Wrong(format!("{customer:?}: {answer}"))),
        }
    }

    fn acknowledge(&mut self) -> Result<bool, Trouble> {
        let Some(heard) = self.ask(&json!({"cmd": "alerts"}))? else { return Ok(false) };
        let last = heard["alerts"].as_array().and_then(|alerts| alerts.last()?["alert"].as_u64());
        match last {
            Some(upto) => Ok(self.ask(&json!({"cmd": "acknowledge", "upto": upto}))?.is_some()),
            None => Ok(true),
        }
    }

    /// All payments the till knows; none if it died.
    fn everything(&mut self) -> Result<Option<BTreeMap<String, Value>>, Trouble> {
        let (mut found, mut after) = (BTreeMap::new(), Value::Null);
        loop {
            let Some(mut page) = self.ask(&json!({"cmd": "payments", "limit": 200, "after": after}))? else {
                return Ok(None);
            };
            let Some(payments) = page.get_mut("payments").and_then(Value::as_array_mut) else {
                return Err(Trouble::Wrong(format!("payments: {page}")));
            };
            for payment in payments.drain(..) {
                found.insert(payment["payment_id"].as_str().unwrap_or_default().to_owned(), payment);
            }
            after = page["next"].take();
            if after.is_null() {
                return Ok(Some(found));
            }
        }
    }

    /// The till's answer; none if it died, and then it is buried.
    fn ask(&mut self, command: &Value) -> Result<Option<Value>, Trouble> {
        let Some(till) = self.till.as_mut() else { return Ok(None) };
        match till.ask(command)? {
            Heard::Answer(answer) => Ok(Some(answer)),
            Heard::Dead => {
                self.verdict.kills_while_charging += u32::from(self.charging);
                self.charging = false;
                self.bury()?;
                Ok(None)
            }
        }
    }

    fn bury(&mut self) -> Result<(), Trouble> {
        let Some(mut till) = self.till.take() else { return Ok(()) };
        self.said.append(&mut till.saved.drain(..).collect());
        if !till.bury()? {
            return Err(Trouble::Wrong("the till ended by itself".to_owned()));
        }
        self.verdict.kills += 1;
        Ok(())
    }

    /// Ends the till in order, if it is not dead: it is not killed any more.
    pub(super) fn close_till(&mut self) -> Result<(), Trouble> {
        if self.till.is_some() && self.ask(&json!({"cmd": "shutdown"}))?.is_some() {
            self.let_go()?;
        }
        Ok(())
    }

    fn let_go(&mut self) -> Result<(), Trouble> {
        let Some(mut till) = self.till.take() else { return Ok(()) };
        self.said.append(&mut till.saved.drain(..).collect());
        let killed = till.bury()?;
        self.verdict.kills += u32::from(killed);
        Ok(())
    }

    pub(super) fn kill_acquirer(&mut self) -> Result<(), KillError> {
        self.verdict.acquirer_kills += 1;
        self.acquirer.kill()
    }

    /// No more kills: everything comes to its answer, two days pass, and both books are compared.
    fn close(&mut self) -> Result<(), Trouble> {
        self.close_till()?;
        if !self.open_again(None)? {
            return Err(Trouble::Wrong("the till died by itself".to_owned()));
        }
        self.perform(&Deed::Activate)?;
        self.drain()?;
        // Past two cut-offs: a second capture would show.
        self.perform(&Deed::Pass(2 * DAY_MS))?;
        self.perform(&Deed::Sync)?;
        let report = self.ask(&json!({"cmd": "verify"}))?.unwrap_or_default()["report"].take();
        if report["sound"] != true || report["missing_events"] != 0 {
            self.verdict.wrong.push(format!("the ledger does not verify: {report}"));
        }
        let payments = self.everything()?.unwrap_or_default();
        self.perform(&Deed::Background)?;
        self.close_till()?;
        let left = card_data::files_with_ciphertext(&self.dir.path().join("till")).about("the till's files")?;
        if !left.is_empty() {
            self.verdict.wrong.push(format!("everything is answered, and card data lies in {left:?}"));
        }
        judge::judge(&self.said, &payments, &self.acquirer.book()?, &mut self.verdict);
        Ok(())
    }

    fn drain(&mut self) -> Result<(), Trouble> {
        for _ in 0..MOST_ROUNDS {
            self.perform(&Deed::Sync)?;
            self.perform(&Deed::Pass(10_000))?;
            let waiting =
                |payment: &Value| ["being_confirmed", "saved_on_phone"].iter().any(|stage| payment["stage"] == *stage);
            if !self.everything()?.unwrap_or_default().values().any(waiting) {
                return Ok(());
            }
        }
        Err(Trouble::Wrong("some payments never got an answer".to_owned()))
    }
}
