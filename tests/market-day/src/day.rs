//! The stallholder: walks through the steps with a till in the hand, and is the only clock there is.

use std::path::{Path, PathBuf};

use relay::{Mode, Relay};
use serde_json::{Value, json};

use crate::acquirer::Acquirer;
use crate::args::{Args, Faults};
use crate::error::{About, DayError};
use crate::journal::Journal;
use crate::screen::{Look, Screen};
use crate::script::{Overdue, Script};
use crate::steps::{Step, What, steps};
use crate::telling;
use crate::till::{Heard, Till};
use crate::words::{self, Moment, Say as _};

/// After an interruption the day goes on this much later than it was seen last: longer than any charge takes by itself.
const RESTART_MS: i64 = 180_000;
/// Starting the app again takes the stallholder so long.
const APP_START_MS: i64 = 1_500;

/// See the module.
pub(crate) struct Day {
    pub(crate) script: Script,
    pub(crate) journal: Journal,
    pub(crate) acquirer: Acquirer,
    pub(crate) screen: Screen,
    pub(crate) dir: PathBuf,
    pub(crate) now_ms: i64,
    pub(crate) relay: Option<Relay>,
    /// How many of the acquirer's faults were told; none yet after an interruption.
    pub(crate) faults_told: Option<usize>,
    till_url: String,
    till: Option<Till>,
}

/// How a command to the till ended.
pub(crate) enum Ended {
    /// The answer, good or not.
    Answer(Value),
    /// It stopped where it was asked to.
    Holding,
}

impl Day {
    /// Opens a new day in `dir`, or the one that is there.
    pub(crate) fn open(args: &Args, dir: &Path, screen: Screen) -> Result<Self, DayError> {
        let line_control = args.external.is_none() || args.faults == Faults::Market;
        let path = dir.join("script.jsonl");
        let asked = Script::invent(args.seed, args.payments, args.faults, args.kill, line_control);
        if !path.exists() {
            asked.write(&path)?;
        }
        let script = Script::read(&path)?;
        if script != asked {
            let head = &script.head;
            return Err(DayError::Unfit(format!(
                "{} holds another day: --seed {} --payments {}, faults {:?}, kill {}",
                dir.display(),
                head.seed,
                head.payments,
                head.faults,
                head.kill
            )));
        }
        let journal = Journal::open(&dir.join("progress.jsonl"))?;
        let acquirer = Acquirer::new(dir, args.seed, args.external.clone());
        let nowhere = "127.0.0.1:9".parse().map_err(|_| DayError::Child("no address".to_owned()))?;
        let relay = line_control.then(|| Relay::start(nowhere)).transpose().about("the relay")?;
        let till_url = relay.as_ref().map_or_else(|| acquirer.url().to_owned(), Relay::url);
        let dir = dir.to_path_buf();
        Ok(Self { script, journal, acquirer, screen, dir, now_ms: 0, relay, faults_told: None, till_url, till: None })
    }

    /// Plays what is left of the day, up to its account. True if the account is right.
    pub(crate) fn play(&mut self, json: Option<&Path>) -> Result<bool, DayError> {
        let story = steps(&self.script);
        self.begin(&story)?;
        for (number, step) in story.iter().enumerate().skip(self.journal.done) {
            self.reach(step.at_ms)?;
            if step.what == What::Close {
                return self.close(json);
            }
            self.step(&step.what)?;
            self.journal.step_done(number + 1)?;
        }
        Err(DayError::Child("the story has no end".to_owned()))
    }

    fn begin(&mut self, story: &[Step]) -> Result<(), DayError> {
        let first_ms = story.first().map_or(0, |step| step.at_ms);
        let resumed = self.journal.has_begun();
        self.now_ms = self.journal.now_ms.map_or(first_ms, |now| now.saturating_add(RESTART_MS));
        self.journal.time_moves_to(self.now_ms)?;
        let played = story.iter().take(self.journal.done).rev();
        let line = played.map(|step| &step.what).find(|what| matches!(what, What::LineDown(_) | What::LineUp(_)));
        if matches!(line, Some(What::LineDown(_))) {
            self.refuse()?;
        } else {
            self.connect()?;
        }
        self.start_till()?;
        if resumed {
            let text = words::goes_on(self.screen.language(), self.journal.done + 1, story.len());
            self.screen.event(self.now_ms, Look::Warn, "↻", &text);
        } else {
            self.faults_told = Some(0);
        }
        Ok(())
    }

    fn step(&mut self, what: &What) -> Result<(), DayError> {
        match what {
            What::Open(moment) => self.open_stall(*moment),
            What::PlanBank => self.plan_bank(),
            What::LineDown(moment) => {
                self.screen.event(self.now_ms, Look::Warn, "▽", moment.say(self.screen.language()));
                self.refuse()
            }
            What::LineUp(moment) => {
                self.connect()?;
                self.screen.event(self.now_ms, Look::Info, "△", moment.say(self.screen.language()));
                Ok(())
            }
            What::Spoil(when) => self.spoil(*when),
            What::Sell(number) => self.sell(*number),
            What::Drain(meanwhile) => self.drain(*meanwhile),
            What::Look => self.look(),
            What::Close => Ok(()),
        }
    }

    fn open_stall(&mut self, moment: Moment) -> Result<(), DayError> {
        let language = self.screen.language();
        self.screen.event(self.now_ms, Look::Info, "☀", moment.say(language));
        let status = self.must(&json!({"cmd": "status"}))?;
        if status["status"]["activation"].is_null() {
            if self.journal.activation_code.is_none() {
                let code = self.acquirer.admin(
                    "POST",
                    "/admin/activation-codes",
                    Some(&json!({"merchant_name": "Wang Breakfast"})),
                )?;
                self.journal.got_code(telling::text(&code, "activation_code"))?;
            }
            let code = self.journal.activation_code.clone();
            let activated = self.must(&json!({"cmd": "activate", "code": code}))?;
            let text = words::activated(language, telling::text(&activated["activation"], "terminal_id"));
            self.screen.event(self.now_ms, Look::Good, "✓", &text);
        }
        let signed = self.must(&json!({"cmd": "sign_on"}))?;
        let signed = &signed["sign_on"];
        let text = words::signed_on(
            language,
            telling::text(signed, "business_date"),
            telling::text(signed, "batch_number"),
            telling::text(signed, "policy_version"),
            telling::text(signed, "terms_version"),
        );
        self.screen.event(self.now_ms, Look::Good, "✓", &text);
        Ok(())
    }

    /// The bank is told what it will do to two payouts. Told once, also if this step begins again.
    fn plan_bank(&mut self) -> Result<(), DayError> {
        let head = self.script.head.clone();
        let known = self.acquirer.admin("GET", "/admin/bank", None)?;
        let planned = |date: &str| {
            known["waiting"]
                .as_array()
                .is_some_and(|all| all.iter().any(|plan| telling::text(plan, "business_date") == date))
        };
        if let Some(date) = head.returned_business_date.map(|date| date.to_string()).filter(|date| !planned(date)) {
            let plan = json!({"action": "return", "business_date": date, "reason": "account_closed"});
            self.acquirer.admin("POST", "/admin/bank", Some(&plan))?;
        }
        if let Some(date) = head.overdue_business_date.map(|date| date.to_string()).filter(|date| !planned(date)) {
            let plan = match head.overdue {
                Some(Overdue::Late) => json!({"action": "late", "business_date": date, "days": 3}),
                _ => json!({"action": "never", "business_date": date}),
            };
            self.acquirer.admin("POST", "/admin/bank", Some(&plan))?;
        }
        Ok(())
    }

    /// No network: connects are refused, and where the acquirer is ours it does not even run.
    fn refuse(&mut self) -> Result<(), DayError> {
        let Some(relay) = &self.relay else { return Ok(()) };
        relay.set_mode(Mode::Refuse).about("the relay")?;
        if self.acquirer.is_own() { self.acquirer.stop() } else { Ok(()) }
    }

    fn connect(&mut self) -> Result<(), DayError> {
        self.acquirer.start(self.now_ms)?;
        if let Some(relay) = &self.relay {
            relay.set_upstream(self.acquirer.address()?);
            relay.set_mode(Mode::Pass).about("the relay")?;
        }
        Ok(())
    }

    /// Time passes until this instant, if it has not: first at the acquirer, then at the till.
    pub(crate) fn reach(&mut self, at_ms: i64) -> Result<(), DayError> {
        let ms = at_ms.saturating_sub(self.now_ms);
        if ms <= 0 {
            return Ok(());
        }
        self.follow(at_ms)?;
        self.must(&json!({"cmd": "advance", "ms": ms})).map(|_| ())
    }

    /// So much time passes.
    pub(crate) fn wait(&mut self, ms: i64) -> Result<(), DayError> {
        self.reach(self.now_ms.saturating_add(ms))
    }

    fn follow(&mut self, now_ms: i64) -> Result<(), DayError> {
        if now_ms <= self.now_ms {
            return Ok(());
        }
        self.journal.time_moves_to(now_ms)?;
        self.now_ms = now_ms;
        if self.acquirer.is_up() { self.acquirer.clock(now_ms) } else { Ok(()) }
    }

    fn start_till(&mut self) -> Result<(), DayError> {
        let (seed, language) = (self.script.head.seed, self.screen.language());
        self.till = Some(Till::start(&self.dir, &self.till_url, seed, self.now_ms, language)?);
        Ok(())
    }

    /// The phone is dead, and a moment later it is on again.
    pub(crate) fn kill_till(&mut self) -> Result<(), DayError> {
        if let Some(till) = self.till.take() {
            till.kill()?;
        }
        self.follow(self.now_ms.saturating_add(APP_START_MS))?;
        self.start_till()
    }

    /// Lets till and acquirer end in order.
    pub(crate) fn put_away(&mut self) -> Result<(), DayError> {
        if let Some(till) = self.till.take() {
            till.close()?;
        }
        self.acquirer.stop()
    }

    /// Sends a command and hears it out.
    pub(crate) fn ask(&mut self, command: &Value) -> Result<Ended, DayError> {
        let gone = || DayError::Child("there is no till".to_owned());
        self.till.as_mut().ok_or_else(gone)?.say(command)?;
        loop {
            match self.till.as_mut().ok_or_else(gone)?.hear()? {
                Heard::Answer(answer) => {
                    self.follow(telling::int(&answer, "now_ms"))?;
                    return Ok(Ended::Answer(answer));
                }
                Heard::Event(event) => match telling::text(&event, "event") {
                    "saved" => self.journal.heard_saved(telling::text(&event, "payment_id"))?,
                    "holding" => return Ok(Ended::Holding),
                    _ => {}
                },
            }
        }
    }

    /// Sends a command that has to work.
    pub(crate) fn must(&mut self, command: &Value) -> Result<Value, DayError> {
        match self.ask(command)? {
            Ended::Answer(answer) if answer["ok"] == true => Ok(answer),
            Ended::Answer(answer) => {
                Err(DayError::Till { command: command.to_string(), error: answer["error"].to_string() })
            }
            Ended::Holding => Err(DayError::Child("the till holds where nobody asked it to".to_owned())),
        }
    }
}
