//! The till as the shells see it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use takings_till::TillError;
use tokio::runtime::Handle;

use crate::callbacks::Foreign;
use crate::calls;
use crate::charge::Charge;
use crate::device_key::DeviceKey;
use crate::error::TakingsError;
use crate::guard::{guarded, guarded_async};
use crate::key_vault::KeyVault;
use crate::log_sink::{Log, LogSink};
use crate::opening;
use crate::records::{
    ActivationView, AlertView, AtStakeView, ChargeRequest, PaymentDetail, PaymentQuery, PaymentView, PaymentsPage,
    PayoutDetail, PayoutQuery, PayoutsPage, Receipt, ReceiptCopy, SignOnView, StatusView, SyncReport, TakingsLine,
    TillConfig, VerifyReport,
};
use crate::wire::{Wire, day};

/// A till: one merchant's terminal on one phone. Open one, keep it, and share it between threads.
///
/// Every call may be made from any thread and returns at once to a suspended caller; none blocks the main thread. A call
/// that is cancelled either never began or is done whole.
#[derive(uniffi::Object)]
pub struct Till {
    till: takings_till::Till,
    handle: Handle,
    log: Log,
    logged: Mutex<Option<takings_till::views::TroubleView>>,
}

impl Till {
    pub(crate) fn new(till: takings_till::Till, log: Log) -> Self {
        let handle = till.runtime();
        Self { till, handle, log, logged: Mutex::new(None) }
    }

    /// Runs one call of the core's to its end.
    pub(crate) async fn run<T, F>(
        &self,
        name: &'static str,
        call: impl FnOnce(takings_till::Till) -> F,
    ) -> Result<T::Out, TakingsError>
    where
        T: Wire + Send + 'static,
        T::Out: Send,
        F: Future<Output = Result<T, TillError>> + Send + 'static,
    {
        calls::run(&self.handle, &self.log, name, call(self.till.clone())).await
    }

    /// What went wrong while nobody waited is logged once.
    fn log_trouble(&self, status: &takings_till::views::StatusView) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if *logged != status.trouble {
            if let Some(trouble) = &status.trouble {
                self.log.trouble("background", &trouble.detail);
            }
            logged.clone_from(&status.trouble);
        }
    }
}

/// What the ledger in the directory `dir` held and had unsent, by the witness beside it: for a ledger that cannot be
/// opened, because it is damaged or its key is lost. Needs neither key nor till; null if there is no sound witness. Reads
/// one small file.
#[uniffi::export]
pub fn at_stake(dir: String) -> Result<Option<AtStakeView>, TakingsError> {
    guarded(|| Ok(takings_till::Till::at_stake(Path::new(&dir))?.wire()))
}

/// Puts the ledger in the directory `dir` aside, under another name beside it, and says what it had unsent, as its witness
/// says; null if no sound witness is there. For a merchant whose key is lost, of the ledger or of the phone, and who decides
/// to begin anew: the next `open` begins a ledger that must be activated, and tells what is missing. Nothing does this by
/// itself.
///
/// Throws *storage* `in_use` while a till has the ledger open, *not found* if there is none.
#[uniffi::export]
pub fn begin_anew(dir: String) -> Result<Option<AtStakeView>, TakingsError> {
    guarded(|| Ok(takings_till::Till::begin_anew(Path::new(&dir))?.wire()))
}

#[uniffi::export]
impl Till {
    /// Opens the ledger, settles what a crash left open, and starts. At the first opening the ledger and its key are made.
    ///
    /// Throws *storage* if the file or its key cannot be had (`key_lost`, `in_use`, `wrong_key`, …), *fix input* for an
    /// address that is neither `https` nor this machine. Whatever happens, `at_stake` says what is unsent.
    #[uniffi::constructor]
    pub async fn open(
        config: TillConfig,
        device_key: Arc<dyn DeviceKey>,
        key_vault: Arc<dyn KeyVault>,
        log_sink: Option<Arc<dyn LogSink>>,
    ) -> Result<Arc<Self>, TakingsError> {
        guarded_async(async {
            let (device_key, key_vault) = (Foreign::new(device_key), Foreign::new(key_vault));
            let log_sink = log_sink.map(Foreign::new);
            opening::on_a_thread(move || opening::open(config, device_key, key_vault, log_sink)).await
        })
        .await
    }

    /// Binds this phone to a merchant's terminal, and signs on. The same code again continues the same request: a lost
    /// answer burns nothing.
    ///
    /// Throws *fix input* for a mistyped code, *ask merchant* if the acquirer refuses it, *retry later* without a line.
    pub async fn activate(&self, activation_code: String) -> Result<ActivationView, TakingsError> {
        guarded_async(async { self.run("activate", |till| async move { till.activate(&activation_code).await }).await })
            .await
    }

    /// Begins a session, and fetches policy, terms and calendar where they changed.
    ///
    /// Throws *sign in* before activation, *retry later* without a line.
    pub async fn sign_on(&self) -> Result<SignOnView, TakingsError> {
        guarded_async(async { self.run("sign_on", |till| async move { till.sign_on().await }).await }).await
    }

    /// Starts a charge. When this returns, the intent is on the disk: connect the reader now. What the offline policy
    /// refuses already now, the charge says at its first step. Takes ten seconds at most, where a session must be opened
    /// first.
    ///
    /// Throws *fix input* for an amount or currency that cannot be; *ask merchant* `order_already_charged` with the other
    /// payment's id; *sign in* before the first sign-on.
    pub async fn charge(&self, request: ChargeRequest) -> Result<Arc<Charge>, TakingsError> {
        guarded_async(async {
            let till = self.till.clone();
            let request = request.into();
            calls::run_blocking(&self.handle, &self.log, "charge", move || till.charge(request)).await.map(Charge::new)
        })
        .await
    }

    /// Sends what waits, asks after what is in doubt, and reads what changed. `budget_ms` bounds it: no send starts with
    /// less than 12,000 ms left; iOS gives 30,000. A missing line is no error: see the report.
    ///
    /// Throws *sign in* before activation, *retry later* while another sync runs.
    pub async fn sync(&self, budget_ms: u64) -> Result<SyncReport, TakingsError> {
        guarded_async(async {
            let log = self.log.clone();
            let done = async move |till: takings_till::Till| {
                let report = till.sync(budget_ms).await?;
                if let Some(detail) = &report.detail {
                    log.trouble("sync", detail);
                }
                Ok(report)
            };
            self.run("sync", done).await
        })
        .await
    }

    /// Time passed: does what is due. The till wakes by itself; this is for demo worlds, whose time only moves by hand.
    pub async fn tick(&self) -> Result<(), TakingsError> {
        guarded_async(async { self.run("tick", |till| async move { till.tick().await }).await }).await
    }

    /// Cancels a payment that certainly did not leave the phone. `operator` is who did it.
    ///
    /// Throws *ask merchant* `cannot_cancel` for anything else: refund it. *Not found* for an unknown id.
    pub async fn cancel(&self, payment_id: String, operator: Option<String>) -> Result<PaymentView, TakingsError> {
        guarded_async(async {
            self.run("cancel", |till| async move { till.cancel(&payment_id, operator.as_deref()).await }).await
        })
        .await
    }

    /// Says whether the goods were handed over. `operator` is who said so.
    ///
    /// Throws *not found* for an unknown id.
    pub async fn mark_service(
        &self,
        payment_id: String,
        given: bool,
        operator: Option<String>,
    ) -> Result<PaymentView, TakingsError> {
        guarded_async(async {
            let call = |till: takings_till::Till| async move {
                till.mark_service(&payment_id, given, operator.as_deref()).await
            };
            self.run("mark_service", call).await
        })
        .await
    }

    /// A page of payments, newest first.
    ///
    /// Throws *fix input* for a word, day, limit or page key that is none.
    pub async fn payments(&self, query: PaymentQuery) -> Result<PaymentsPage, TakingsError> {
        guarded_async(async {
            let query = query.core()?;
            self.run("payments", |till| async move { till.payments(query).await }).await
        })
        .await
    }

    /// One payment with its history.
    ///
    /// Throws *not found* for an unknown id.
    pub async fn payment(&self, payment_id: String) -> Result<PaymentDetail, TakingsError> {
        guarded_async(async { self.run("payment", |till| async move { till.payment(&payment_id).await }).await }).await
    }

    /// Sums by stage and currency of the sales from one day to another, both included, in the acquirer's zone. Days are
    /// written `2026-11-21`.
    pub async fn takings(&self, from_day: String, to_day: String) -> Result<Vec<TakingsLine>, TakingsError> {
        guarded_async(async {
            let (from, to) = (day(&from_day)?, day(&to_day)?);
            self.run("takings", |till| async move { till.takings(from, to).await }).await
        })
        .await
    }

    /// A page of payouts, newest first.
    ///
    /// Throws *fix input* for a word, limit or page key that is none.
    pub async fn payouts(&self, query: PayoutQuery) -> Result<PayoutsPage, TakingsError> {
        guarded_async(async {
            let query = query.into();
            self.run("payouts", |till| async move { till.payouts(query).await }).await
        })
        .await
    }

    /// One payout with its lines.
    ///
    /// Throws *not found* for an unknown id.
    pub async fn payout(&self, payout_id: String) -> Result<PayoutDetail, TakingsError> {
        guarded_async(async { self.run("payout", |till| async move { till.payout(&payout_id).await }).await }).await
    }

    /// How the till is: session, line, queue, risk used, ledger, and what went wrong last while nobody waited.
    pub async fn status(&self) -> Result<StatusView, TakingsError> {
        guarded_async(async {
            let status = self.run("status", |till| async move { till.status().await.map(Kept) }).await?;
            self.log_trouble(&status);
            Ok(status.wire())
        })
        .await
    }

    /// At most `max` alerts that were not acknowledged yet, in order. The same ones again until they are.
    pub async fn next_alerts(&self, max: u32) -> Result<Vec<AlertView>, TakingsError> {
        guarded_async(async { self.run("next_alerts", |till| async move { till.next_alerts(max).await }).await }).await
    }

    /// The merchant has heard every alert up to this number (`AlertView.alert`): none of them is told again.
    pub async fn acknowledge(&self, upto: u64) -> Result<(), TakingsError> {
        guarded_async(async { self.run("acknowledge", |till| async move { till.acknowledge(upto).await }).await }).await
    }

    /// The receipt as lines of text. Counts as printed: later copies say that they are reprints.
    ///
    /// Throws *not found* for an unknown id.
    pub async fn receipt(&self, payment_id: String, copy: ReceiptCopy) -> Result<Receipt, TakingsError> {
        guarded_async(async {
            let copy = copy.into();
            self.run("receipt", |till| async move { till.receipt(&payment_id, copy).await }).await
        })
        .await
    }

    /// Walks the whole ledger: hashes, folds, lists, balances. Takes time in proportion to its length; charges wait.
    pub async fn verify(&self) -> Result<VerifyReport, TakingsError> {
        guarded_async(async { self.run("verify", |till| async move { till.verify().await }).await }).await
    }

    /// Finishes what is being written and lets the file's locks go. When this returns the app may be suspended. The next
    /// call goes on by itself.
    pub async fn going_to_background(&self) -> Result<(), TakingsError> {
        guarded_async(async {
            self.run("going_to_background", |till| async move { till.going_to_background().await }).await
        })
        .await
    }

    /// Stops the till: every later call fails. What is under way on the line is in doubt and settled at the next opening.
    pub async fn shutdown(&self) -> Result<(), TakingsError> {
        guarded_async(async { self.run("shutdown", |till| async move { till.shutdown().await }).await }).await
    }
}

/// Passes a status through as it is, so that it can be looked at before it crosses.
struct Kept(takings_till::views::StatusView);

impl Wire for Kept {
    type Out = takings_till::views::StatusView;

    fn wire(self) -> Self::Out {
        self.0
    }
}
