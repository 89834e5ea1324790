//! The one error of every call.

use takings_till::TillError;
use thiserror::Error;

/// Why a call brought nothing, named after what to do next. `code` is a stable word to branch on; `detail` is for
/// support, in English, without user data.
#[derive(Debug, Clone, PartialEq, Eq, Error, uniffi::Error)]
pub enum TakingsError {
    /// No line, or the acquirer is busy: call again later.
    #[error("try again later ({code}): {detail}")]
    RetryLater {
        /// Stable word.
        code: String,
        /// For support.
        detail: String,
    },
    /// The input is wrong: change it.
    #[error("the input is not right ({code}): {detail}")]
    FixInput {
        /// Stable word.
        code: String,
        /// For support.
        detail: String,
    },
    /// Not activated, or the session is gone: activate or sign on.
    #[error("sign in first ({code}): {detail}")]
    SignIn {
        /// Stable word.
        code: String,
        /// For support.
        detail: String,
    },
    /// Only the merchant can decide this.
    #[error("the merchant decides ({code}): {detail}")]
    AskMerchant {
        /// Stable word.
        code: String,
        /// For support.
        detail: String,
    },
    /// The disk, the file or its key: no new charges until it is mended.
    #[error("storage ({code}): {detail}")]
    Storage {
        /// Stable word.
        code: String,
        /// For support.
        detail: String,
    },
    /// The ledger was written by a newer version of the app.
    #[error("upgrade the app ({code}): {detail}")]
    UpgradeApp {
        /// Stable word.
        code: String,
        /// For support.
        detail: String,
    },
    /// There is nothing by this name.
    #[error("not found ({code}): {detail}")]
    NotFound {
        /// Stable word.
        code: String,
        /// For support.
        detail: String,
    },
    /// A fault of the library, or of what the app implements for it: report it.
    #[error("internal ({code}): {detail}")]
    Internal {
        /// Stable word.
        code: String,
        /// For support.
        detail: String,
    },
}

impl TakingsError {
    pub(crate) fn fix_input(code: &str, detail: impl ToString) -> Self {
        Self::FixInput { code: code.to_owned(), detail: detail.to_string() }
    }

    pub(crate) fn storage(code: &str, detail: impl ToString) -> Self {
        Self::Storage { code: code.to_owned(), detail: detail.to_string() }
    }

    pub(crate) fn internal(code: &str, detail: impl ToString) -> Self {
        Self::Internal { code: code.to_owned(), detail: detail.to_string() }
    }
}

impl From<TillError> for TakingsError {
    fn from(error: TillError) -> Self {
        let code = error.code().to_owned();
        match error {
            TillError::RetryLater { code: _, detail } => Self::RetryLater { code, detail },
            TillError::FixInput { code: _, detail } => Self::FixInput { code, detail },
            TillError::SignIn { code: _, detail } => Self::SignIn { code, detail },
            TillError::AskMerchant { code: _, detail } => Self::AskMerchant { code, detail },
            TillError::Storage { code: _, detail } => Self::Storage { code, detail },
            TillError::UpgradeApp { code: _, detail } => Self::UpgradeApp { code, detail },
            TillError::NotFound { code: _, detail } => Self::NotFound { code, detail },
            TillError::Internal { code: _, detail } => Self::Internal { code, detail },
        }
    }
}

/// What the app implements threw something else than this error. Its text may hold anything, so it stays there.
impl From<uniffi::UnexpectedUniFFICallbackError> for TakingsError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::internal("callback", "what the app implements threw an error of its own")
    }
}
