//! Documents that are kept as the acquirer signed them, and what they say.

use chrono::NaiveDate;
use takings_domain::{Calendar, RiskPolicy, SettlementTerms};

use crate::keys::AcquirerKey;
use crate::webhook::SignedDocument;

/// The offline policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    /// As signed.
    pub signed: SignedDocument,
    /// As read. The caller compares merchant and terminal.
    pub policy: RiskPolicy,
}

/// The settlement terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermsDocument {
    /// As signed.
    pub signed: SignedDocument,
    /// As read.
    pub terms: SettlementTerms,
}

/// The settlement calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarDocument {
    /// As signed.
    pub signed: SignedDocument,
    /// As read.
    pub calendar: Calendar,
    /// The acquirer's version.
    pub version: String,
    /// First day; equals what was asked.
    pub from: NaiveDate,
    /// Last day; equals what was asked.
    pub to: NaiveDate,
}

/// The list of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    /// As signed by the root key.
    pub signed: SignedDocument,
    /// The keys, for [`crate::KeyRing::replace`].
    pub keys: Vec<AcquirerKey>,
}
