//! Refusals (RFC 9457) and what is believed of them.

use serde::Deserialize;
use takings_domain::PaymentId;

use crate::message::Unverified;
use crate::wire::value::{Id, Instant, List, Name, Text, text};

macro_rules! slugs {
    ($($(#[$doc:meta])* $variant:ident => $word:literal),+ $(,)?) => {
        /// The contract's name for a problem.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum ProblemSlug {
            $($(#[$doc])* $variant,)+
            /// One this version does not know; judge by the HTTP status.
            Other(String),
        }

        impl ProblemSlug {
            /// The slug of this name.
            #[must_use]
            pub fn from_word(word: &str) -> Self {
                match word { $($word => Self::$variant,)+ other => Self::Other(other.to_owned()) }
            }

            /// The name, as the contract writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self { $(Self::$variant => $word,)+ Self::Other(word) => word }
            }
        }
    };
}

slugs! {
    /// A defect of ours.
    IdempotencyKeyMissing => "idempotency-key-missing",
    /// The request is not valid.
    Validation => "validation",
    /// The same key with another content: a defect of ours.
    IdempotencyKeyReused => "idempotency-key-reused",
    /// The acquirer is still working on it.
    RequestInProgress => "request-in-progress",
    /// Another payment has this batch and STAN.
    DuplicateTransaction => "duplicate-transaction",
    /// Closed by a final inquiry or a reversal before it came: not charged.
    LateOriginal => "late-original",
    /// Our signature does not hold.
    SignatureInvalid => "signature-invalid",
    /// Our clock is off.
    ClockSkew => "clock-skew",
    /// Sign on first.
    TerminalNotSignedOn => "terminal-not-signed-on",
    /// Another batch is in force: sign on first.
    BatchMismatch => "batch-mismatch",
    /// Keys changed: sign on first.
    KeysRotated => "keys-rotated",
    /// The terminal is blocked.
    TerminalBlocked => "terminal-blocked",
    /// The merchant is suspended.
    MerchantSuspended => "merchant-suspended",
    /// The terminal is not known.
    TerminalUnknown => "terminal-unknown",
    /// The activation code is unknown, used or expired.
    ActivationCodeInvalid => "activation-code-invalid",
    /// Not allowed by the policy.
    PolicyViolation => "policy-violation",
    /// Submitted too late.
    OfflineTooOld => "offline-too-old",
    /// There is none.
    NotFound => "not-found",
    /// Start the list again.
    CursorExpired => "cursor-expired",
    /// Read again first.
    PreconditionFailed => "precondition-failed",
    /// Too many requests.
    RateLimited => "rate-limited",
    /// The bank network is away; not executed.
    UpstreamUnavailable => "upstream-unavailable",
    /// Not now; not executed.
    Maintenance => "maintenance",
    /// It may or may not have been executed.
    OutcomeUnknown => "outcome-unknown",
    /// The acquirer failed; it may or may not have been executed.
    Internal => "internal",
    /// The merchant's account must be verified.
    AccountVerificationRequired => "account-verification-required",
    /// The merchant must hand in a document.
    DocumentRequired => "document-required",
    /// A defect of ours.
    MethodNotAllowed => "method-not-allowed",
    /// A defect of ours.
    PayloadTooLarge => "payload-too-large",
    /// A defect of ours.
    UnsupportedMediaType => "unsupported-media-type",
}

impl ProblemSlug {
    /// Whether it asks to sign on and repeat.
    #[must_use]
    pub fn is_session(&self) -> bool {
        matches!(self, Self::TerminalNotSignedOn | Self::BatchMismatch | Self::KeysRotated)
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What it is.
    pub slug: ProblemSlug,
    /// The HTTP status.
    pub http: u16,
    /// How long to wait, in seconds; at most a day.
    pub retry_after_s: Option<u32>,
    /// Field 39, raw.
    pub response_code: Option<String>,
    /// With `duplicate-transaction`: the payment that has this batch and STAN.
    pub existing_payment_id: Option<PaymentId>,
    /// With `batch-mismatch`: the batch in force.
    pub batch_number: Option<String>,
    /// With `clock-skew`: the server's time, milliseconds UTC.
    pub server_ms: Option<i64>,
    /// With `maintenance`: until when, milliseconds UTC.
    pub until_ms: Option<i64>,
    /// With `policy-violation`: the rule.
    pub rule: Option<String>,
    /// What the merchant can do, raw.
    pub merchant_action: Option<String>,
    /// The members that are wrong, as JSON pointers.
    pub pointers: Vec<String>,
    /// Whether the acquirer signed it. Unsigned ones only ever delay.
    pub verified: bool,
}

/// The longest wait that is honoured, in seconds: a day.
const MAX_RETRY_AFTER_S: u32 = 86_400;

#[derive(Deserialize)]
pub(crate) struct WireProblem {
    code: Text<60>,
    status: u16,
    retry_after_s: Option<u32>,
    instance: Option<Text<200>>,
    response_code: Option<Text<2>>,
    payment_id: Option<Id>,
    batch_number: Option<Text<6>>,
    server_time: Option<Instant>,
    until: Option<Instant>,
    rule: Option<Name>,
    merchant_action: Option<Name>,
    errors: Option<List<WireError, 100>>,
}

#[derive(Deserialize)]
struct WireError {
    pointer: Option<Text<200>>,
}

impl WireProblem {
    /// The problem, if it says the status it came with and names no other request than `key`.
    pub(crate) fn into_problem(self, http: u16, key: Option<&str>) -> Result<Problem, Unverified> {
        if self.status != http {
            return Err(Unverified::Mismatch { field: "status" });
        }
        let ours = |instance: &str| key.is_some_and(|key| instance.strip_prefix("urn:uuid:") == Some(key));
        if self.instance.as_ref().is_some_and(|instance| !ours(&instance.0)) {
            return Err(Unverified::Mismatch { field: "instance" });
        }
        let errors = self.errors.map(|list| list.0).unwrap_or_default();
        Ok(Problem {
            slug: ProblemSlug::from_word(&self.code.0),
            http,
            retry_after_s: self.retry_after_s.map(|seconds| seconds.min(MAX_RETRY_AFTER_S)),
            response_code: text(self.response_code),
            existing_payment_id: self.payment_id.map(|id| id.0),
            batch_number: text(self.batch_number),
            server_ms: self.server_time.map(|at| at.0),
            until_ms: self.until.map(|at| at.0),
            rule: text(self.rule),
            merchant_action: text(self.merchant_action),
            pointers: errors.into_iter().filter_map(|error| text(error.pointer)).collect(),
            verified: false,
        })
    }
}

impl Problem {
    /// What a bare status says; only for those that do nothing but delay.
    pub(crate) fn of_status(http: u16) -> Option<Self> {
        let slug = match http {
            401 => ProblemSlug::SignatureInvalid,
            429 => ProblemSlug::RateLimited,
            503 => ProblemSlug::UpstreamUnavailable,
            _ => return None,
        };
        Some(Self {
            slug,
            http,
            retry_after_s: None,
            response_code: None,
            existing_payment_id: None,
            batch_number: None,
            server_ms: None,
            until_ms: None,
            rule: None,
            merchant_action: None,
            pointers: Vec::new(),
            verified: false,
        })
    }

    /// Takes the wait from the header where the body gives none.
    pub(crate) fn with_retry_after(mut self, header: Option<&str>) -> Self {
        let seconds = header.and_then(|text| text.trim().parse::<u32>().ok());
        self.retry_after_s = self.retry_after_s.or(seconds).map(|seconds| seconds.min(MAX_RETRY_AFTER_S));
        self
    }
}
