//! The runtime: one thread for the engine, one tokio for the line. It carries effects out and decides nothing.
//!
//! The engine's thread is the writer's thread: whoever wants something sends a message and waits for its answer. A send
//! leaves on tokio and comes back as a message. The one timer is the thread's own waiting.
//!
//! An engine that breaks (a panic) is dropped and opened again from the ledger, which holds whatever was said; whoever
//! waited for it hears *internal*. The same if the app's clock does.

mod carrier;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use takings_acquirers::http::Carried;
use takings_domain::{Now, OperationId};
use takings_store::OpenConfig;
use tokio::runtime::{Builder, Handle, Runtime as Tokio};
use tokio::sync::oneshot;

use crate::config::TillConfig;
use crate::engine::{Command, Effect, Engine, EngineConfig, Failures, Input, Reply, Ticket};
use crate::error::TillError;
use crate::outlook::Outlook;
use crate::ports::Ports;

use carrier::{Carrier, Way};

/// The longest the engine's thread sleeps before it looks at the clock again, milliseconds.
const LONGEST_SLEEP_MS: i64 = 60_000;

type Answered = Result<Reply, TillError>;

enum Message {
    Command(Box<Command>, Waiter),
    Answer(OperationId, Carried),
    Stop,
}

/// Who waits for a reply: a future, or a thread.
enum Waiter {
    Future(oneshot::Sender<Answered>),
    Thread(SyncSender<Answered>),
    Nobody,
}

impl Waiter {
    fn tell(self, answered: Answered) {
        // Whoever stopped waiting does not need the answer; what it says is on disk.
        match self {
            Self::Future(sender) => drop(sender.send(answered)),
            Self::Thread(sender) => drop(sender.send(answered)),
            Self::Nobody => {}
        }
    }
}

/// See the module.
pub(crate) struct Runtime {
    inbox: Sender<Message>,
    engine: Mutex<Option<JoinHandle<()>>>,
    tokio: Mutex<Option<Tokio>>,
    handle: Handle,
}

impl Runtime {
    /// Opens the ledger on a thread of its own and starts to carry.
    pub(crate) async fn start(
        config: TillConfig,
        store: OpenConfig,
        ports: Ports,
        outlook: Outlook,
    ) -> Result<Self, TillError> {
        // First what can refuse: a tokio that is dropped inside another panics.
        let way = Way::of(&config, ports.line.as_ref())?;
        let tokio = Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(4)
            .thread_name("takings-io")
            .enable_all()
            .build()
            .map_err(|error| TillError::internal("runtime", error))?;
        let handle = tokio.handle().clone();
        let (inbox, messages) = mpsc::channel();
        let (opened, is_open) = oneshot::channel();
        let carrier = Carrier { inbox: inbox.clone(), way, handle: handle.clone() };
        let own_timer = config.own_timer;
        let settings = EngineConfig {
            store,
            acquirer_url: config.acquirer_url,
            app_version: config.app_version,
            request_timeout_ms: config.request_timeout_ms,
            outlook,
            failures: Failures::default(),
        };
        let thread = spawn_engine(settings, own_timer, ports, carrier, messages, opened)?;
        let runtime = Self { inbox, engine: Mutex::new(Some(thread)), tokio: Mutex::new(Some(tokio)), handle };
        is_open.await.map_err(|_| TillError::internal("engine", "the engine ended while opening"))??;
        Ok(runtime)
    }

    /// Sends a command and awaits its reply.
    pub(crate) async fn ask(&self, command: Command) -> Answered {
        let (waiter, reply) = oneshot::channel();
        self.send(command, Waiter::Future(waiter))?;
        reply.await.map_err(|_| stopped())?
    }

    /// Sends a command and blocks for its reply: for the thread that serves a reader.
    pub(crate) fn ask_blocking(&self, command: Command) -> Answered {
        let (waiter, reply) = mpsc::sync_channel(1);
        self.send(command, Waiter::Thread(waiter))?;
        reply.recv().map_err(|_| stopped())?
    }

    /// What the till's own calls run on.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs a read beside the engine.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, TillError> + Send + 'static,
    ) -> Result<T, TillError> {
        self.handle.spawn_blocking(read).await.map_err(|error| TillError::internal("reader", error))?
    }

    /// Sends a command whose reply nobody needs. A stopped engine needs it no more.
    pub(crate) fn tell(&self, command: Command) {
        drop(self.send(command, Waiter::Nobody));
    }

    fn send(&self, command: Command, waiter: Waiter) -> Result<(), TillError> {
        self.inbox.send(Message::Command(Box::new(command), waiter)).map_err(|_| stopped())
    }

    /// Stops the engine after what it is doing; what is under way on the line is abandoned (and in doubt).
    pub(crate) fn stop_engine(&self) {
        drop(self.inbox.send(Message::Stop));
        let thread = self.engine.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            drop(thread.join());
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.stop_engine();
        if let Some(tokio) = self.tokio.lock().unwrap_or_else(PoisonError::into_inner).take() {
            tokio.shutdown_background();
        }
    }
}

fn stopped() -> TillError {
    TillError::internal("stopped", "the till was shut down")
}

#[expect(clippy::disallowed_methods, reason = "the runtime is where threads are started")]
fn spawn_engine(
    settings: EngineConfig,
    own_timer: bool,
    ports: Ports,
    carrier: Carrier,
    messages: Receiver<Message>,
    opened: oneshot::Sender<Result<(), TillError>>,
) -> Result<JoinHandle<()>, TillError> {
    std::thread::Builder::new()
        .name("takings-engine".into())
        .spawn(move || match time(&ports).and_then(|now| open(&settings, &ports, now)) {
            Ok(engine) => {
                drop(opened.send(Ok(())));
                Loop {
                    engine: Some(engine),
                    ended: None,
                    settings,
                    ports,
                    carrier,
                    own_timer,
                    waiters: BTreeMap::new(),
                    tickets: 0,
                    wake_at_ms: None,
                }
                .run(&messages);
            }
            Err(error) => drop(opened.send(Err(error))),
        })
        .map_err(|error| TillError::internal("thread", error))
}

/// Opens the engine on what the ledger holds.
fn open(settings: &EngineConfig, ports: &Ports, now: Now) -> Result<Engine, TillError> {
    let (key, randomness) = (Arc::clone(&ports.device_key), Arc::clone(&ports.randomness));
    catch_unwind(AssertUnwindSafe(|| Engine::open(settings.clone(), key, randomness, now)))
        .unwrap_or_else(|_| Err(broken()))
}

/// The time, from a clock that is the app's and may fail.
fn time(ports: &Ports) -> Result<Now, TillError> {
    catch_unwind(AssertUnwindSafe(|| ports.clock.now())).map_err(|_| broken())
}

fn broken() -> TillError {
    TillError::internal("broken", "the engine failed; what the ledger holds counts")
}

/// The engine's thread.
struct Loop {
    /// None while the ledger cannot be opened again after a failure.
    engine: Option<Engine>,
    /// Why it could not: what everybody hears until the app opens another till.
    ended: Option<TillError>,
    settings: EngineConfig,
    ports: Ports,
    carrier: Carrier,
    own_timer: bool,
    waiters: BTreeMap<Ticket, Waiter>,
    tickets: Ticket,
    wake_at_ms: Option<i64>,
}

impl Loop {
    fn run(mut self, messages: &Receiver<Message>) {
        if self.own_timer {
            self.handle(Input::Tick);
        }
        loop {
            match self.next(messages) {
                Ok(Message::Command(command, waiter)) => {
                    self.tickets = self.tickets.wrapping_add(1);
                    self.waiters.insert(self.tickets, waiter);
                    self.handle(Input::Command(self.tickets, *command));
                }
                Ok(Message::Answer(op, carried)) => self.handle(Input::Answer(op, carried)),
                Err(RecvTimeoutError::Timeout) => {
                    self.wake_at_ms = None;
                    self.handle(Input::Tick);
                }
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn next(&self, messages: &Receiver<Message>) -> Result<Message, RecvTimeoutError> {
        let Some(at_ms) = self.wake_at_ms.filter(|_| self.own_timer) else {
            return messages.recv().map_err(|_| RecvTimeoutError::Disconnected);
        };
        let wait_ms = time(&self.ports).map_or(LONGEST_SLEEP_MS, |now| at_ms.saturating_sub(now.wall_ms));
        let wait_ms = wait_ms.clamp(0, LONGEST_SLEEP_MS);
        messages.recv_timeout(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
    }

    fn handle(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut sends = Vec::new();
            for effect in self.decide(input) {
                match effect {
                    Effect::Send { op, request, timeout_ms } => sends.push((op, request, timeout_ms)),
                    Effect::Reply(ticket, answered) => {
                        if let Some(waiter) = self.waiters.remove(&ticket) {
                            waiter.tell(answered);
                        }
                    }
                    Effect::WakeAt(at_ms) => self.wake_at_ms = Some(at_ms),
                }
            }
            for (op, request, timeout_ms) in sends {
                let carried = self.carrier.carry(op, request, timeout_ms);
                inputs.extend(carried.map(|carried| Input::Answer(op, carried)));
            }
        }
    }

    /// What the engine makes of an input; nothing if it fails at it.
    fn decide(&mut self, input: Input) -> Vec<Effect> {
        if let Some(error) = self.ended.clone() {
            return self.give_up(&error);
        }
        if self.engine.is_none() {
            let now = match time(&self.ports) {
                Ok(now) => now,
                Err(error) => return self.give_up(&error),
            };
            match open(&self.settings, &self.ports, now) {
                Ok(engine) => self.engine = Some(engine),
                // A second try might find the file set aside and begin another one in silence: that is the app's to decide.
                Err(error) => {
                    self.ended = Some(error.clone());
                    return self.give_up(&error);
                }
            }
        }
        let Some(engine) = &mut self.engine else { return Vec::new() };
        let clock = &self.ports.clock;
        if let Ok(effects) = catch_unwind(AssertUnwindSafe(|| engine.handle(input, clock.now()))) {
            return effects;
        }
        // Whatever it held in memory may be half done; the ledger is not.
        let engine = self.engine.take();
        drop(catch_unwind(AssertUnwindSafe(|| drop(engine))));
        self.give_up(&broken())
    }

    /// Everybody who waits hears why; the next try is made when somebody asks, or in a while.
    fn give_up(&mut self, error: &TillError) -> Vec<Effect> {
        for (_, waiter) in std::mem::take(&mut self.waiters) {
            waiter.tell(Err(error.clone()));
        }
        // One that ended is looked at no more.
        let in_a_while = || time(&self.ports).map_or(i64::MIN, |now| now.wall_ms.saturating_add(LONGEST_SLEEP_MS));
        let again = self.ended.is_none().then(in_a_while);
        again.map(Effect::WakeAt).into_iter().collect()
    }
}
