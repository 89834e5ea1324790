//! What the shell reads: plain records, ready to show.

mod payments;
mod payouts;
mod state;

pub use payments::{
    PaymentDetail, PaymentQuery, PaymentView, PaymentsPage, Receipt, ReceiptCopy, TakingsLine, TimelineEntry,
};
pub use payouts::{PayoutDetail, PayoutEntryView, PayoutQuery, PayoutView, PayoutsPage};
pub use state::{
    ActivationView, AlertView, AtStakeView, OfflineRiskView, ReaderView, SignOnView, StatusView, SumView, SyncReport,
    TroubleView, UnsentView, VerifyReport,
};
