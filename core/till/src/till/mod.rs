//! The facade: coarse calls, plain records in and out.

mod charge;

use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;
use takings_domain::PaymentId;
use takings_store::{Head, StoreError, Unsent};

use crate::charge::ChargeRequest;
use crate::config::TillConfig;
use crate::engine::{Command, Reply};
use crate::error::TillError;
use crate::outlook::Outlook;
use crate::ports::{Clock, Ports};
use crate::reading::Reading;
use crate::receipt;
use crate::runtime::Runtime;
use crate::texts::Language;
use crate::views::{
    ActivationView, AlertView, AtStakeView, PaymentDetail, PaymentQuery, PaymentView, PaymentsPage, PayoutDetail,
    PayoutQuery, PayoutsPage, Receipt, ReceiptCopy, SignOnView, StatusView, SyncReport, TakingsLine, UnsentView,
    VerifyReport,
};

pub use charge::Charge;

/// A till: one merchant's terminal on one phone. Cheap to clone; all clones are the same till.
#[derive(Clone)]
pub struct Till {
    inner: Arc<Inner>,
}

struct Inner {
    runtime: Runtime,
    reading: Reading,
    clock: Arc<dyn Clock>,
    language: Language,
}

macro_rules! expect_reply {
    ($answered:expr, $pattern:pat => $value:expr) => {
        match $answered? {
            $pattern => Ok($value),
            other => Err(TillError::internal("reply", format!("unexpected reply {other:?}"))),
        }
    };
}
use expect_reply;

impl Till {
    /// Opens the ledger, settles what a crash left open, and starts the engine.
    ///
    /// # Errors
    /// *Storage* if the file cannot be opened, is somebody else's, or another till has it; *fix input* for an address
    /// that is neither `https` nor this machine.
    pub async fn open(config: TillConfig, ports: Ports) -> Result<Self, TillError> {
        let now = ports.clock.now();
        let mut random = [0_u8; 10];
        ports.randomness.fill(&mut random);
        let store = crate::reading::store_config(&config, takings_domain::LedgerId::from_parts(now.wall_ms, random));
        let (clock, language) = (Arc::clone(&ports.clock), config.language);
        let outlook = Outlook::default();
        let runtime = Runtime::start(config, store.clone(), ports, outlook.clone()).await?;
        let reading = Reading::open(&store, outlook)?;
        Ok(Self { inner: Arc::new(Inner { runtime, reading, clock, language }) })
    }

    /// What the ledger in `dir` held and had unsent, as its witness says: for one that cannot be opened, because it is
    /// damaged or its key is lost. Needs neither key nor lock; none if there is no sound witness.
    ///
    /// # Errors
    /// *Storage* if the witness is there and cannot be read.
    pub fn at_stake(dir: &Path) -> Result<Option<AtStakeView>, TillError> {
        let found = Head::read(dir).map_err(StoreError::from)?;
        let unsent =
            |sum: Unsent| UnsentView { currency: sum.currency, count: sum.count, amount_minor: sum.amount_minor };
        Ok(found
            .sound()
            .map(|head| AtStakeView { events: head.seq, unsent: head.unsent.into_iter().map(unsent).collect() }))
    }

    /// Puts the ledger in `dir` aside and says what it had unsent, as its witness says: for a merchant who has lost its key,
    /// or whose phone has lost its own, and decides to begin anew. The next [`Till::open`] begins a new ledger, which must
    /// be activated; what was there stays beside it, under another name, and the new one tells what is missing. Nothing
    /// does this by itself.
    ///
    /// # Errors
    /// *Storage* `in_use` while a till has the ledger open; *not found* if there is none.
    pub fn begin_anew(dir: &Path) -> Result<Option<AtStakeView>, TillError> {
        let stake = Self::at_stake(dir)?;
        match takings_store::begin_anew(dir)? {
            Some(_) => Ok(stake),
            None => Err(TillError::not_found("ledger", dir.display())),
        }
    }

    /// The last link of the hash chain of the ledger in `dir`, in hex, as its witness says: two ledgers with the same one
    /// hold the same events. None if there is no sound witness.
    ///
    /// # Errors
    /// *Storage* if the witness is there and cannot be read.
    pub fn chain_hash(dir: &Path) -> Result<Option<String>, TillError> {
        let found = Head::read(dir).map_err(StoreError::from)?;
        Ok(found.sound().map(|head| crate::hex::encode(&head.hash)))
    }

    /// Binds this phone to a merchant's terminal. The same code again continues the same request: nothing is burnt.
    ///
    /// # Errors
    /// *Fix input* for a mistyped code, *ask merchant* if the acquirer refuses it, *retry later* without a line.
    pub async fn activate(&self, activation_code: &str) -> Result<ActivationView, TillError> {
        let code = activation_code.to_owned();
        expect_reply!(self.inner.runtime.ask(Command::Activate { code }).await, Reply::Activated(view) => view)
    }

    /// Begins a session, and fetches policy, terms and calendar where they changed.
    ///
    /// # Errors
    /// *Sign in* before activation, *retry later* without a line.
    pub async fn sign_on(&self) -> Result<SignOnView, TillError> {
        expect_reply!(self.inner.runtime.ask(Command::SignOn).await, Reply::SignedOn(view) => view)
    }

    /// Starts a charge. When this returns, the intent is on disk. What the offline policy refuses already now is on
    /// record too, and the charge says so at its first step. Where the session is over and the last contact found a
    /// line, a new one is opened first (ten seconds at most), so that the charge belongs to the batch in force.
    ///
    /// # Errors
    /// *Fix input* for an amount or currency that cannot be; *ask merchant* `order_already_charged` with the other
    /// payment's id; *sign in* before the first sign-on.
    pub fn charge(&self, request: ChargeRequest) -> Result<Charge, TillError> {
        let payment =
            expect_reply!(self.inner.runtime.ask_blocking(Command::Charge(request)), Reply::Charging(id) => id)?;
        Ok(Charge::new(Arc::clone(&self.inner), payment))
    }

    /// Sends what waits, asks after what is in doubt, and reads what changed. `budget_ms` bounds it: no send starts with
    /// less than 12 s left.
    ///
    /// # Errors
    /// *Sign in* before activation, *retry later* while another sync runs. A missing line is no error: see the report.
    pub async fn sync(&self, budget_ms: u64) -> Result<SyncReport, TillError> {
        expect_reply!(self.inner.runtime.ask(Command::Sync { budget_ms }).await, Reply::Synced(report) => report)
    }

    /// Time passed: fires what is due. For shells that keep time themselves.
    ///
    /// # Errors
    /// None but *internal* after shutdown.
    pub async fn tick(&self) -> Result<(), TillError> {
        expect_reply!(self.inner.runtime.ask(Command::Tick).await, Reply::Done => ())
    }

    /// Cancels what certainly did not leave the phone.
    ///
    /// # Errors
    /// *Ask merchant* `cannot_cancel` for anything else: refund it. *Not found* for an unknown id.
    pub async fn cancel(&self, payment_id: &str, operator: Option<&str>) -> Result<PaymentView, TillError> {
        let payment = parse(payment_id)?;
        let operator = operator.map(str::to_owned);
        self.inner.runtime.ask(Command::Cancel { payment, operator }).await?;
        Ok(self.payment(payment_id).await?.payment)
    }

    /// Says whether the goods were handed over.
    ///
    /// # Errors
    /// *Not found* for an unknown id.
    pub async fn mark_service(
        &self,
        payment_id: &str,
        given: bool,
        operator: Option<&str>,
    ) -> Result<PaymentView, TillError> {
        let payment = parse(payment_id)?;
        let operator = operator.map(str::to_owned);
        self.inner.runtime.ask(Command::MarkService { payment, given, operator }).await?;
        Ok(self.payment(payment_id).await?.payment)
    }

    /// Payments, newest first.
    ///
    /// # Errors
    /// *Fix input* for a word, limit or page key that is none.
    pub async fn payments(&self, query: PaymentQuery) -> Result<PaymentsPage, TillError> {
        let now = self.inner.clock.now();
        self.read(move |inner| inner.reading.payments(&query, now)).await
    }

    /// One payment with its history.
    ///
    /// # Errors
    /// *Not found* for an unknown id.
    pub async fn payment(&self, payment_id: &str) -> Result<PaymentDetail, TillError> {
        let payment = parse(payment_id)?;
        let now = self.inner.clock.now();
        self.read(move |inner| inner.reading.payment(payment, now)).await
    }

    /// Sums by stage for the sales from one day to another, both included, in the acquirer's zone.
    ///
    /// # Errors
    /// *Storage* only.
    pub async fn takings(&self, from: NaiveDate, to: NaiveDate) -> Result<Vec<TakingsLine>, TillError> {
        let now = self.inner.clock.now();
        self.read(move |inner| inner.reading.takings(from, to, now)).await
    }

    /// Payouts, newest first.
    ///
    /// # Errors
    /// *Fix input* for a word, limit or page key that is none.
    pub async fn payouts(&self, query: PayoutQuery) -> Result<PayoutsPage, TillError> {
        let now = self.inner.clock.now();
        self.read(move |inner| inner.reading.payouts(&query, now)).await
    }

    /// One payout with its lines.
    ///
    /// # Errors
    /// *Not found* for an unknown id.
    pub async fn payout(&self, payout_id: &str) -> Result<PayoutDetail, TillError> {
        let now = self.inner.clock.now();
        let payout = payout_id.to_owned();
        self.read(move |inner| inner.reading.payout(&payout, now)).await
    }

    /// How the till is: session, line, queue, risk used, ledger.
    ///
    /// # Errors
    /// *Storage* only.
    pub async fn status(&self) -> Result<StatusView, TillError> {
        expect_reply!(self.inner.runtime.ask(Command::Status).await, Reply::Status(status) => *status)
    }

    /// Alerts not yet acknowledged, in order.
    ///
    /// # Errors
    /// *Storage* only.
    pub async fn next_alerts(&self, max: u32) -> Result<Vec<AlertView>, TillError> {
        self.read(move |inner| inner.reading.alerts(max)).await
    }

    /// The merchant has heard everything up to this alert.
    ///
    /// # Errors
    /// *Storage* only.
    pub async fn acknowledge(&self, upto: u64) -> Result<(), TillError> {
        expect_reply!(self.inner.runtime.ask(Command::Acknowledge { upto }).await, Reply::Done => ())
    }

    /// The receipt as lines of text, with a mark if it was accepted offline and one on every reprint.
    ///
    /// # Errors
    /// *Not found* for an unknown id.
    pub async fn receipt(&self, payment_id: &str, copy: ReceiptCopy) -> Result<Receipt, TillError> {
        let payment = parse(payment_id)?;
        let word = receipt::word(copy);
        let detail = self.payment(payment_id).await?;
        let merchant = self.status().await?.activation;
        let counted = self.inner.runtime.ask(Command::CountReceipt { payment, copy: word }).await;
        let printed = expect_reply!(counted, Reply::ReceiptCount(printed) => printed)?;
        let at = self.inner.reading.local_time(detail.payment.captured_at_ms);
        let (merchant, language) = (merchant.as_ref(), self.inner.language);
        Ok(receipt::receipt(&receipt::Paper { detail: &detail, merchant, copy, printed, language, at }))
    }

    /// Walks the whole ledger: hashes, folds, projections, balances.
    ///
    /// # Errors
    /// *Storage* if it cannot be read at all; what does not hold is in the report.
    pub async fn verify(&self) -> Result<VerifyReport, TillError> {
        expect_reply!(self.inner.runtime.ask(Command::Verify).await, Reply::Verified(report) => report)
    }

    /// Finishes what the writer does and lets its locks go. When this returns the app may be suspended.
    ///
    /// # Errors
    /// *Storage* only.
    pub async fn going_to_background(&self) -> Result<(), TillError> {
        self.read(|inner| {
            inner.reading.rest();
            Ok(())
        })
        .await?;
        expect_reply!(self.inner.runtime.ask(Command::Background).await, Reply::Done => ())
    }

    /// Stops the till, and closes its files: a process that ends itself does this first, because SQLCipher's own handler at
    /// `exit` takes away what an open file still needs. What is under way on the line is in doubt and settled at the next
    /// opening.
    ///
    /// # Errors
    /// None; the result is for the shells' sake.
    pub async fn shutdown(&self) -> Result<(), TillError> {
        let inner = Arc::clone(&self.inner);
        self.inner
            .runtime
            .read(move || {
                // In this order the log stays as it is: whoever only reads writes nothing back.
                inner.runtime.stop_engine();
                inner.reading.rest();
                Ok(())
            })
            .await
    }

    /// What this till's calls run on, for whoever must bring a call to its end although its caller may go away.
    #[must_use]
    pub fn runtime(&self) -> tokio::runtime::Handle {
        self.inner.runtime.handle().clone()
    }

    /// Breaks the engine, for tests.
    ///
    /// # Errors
    /// *Internal*, always.
    #[cfg(any(test, feature = "panicking"))]
    pub async fn planted_panic(&self) -> Result<(), TillError> {
        expect_reply!(self.inner.runtime.ask(Command::Panic).await, Reply::Done => ())
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Inner) -> Result<T, TillError> + Send + 'static,
    ) -> Result<T, TillError> {
        let inner = Arc::clone(&self.inner);
        self.inner.runtime.read(move || read(&inner)).await
    }
}

fn parse(payment_id: &str) -> Result<PaymentId, TillError> {
    PaymentId::parse(payment_id).map_err(|error| TillError::fix_input("payment_id", error))
}
