//! What goes in and what comes out. Instants are milliseconds since 1970 UTC with the unit in the name; days are text,
//! `2026-11-21`, in the acquirer's zone; money is in minor units of its currency.

mod charging;
mod config;
mod payments;
mod payouts;
mod state;
mod vendor;

pub use charging::{ChargeMode, ChargeOutcome, ChargeRequest, PromptView, Step};
pub use config::{Language, TillConfig};
pub use payments::{
    PaymentDetail, PaymentQuery, PaymentView, PaymentsPage, Receipt, ReceiptCopy, TakingsLine, TimelineEntry,
};
pub use payouts::{PayoutDetail, PayoutEntryView, PayoutQuery, PayoutView, PayoutsPage};
pub use state::{
    ActivationView, AlertView, AtStakeView, OfflineRiskView, ReaderView, SignOnView, StatusView, SumView, SyncReport,
    TroubleView, UnsentView, VerifyReport,
};
pub use vendor::{
    VendorAbout, VendorAsked, VendorCard, VendorEnd, VendorEntry, VendorEvent, VendorReceipt, VendorStart,
};
