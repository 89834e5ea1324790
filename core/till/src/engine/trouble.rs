//! Why a question brought no report.

use takings_acquirers::{Problem, ProblemSlug, Unverified};
use takings_domain::PaymentId;

use crate::error::TillError;

/// Who cannot sign may ask for a pause, but not for a long one, milliseconds.
const LONGEST_UNSIGNED_WAIT_MS: i64 = 900_000;

/// Why a question brought no report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing left the phone.
    NotSent { why: String },
    /// The acquirer says that it did not execute it: later, or after a new session.
    NotExecuted { code: String, retry_after_ms: Option<i64>, session: bool, server_ms: Option<i64> },
    /// Nobody knows; `signed` if the acquirer itself says so.
    Maybe { why: String, retry_after_ms: Option<i64>, signed: bool },
    /// An answer that cannot be believed.
    Unverified { why: String, unknown_key: bool },
    /// The acquirer refuses it for good.
    Refused { code: String, existing: Option<PaymentId> },
}

impl Trouble {
    /// What a problem document means. Unsigned ones only delay, so they leave the question open.
    pub(super) fn of(problem: &Problem) -> Self {
        let code = problem.slug.as_str().to_owned();
        let signed = problem.verified;
        let longest_ms = if signed { i64::MAX } else { LONGEST_UNSIGNED_WAIT_MS };
        let retry_after_ms =
            problem.retry_after_s.map(|seconds| i64::from(seconds).saturating_mul(1_000).min(longest_ms));
        let session = problem.slug.is_session() || problem.http == 401;
        let not_executed =
            session || matches!(problem.http, 429 | 503) || problem.slug == ProblemSlug::RequestInProgress;
        if not_executed && problem.verified {
            // In progress is the one delay that says that it *is* being executed.
            if problem.slug == ProblemSlug::RequestInProgress {
                return Self::Maybe { why: code, retry_after_ms, signed };
            }
            return Self::NotExecuted { code, retry_after_ms, session, server_ms: problem.server_ms };
        }
        if session {
            // It may be the acquirer's, under a key that is new to us: without its word on clock and session nothing goes on.
            return Self::Unverified { why: code, unknown_key: true };
        }
        if not_executed || problem.http >= 500 {
            return Self::Maybe { why: code, retry_after_ms, signed };
        }
        if problem.verified {
            Self::Refused { code, existing: problem.existing_payment_id }
        } else {
            Self::Unverified { why: code, unknown_key: false }
        }
    }

    /// An answer, or a part of one, that is not believed.
    pub(super) fn unverified(why: &Unverified) -> Self {
        let unknown_key = matches!(why, Unverified::UnknownKey { .. });
        Self::Unverified { why: why.to_string(), unknown_key }
    }

    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::NotExecuted { code, .. } | Self::Refused { code, .. } => Some(code),
            Self::Maybe { why, .. } | Self::NotSent { why } | Self::Unverified { why, .. } => Some(why),
        }
    }

    pub(super) fn retry_after_ms(&self) -> Option<i64> {
        match self {
            Self::NotExecuted { retry_after_ms, .. } | Self::Maybe { retry_after_ms, .. } => *retry_after_ms,
            _ => None,
        }
    }

    /// Our counter repeats itself: the acquirer knows another payment by this trace number.
    pub(super) fn is_duplicate_transaction(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == ProblemSlug::DuplicateTransaction.as_str())
    }

    /// The acquirer refuses whatever this terminal sends, not this payment.
    pub(super) fn is_about_the_terminal(&self) -> bool {
        use ProblemSlug as P;
        let slugs = [
            P::TerminalBlocked,
            P::TerminalUnknown,
            P::MerchantSuspended,
            P::AccountVerificationRequired,
            P::DocumentRequired,
            P::MethodNotAllowed,
            P::NotFound,
        ];
        matches!(self, Self::Refused { code, .. } if slugs.iter().any(|slug| slug.as_str() == code))
    }

    pub(super) fn wants_sign_on(&self) -> bool {
        matches!(self, Self::NotExecuted { session: true, .. })
    }

    /// Nobody answered, or nobody who signs.
    pub(super) fn is_silence(&self) -> bool {
        matches!(self, Self::Maybe { signed: false, .. } | Self::Unverified { .. })
    }

    /// It was signed with a key that is new to us.
    pub(super) fn wants_keys(&self) -> bool {
        matches!(self, Self::Unverified { unknown_key: true, .. })
    }

    /// The acquirer no longer keeps what lies after our cursor.
    pub(super) fn lost_our_place(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == ProblemSlug::CursorExpired.as_str())
    }

    pub(super) fn error(&self) -> TillError {
        match self {
            Self::NotSent { why } => TillError::retry_later("no_line", why),
            Self::NotExecuted { code, .. } => TillError::retry_later("busy", code),
            Self::Maybe { why, .. } => TillError::retry_later("no_answer", why),
            Self::Unverified { why, .. } => TillError::retry_later("unverified", why),
            Self::Refused { code, .. } => TillError::ask_merchant("refused_by_acquirer", code),
        }
    }
}
