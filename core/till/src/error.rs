//! The one error a shell sees: named after what the caller does next.

use serde::Serialize;
use thiserror::Error;

/// Why a call brought nothing. `code` is stable; `detail` is for people who help, and holds no user data.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TillError {
    /// No line, or the acquirer is busy: call again later.
    #[error("try again later ({code}): {detail}")]
    RetryLater {
        /// Stable word.
        code: &'static str,
        /// For support.
        detail: String,
    },
    /// The input is wrong: change it.
    #[error("the input is not right ({code}): {detail}")]
    FixInput {
        /// Stable word.
        code: &'static str,
        /// For support.
        detail: String,
    },
    /// Not activated, or the session is gone: activate or sign on.
    #[error("sign in first ({code}): {detail}")]
    SignIn {
        /// Stable word.
        code: &'static str,
        /// For support.
        detail: String,
    },
    /// Only the merchant can decide this.
    #[error("the merchant decides ({code}): {detail}")]
    AskMerchant {
        /// Stable word.
        code: &'static str,
        /// For support.
        detail: String,
    },
    /// The disk or the file: no new charges until it is mended.
    #[error("storage ({code}): {detail}")]
    Storage {
        /// Stable word.
        code: &'static str,
        /// For support.
        detail: String,
    },
    /// The ledger was written by a newer version.
    #[error("upgrade the app ({code}): {detail}")]
    UpgradeApp {
        /// Stable word.
        code: &'static str,
        /// For support.
        detail: String,
    },
    /// There is nothing by this name.
    #[error("not found ({code}): {detail}")]
    NotFound {
        /// Stable word.
        code: &'static str,
        /// For support.
        detail: String,
    },
    /// Our fault: report it.
    #[error("internal ({code}): {detail}")]
    Internal {
        /// Stable word.
        code: &'static str,
        /// For support.
        detail: String,
    },
}

macro_rules! shorthand {
    ($($function:ident => $variant:ident),+ $(,)?) => {
        impl TillError {
            $(pub(crate) fn $function(code: &'static str, detail: impl ToString) -> Self {
                Self::$variant { code, detail: detail.to_string() }
            })+

            /// What the acquirer said of one subject cannot be: no reason to stop anybody else's.
            pub(crate) fn is_about_one_subject(&self) -> bool {
                matches!(self.code(), "ledger" | "unverified" | "payout_sum")
            }

            /// The stable word.
            #[must_use]
            pub fn code(&self) -> &'static str {
                match self { $(Self::$variant { code, .. } => code),+ }
            }
        }
    };
}
shorthand! {
    retry_later => RetryLater, fix_input => FixInput, sign_in => SignIn, ask_merchant => AskMerchant,
    storage => Storage, upgrade_app => UpgradeApp, not_found => NotFound, internal => Internal,
}
