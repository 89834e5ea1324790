//! One till from open to shutdown: reads lines, carries them out, answers.

use std::io::{BufRead, Read as _, Write};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use takings_readers::simulated::{Failure, SimulatedReader};
use takings_till::views::PaymentQuery;
use takings_till::{Clock, Ports, Till, TillConfig};
use tokio::runtime::Runtime;

use crate::answer::Refused;
use crate::args::Args;
use crate::command::{self, Command, ReaderSettings};
use crate::ports::{SeededRandomness, TillClock, device_key};
use crate::state::State;

/// The longest line that is taken, bytes.
const LONGEST_LINE: u64 = 1024 * 1024;
/// Serial of the simulated reader.
const READER_SERIAL: &str = "B50C1A7";

/// See the module.
pub(crate) struct Session<R, W> {
    pub(crate) till: Till,
    pub(crate) runtime: Runtime,
    pub(crate) clock: Arc<TillClock>,
    pub(crate) reader: SimulatedReader,
    pub(crate) state: State,
    pub(crate) dir: PathBuf,
    pub(crate) generation: u32,
    input: R,
    output: W,
    markers: bool,
}

impl<R: BufRead, W: Write> Session<R, W> {
    /// Opens the till and says so.
    pub(crate) fn open(args: &Args, input: R, output: W) -> Result<Self, Refused> {
        let state = State::begin(&args.dir, args.reboot)?;
        let clock = Arc::new(if args.real_clock {
            TillClock::real(state.starts)
        } else {
            TillClock::starting_at(args.now_ms, state.jumped_ms, state.boots)
        });
        let randomness = Arc::new(SeededRandomness::new(args.seed, state.starts));
        let key = Arc::new(device_key(&args.dir, &*randomness)?);
        let mut config = TillConfig::new(args.ledger_dir(), &args.acquirer);
        config.encryption_key = args.key.clone();
        config.language = args.language;
        config.own_timer = args.real_clock;
        let ports = Ports { clock: Arc::<TillClock>::clone(&clock), randomness, device_key: key, line: None };
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let till = runtime.block_on(Till::open(config, ports))?;
        let mut reader = SimulatedReader::new(args.seed, READER_SERIAL);
        reader.set_ksn_counter(state.reader_keys_used);
        let mut session = Self {
            till,
            runtime,
            clock,
            reader,
            state,
            dir: args.dir.clone(),
            generation: 0,
            input,
            output,
            markers: args.markers,
        };
        let status = session.runtime.block_on(session.till.status())?;
        session
            .say(&json!({"event": "opened", "last_seq": status.last_seq, "missing_events": status.missing_events,
            "now_ms": session.clock.now().wall_ms}))?;
        Ok(session)
    }

    /// Answers line after line; lets the till go at the end.
    pub(crate) fn serve(mut self) -> Result<(), Refused> {
        let ended = loop {
            let Some(line) = self.line()? else { break Ok(()) };
            if line.trim_ascii().is_empty() {
                continue;
            }
            let (name, command) = command::read(&line);
            if matches!(command, Ok(Command::Shutdown)) {
                break Ok(());
            }
            let result = command.and_then(|command| self.execute(command));
            if result == Err(Refused::Ended) {
                break Ok(());
            }
            let answer = self.answer(name.as_deref(), result);
            if let Err(error) = self.say(&answer) {
                break Err(error);
            }
        };
        let closed = self.runtime.block_on(self.till.shutdown()).map_err(Refused::from);
        // Whoever read the lines may be gone by now.
        let _ = self.say(&self.answer(Some("shutdown"), closed.clone().map(|()| json!({}))));
        ended.and(closed)
    }

    fn answer(&self, name: Option<&str>, result: Result<Value, Refused>) -> Value {
        let (ok, rest) = match result {
            Ok(rest) => (true, rest),
            Err(refused) => (false, json!({"error": refused.to_json()})),
        };
        let mut answer = json!({"ok": ok, "cmd": name, "now_ms": self.clock.now().wall_ms});
        if let (Some(answer), Value::Object(rest)) = (answer.as_object_mut(), rest) {
            answer.extend(rest);
        }
        answer
    }

    fn execute(&mut self, command: Command) -> Result<Value, Refused> {
        match command {
            Command::Charge(charge) => self.charge(&charge),
            Command::Advance(by) => self.advance(by.ms),
            Command::ClockJump(by) => self.clock_jump(by.ms),
            Command::Reader(settings) => self.set_reader(&settings),
            other => {
                let asking = ask(&self.till, other);
                self.runtime.block_on(asking)
            }
        }
    }

    fn advance(&mut self, ms: i64) -> Result<Value, Refused> {
        if ms < 0 {
            return Err(Refused::field("ms: time goes forward; a wrong clock is `clock_jump`"));
        }
        if !self.clock.advance(ms) {
            return Err(Refused::input("real_clock", "this till follows the machine's clock"));
        }
        self.reader.advance_ms(u64::try_from(ms).unwrap_or(0));
        self.runtime.block_on(self.till.tick())?;
        Ok(json!({}))
    }

    fn clock_jump(&mut self, ms: i64) -> Result<Value, Refused> {
        if !self.clock.jump(ms) {
            return Err(Refused::input("real_clock", "this till follows the machine's clock"));
        }
        self.state.jumped_ms = self.state.jumped_ms.saturating_add(ms);
        self.state.save(&self.dir)?;
        self.runtime.block_on(self.till.tick())?;
        Ok(json!({}))
    }

    fn set_reader(&mut self, settings: &ReaderSettings) -> Result<Value, Refused> {
        let failures: Option<Vec<Failure>> = settings.fails.iter().map(|word| Failure::from_word(word)).collect();
        let failures = failures.ok_or_else(|| Refused::field("fails: not a failure of the simulated reader"))?;
        failures.into_iter().for_each(|failure| self.reader.fail(failure));
        if let Some(percent) = settings.battery_percent {
            self.reader.set_battery(percent);
        }
        if let Some(tampered) = settings.tampered {
            self.reader.set_tampered(tampered);
        }
        if let Some(usable) = settings.usable {
            self.reader.set_usable(usable);
        }
        if let Some(charging) = settings.charging {
            self.reader.set_charging(charging);
        }
        if let Some(loaded) = settings.keys {
            self.reader.set_keys(loaded);
        }
        Ok(json!({}))
    }

    /// The next line of input, or none at its end.
    pub(crate) fn line(&mut self) -> Result<Option<Vec<u8>>, Refused> {
        let mut line = Vec::new();
        self.input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        if line.len() as u64 == LONGEST_LINE && !line.ends_with(b"\n") {
            // What is cut short is no command, whatever it looks like.
            line.push(b'!');
            self.input.skip_until(b'\n')?;
        }
        Ok((!line.is_empty()).then_some(line))
    }

    /// Writes one line, at once.
    pub(crate) fn say(&mut self, line: &Value) -> Result<(), Refused> {
        writeln!(self.output, "{line}")?;
        Ok(self.output.flush()?)
    }

    /// Writes a marker for those who count system calls.
    pub(crate) fn mark(&self, name: &str) {
        if self.markers {
            // One system call, so that the mark is one line in a trace.
            let _ = std::io::stderr().write_all(format!("mark {name}\n").as_bytes());
        }
    }
}

/// The commands that ask the till and nothing else.
async fn ask(till: &Till, command: Command) -> Result<Value, Refused> {
    Ok(match command {
        Command::Activate(asked) => named("activation", till.activate(&asked.code).await?),
        Command::SignOn => named("sign_on", till.sign_on().await?),
        Command::Find(asked) => {
            let query =
                PaymentQuery { order_reference: Some(asked.order), limit: Some(200), ..PaymentQuery::default() };
            record(till.payments(query).await?)
        }
        Command::Payments(query) => record(till.payments(query).await?),
        Command::Payment(asked) => record(till.payment(&asked.id).await?),
        Command::Takings(days) => named("takings", till.takings(days.from, days.to).await?),
        Command::Payouts(query) => record(till.payouts(query).await?),
        Command::Payout(asked) => record(till.payout(&asked.id).await?),
        Command::Sync(asked) => named("report", till.sync(asked.budget_ms).await?),
        Command::Cancel(asked) => named("payment", till.cancel(&asked.id, asked.operator.as_deref()).await?),
        Command::MarkService(asked) => {
            named("payment", till.mark_service(&asked.id, asked.given, asked.operator.as_deref()).await?)
        }
        Command::Status => named("status", till.status().await?),
        Command::Alerts(asked) => named("alerts", till.next_alerts(asked.max).await?),
        Command::Acknowledge(asked) => {
            till.acknowledge(asked.upto).await?;
            json!({})
        }
        Command::Receipt(asked) => named("receipt", till.receipt(&asked.id, asked.copy).await?),
        Command::Verify => named("report", till.verify().await?),
        Command::Background => {
            till.going_to_background().await?;
            json!({})
        }
        Command::Charge(_) | Command::Advance(_) | Command::ClockJump(_) | Command::Reader(_) | Command::Shutdown => {
            json!({})
        }
    })
}

fn named(name: &str, value: impl Serialize) -> Value {
    json!({ name: value })
}

fn record(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_else(|error| json!({"unprintable": error.to_string()}))
}
