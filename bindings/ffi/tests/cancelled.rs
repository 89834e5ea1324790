//! A call given up at any moment was done whole or never began, and no thread stays behind. A binary of its own: it counts the
//! threads of the whole process.

#![expect(clippy::unwrap_used, reason = "a helper that fails has found something, or is wrong")]

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use takings_ffi::demo::{CardEntry, CardPlay, DemoCard, DemoWorld};
use takings_ffi::records::{ChargeMode, ChargeOutcome, ChargeRequest, Language, PaymentQuery};
use takings_ffi::{TakingsError, Till};
use tempfile::TempDir;

/// Saturday 2026-11-21, 10:00 in Shanghai.
const SATURDAY_MS: i64 = 1_795_226_400_000;
const MOMENTS: u64 = 100;
const CALLS: [Call; 5] = [Call::Sync, Call::Charge, Call::Cancel, Call::MarkService, Call::SignOn];

/// What writes to the ledger.
#[derive(Debug, Clone, Copy)]
enum Call {
    Sync,
    Charge,
    Cancel,
    MarkService,
    SignOn,
}

/// A call under way; what it answers is let go of.
type Running = Pin<Box<dyn Future<Output = Result<(), TakingsError>>>>;

/// A phone with two payments that wait for the line, which is back.
struct Stall {
    world: Arc<DemoWorld>,
    till: Arc<Till>,
    payment_id: String,
    dir: TempDir,
}

fn request(amount_minor: i64, order: &str) -> ChargeRequest {
    ChargeRequest {
        amount_minor,
        currency: "CNY".into(),
        order_reference: Some(order.into()),
        mode: ChargeMode::PreferOnline,
        charge_again: false,
        operator: None,
    }
}

fn play() -> CardPlay {
    let card = DemoCard::usual(CardEntry::Chip);
    CardPlay {
        card: Some(card),
        next_cards: Vec::new(),
        choose: 0,
        lose_link_at: None,
        reconnect: false,
        cancel_at: None,
        stop_at: None,
    }
}

/// Waits on this thread, as a host that knows no tokio.
fn now<F: Future>(call: F) -> F::Output {
    polled(Box::pin(call), u64::MAX).0.unwrap()
}

/// Asks for the result this many times, and lets go of the call unless it came. Says how often it asked.
fn polled<F: Future + ?Sized>(mut call: Pin<Box<F>>, most: u64) -> (Option<F::Output>, u64) {
    let mut context = Context::from_waker(Waker::noop());
    for asked in 0..most {
        if let Poll::Ready(done) = call.as_mut().poll(&mut context) {
            return (Some(done), asked + 1);
        }
        thread::yield_now();
    }
    (None, most)
}

impl Stall {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let world = DemoWorld::new(11, SATURDAY_MS).unwrap();
        let till = now(world.open_till(dir.path().to_str().unwrap().to_owned(), Language::En)).unwrap();
        now(till.activate(world.activation_code().unwrap())).unwrap();
        world.set_line("down".into()).unwrap();
        let reader = world.new_reader().unwrap();
        for (amount_minor, order) in [(1_250, "A-1"), (800, "A-2")] {
            let charge = now(till.charge(request(amount_minor, order))).unwrap();
            assert_eq!(reader.take_card(charge, play()).unwrap().outcome, Some(ChargeOutcome::Saved));
        }
        world.set_line("up".into()).unwrap();
        let all = PaymentQuery::default();
        let payment_id = now(till.payments(all)).unwrap().payments[0].payment_id.clone();
        Self { world, till, payment_id, dir }
    }

    fn call(&self, call: Call) -> Running {
        let (till, payment_id) = (Arc::clone(&self.till), self.payment_id.clone());
        match call {
            Call::Sync => Box::pin(async move { till.sync(120_000).await.map(drop) }),
            Call::Charge => Box::pin(async move { till.charge(request(300, "A-3")).await.map(drop) }),
            Call::Cancel => Box::pin(async move { till.cancel(payment_id, Some("li.na".into())).await.map(drop) }),
            Call::MarkService => Box::pin(async move { till.mark_service(payment_id, true, None).await.map(drop) }),
            Call::SignOn => Box::pin(async move { till.sign_on().await.map(drop) }),
        }
    }

    fn chain(&self) -> String {
        self.world.chain_hash(self.dir.path().to_str().unwrap().to_owned()).unwrap()
    }

    /// The ledger at the end, sound, with its till shut down.
    fn close(self) -> String {
        assert!(now(self.till.verify()).unwrap().sound);
        now(self.till.shutdown()).unwrap();
        self.chain()
    }
}

/// Numbers without a pattern, the same for the same seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Threads of this process.
fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// The ledgers that a call may leave when it is done, and how often it was asked until then. Its answer is let go of: that
/// gives up a charge, sooner or later.
fn done(call: Call) -> (BTreeSet<String>, u64) {
    let stall = Stall::open();
    let (answer, asked) = polled(stall.call(call), u64::MAX);
    answer.unwrap().unwrap();
    let first = stall.chain();
    now(stall.till.status()).unwrap();
    (BTreeSet::from([first, stall.close()]), asked)
}

#[test]
fn a_call_given_up_was_done_whole_or_never_began_and_leaves_no_thread() {
    let seed = env::var("SEED").map_or(20_261_121, |seed| seed.parse().unwrap());
    writeln!(io::stderr(), "seed {seed}").unwrap();
    let threads_before = threads();
    let never = Stall::open().close();
    let whole = CALLS.map(done);
    for (call, (chains, _)) in CALLS.iter().zip(&whole) {
        assert!(!chains.contains(&never), "{call:?} leaves no trace: nothing could be seen");
    }
    let (mut draw, mut began, mut in_the_middle) = (Draw(seed), 0, 0);
    for moment in 0..MOMENTS {
        let which = usize::try_from(draw.below(5)).unwrap();
        let (call, (chains, asked)) = (CALLS[which], &whole[which]);
        // A fifth never asks: such a call must not begin. Of the others a third or so asks until after the end.
        let most = if draw.below(5) == 0 { 0 } else { 1 + draw.below(asked + asked / 2) };
        let stall = Stall::open();
        let (answer, _) = polled(stall.call(call), most);
        let chain = stall.close();
        let place = format!("seed {seed}, moment {moment}: {call:?}, given up after {most} of {asked}");
        assert!(chain == never || chains.contains(&chain), "{place}: the ledger is neither as before nor as after");
        if most == 0 || answer.is_some() {
            assert_eq!(chain == never, most == 0, "{place}");
        }
        in_the_middle += u64::from(most > 0 && answer.is_none());
        began += u64::from(chain != never);
    }
    assert!(began > 0 && began < MOMENTS && in_the_middle > 0, "seed {seed}: the moments do not spread");
    // A thread that was told to end needs its moment.
    let mut patience = 1_000_000;
    while threads() > threads_before && patience > 0 {
        patience -= 1;
        thread::yield_now();
    }
    assert_eq!(threads(), threads_before, "seed {seed}: threads stay behind");
}
