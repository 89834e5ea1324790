//! Exports for tests, failing on purpose or giving back what they get; no part of what ships.

use std::sync::Arc;

use crate::error::TakingsError;
use crate::guard::{guarded, guarded_async};
use crate::records::{
    AlertView, ChargeRequest, PaymentDetail, PaymentQuery, PayoutDetail, Receipt, SignOnView, StatusView, Step,
    SyncReport, TakingsLine, TillConfig, VendorAbout, VendorEvent, VendorStart, VerifyReport,
};
use crate::till::Till;

/// Fails at `place`: `call` (the call itself), `engine` (the engine under it), `here` (the caller's thread).
#[uniffi::export]
#[expect(clippy::panic, reason = "that is what it is for")]
pub async fn planted_panic(till: Arc<Till>, place: String) -> Result<(), TakingsError> {
    guarded_async(async {
        match place.as_str() {
            "engine" => till.run("planted_panic", |till| async move { till.planted_panic().await }).await,
            "call" => till.run::<(), _>("planted_panic", |_| async { panic!("planted") }).await,
            _ => panic!("planted"),
        }
    })
    .await
}

/// Fails on the caller's thread, in the middle of a synchronous call.
#[uniffi::export]
#[expect(clippy::panic, reason = "that is what it is for")]
pub fn planted_panic_now() -> Result<(), TakingsError> {
    guarded(|| panic!("planted"))
}

/// One of each record, with what they are made of.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PlantedRecords {
    /// Payments.
    pub payments: Vec<PaymentDetail>,
    /// What is asked for.
    pub queries: Vec<PaymentQuery>,
    /// Payouts.
    pub payouts: Vec<PayoutDetail>,
    /// What is charged.
    pub requests: Vec<ChargeRequest>,
    /// What the reader's link brings.
    pub steps: Vec<Step>,
    /// How the till is.
    pub status: Option<StatusView>,
    /// What a sync did.
    pub report: Option<SyncReport>,
    /// What a sign-on brought.
    pub sign_on: Option<SignOnView>,
    /// Alerts.
    pub alerts: Vec<AlertView>,
    /// Sums.
    pub takings: Vec<TakingsLine>,
    /// Receipts.
    pub receipts: Vec<Receipt>,
    /// What a check found.
    pub verified: Option<VerifyReport>,
    /// How a till is set up.
    pub config: Option<TillConfig>,
    /// What a vendor's reader is told.
    #[uniffi(default = [])]
    pub vendor_starts: Vec<VendorStart>,
    /// What is known of one.
    #[uniffi(default = [])]
    pub vendor_abouts: Vec<VendorAbout>,
    /// What it says.
    #[uniffi(default = [])]
    pub vendor_events: Vec<VendorEvent>,
}

/// Gives back what it gets.
#[uniffi::export]
pub fn planted_echo(records: PlantedRecords) -> Result<PlantedRecords, TakingsError> {
    guarded(|| Ok(records))
}
