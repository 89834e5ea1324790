//! What the app implements, on a thread of its own: asked one thing after the other, and waited for with patience that
//! ends. Whoever asks holds no lock, and whatever the app does inside cannot reach the engine's thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use crate::error::TakingsError;

/// How long the app may take for one answer.
pub(crate) const LONGEST_ANSWER_MS: u64 = 10_000;

/// Where a question is: waiting, begun, or withdrawn before it began.
const WAITING: u8 = 0;
const BEGUN: u8 = 1;
const WITHDRAWN: u8 = 2;

struct Ask<Q, A> {
    question: Q,
    state: Arc<AtomicU8>,
    answer: Option<SyncSender<Result<A, TakingsError>>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// It threw.
    Threw(TakingsError),
    /// It did not return in time; it may still be at it.
    Silent,
    /// It has not returned from an earlier question yet, and this one was not asked and never will be.
    Busy,
    /// Its thread ended.
    Gone,
}

impl From<Unanswered> for TakingsError {
    fn from(why: Unanswered) -> Self {
        match why {
            Unanswered::Threw(error) => error,
            Unanswered::Silent => Self::internal("silent", "what the app implements did not answer in time"),
            Unanswered::Busy => Self::internal("busy", "what the app implements has not returned from an earlier call"),
            Unanswered::Gone => Self::internal("thread", "the thread of what the app implements ended"),
        }
    }
}

/// The way to one thing the app implements.
pub(crate) struct Lane<Q, A> {
    asks: Sender<Ask<Q, A>>,
    patience: Duration,
    /// A question was given up and did not return yet.
    stuck: Arc<AtomicBool>,
}

impl<Q: Send + 'static, A: Send + 'static> Lane<Q, A> {
    /// Starts the thread; it ends with the lane, after what it is doing. `serve` calls what the app implements.
    #[expect(clippy::disallowed_methods, reason = "what the app implements runs on a thread of its own")]
    pub(crate) fn open(
        name: &str,
        patience_ms: u64,
        serve: impl Fn(Q) -> Result<A, TakingsError> + Send + 'static,
    ) -> Result<Self, TakingsError> {
        let (asks, asked) = channel();
        let stuck = Arc::new(AtomicBool::new(false));
        let returned = Arc::clone(&stuck);
        let work = move || serve_all(asked, &returned, serve);
        let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
        spawned.map_err(|error| TakingsError::internal("thread", error))?;
        Ok(Self { asks, patience: Duration::from_millis(patience_ms), stuck })
    }

    /// Asks, and waits for the answer.
    pub(crate) fn ask(&self, question: Q) -> Result<A, Unanswered> {
        if self.is_stuck() {
            return Err(Unanswered::Busy);
        }
        let (answer, answered) = sync_channel(1);
        let state = Arc::new(AtomicU8::new(WAITING));
        let ask = Ask { question, state: Arc::clone(&state), answer: Some(answer) };
        self.asks.send(ask).map_err(|_| Unanswered::Gone)?;
        match answered.recv_timeout(self.patience) {
            Ok(answered) => answered.map_err(Unanswered::Threw),
            Err(RecvTimeoutError::Disconnected) => Err(Unanswered::Gone),
            Err(RecvTimeoutError::Timeout) => {
                if state.compare_exchange(WAITING, WITHDRAWN, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                    return Err(Unanswered::Busy);
                }
                self.stuck.store(true, Ordering::SeqCst);
                // It may have returned at this very moment.
                match answered.try_recv() {
                    Ok(answered) => {
                        self.stuck.store(false, Ordering::SeqCst);
                        answered.map_err(Unanswered::Threw)
                    }
                    Err(_) => Err(Unanswered::Silent),
                }
            }
        }
    }

    /// Tells, and waits for nothing: for what is worth saying late.
    pub(crate) fn tell(&self, question: Q) {
        // A thread that ended has nobody to tell.
        drop(self.asks.send(Ask { question, state: Arc::default(), answer: None }));
    }

    /// A question was given up, and what was asked has not returned.
    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::SeqCst)
    }
}

fn serve_all<Q, A>(
    asked: Receiver<Ask<Q, A>>,
    stuck: &AtomicBool,
    serve: impl Fn(Q) -> Result<A, TakingsError> + Send,
) {
    for Ask { question, state, answer } in asked {
        if state.compare_exchange(WAITING, BEGUN, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            continue;
        }
        let answered = serve(question);
        match answer {
            // Whoever stopped waiting asks again.
            Some(answer) => drop(answer.send(answered)),
            None => drop(answered),
        }
        stuck.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A lane whose app answers when it is told to.
    fn lane(patience_ms: u64) -> (Lane<u32, u32>, Sender<()>, Receiver<u32>) {
        let (go, goes) = channel();
        let (began, begins) = channel();
        let goes = Mutex::new(goes);
        let serve = move |question: u32| {
            began.send(question).unwrap();
            goes.lock().unwrap().recv().unwrap();
            if question == 0 { Err(TakingsError::storage("locked", "not now")) } else { Ok(question * 2) }
        };
        (Lane::open("test", patience_ms, serve).unwrap(), go, begins)
    }

    #[test]
    fn answers_and_what_is_thrown_come_back() {
        let (lane, go, _begins) = lane(60_000);
        go.send(()).unwrap();
        assert_eq!(lane.ask(21).unwrap(), 42);
        go.send(()).unwrap();
        assert!(matches!(lane.ask(0), Err(Unanswered::Threw(TakingsError::Storage { .. }))));
    }

    #[test]
    fn one_that_is_stuck_is_waited_for_once_and_asked_again_when_it_is_back() {
        let (lane, go, begins) = lane(1);
        assert!(matches!(lane.ask(1), Err(Unanswered::Silent)));
        assert_eq!(begins.recv().unwrap(), 1);
        assert!(matches!(lane.ask(2), Err(Unanswered::Busy)), "it was asked nothing more");
        lane.tell(3);
        go.send(()).unwrap();
        assert_eq!(begins.recv().unwrap(), 3, "what was told late comes after it");
        go.send(()).unwrap();
        lane.tell(4);
        assert_eq!(begins.recv().unwrap(), 4);
        assert!(!lane.stuck.load(Ordering::SeqCst));
        go.send(()).unwrap();
    }

    #[test]
    fn one_whose_thread_ended_is_gone() {
        let (lane, go, _begins) = lane(60_000);
        drop(go);
        assert!(matches!(lane.ask(1), Err(Unanswered::Gone)));
        assert!(matches!(lane.ask(2), Err(Unanswered::Gone)));
    }
}
