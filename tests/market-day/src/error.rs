//! Why a day could not be played.

use std::io;

use thiserror::Error;

/// Why a day could not be played. What the day itself finds out is no error: it is in the account.
#[derive(Debug, Error)]
pub(crate) enum DayError {
    /// A file or a process.
    #[error("{0}: {1}")]
    Io(String, io::Error),
    /// The acquirer's administration refused.
    #[error("the acquirer's administration at {path} answered {status}: {body}")]
    Admin {
        /// What was asked.
        path: String,
        /// HTTP status.
        status: u16,
        /// What it said.
        body: String,
    },
    /// The till refused a command that must work.
    #[error("the till refused {command}: {error}")]
    Till {
        /// The command.
        command: String,
        /// Its error, as JSON.
        error: String,
    },
    /// A child ended or said something unexpected.
    #[error("{0}")]
    Child(String),
    /// The directory holds another day, or the acquirer is not usable for this one.
    #[error("{0}")]
    Unfit(String),
}

/// Names the thing an I/O error is about.
pub(crate) trait About<T> {
    /// The same result with the thing's name in its error.
    fn about(self, what: impl Into<String>) -> Result<T, DayError>;
}

impl<T> About<T> for io::Result<T> {
    fn about(self, what: impl Into<String>) -> Result<T, DayError> {
        self.map_err(|error| DayError::Io(what.into(), error))
    }
}

impl<T> About<T> for serde_json::Result<T> {
    fn about(self, what: impl Into<String>) -> Result<T, DayError> {
        self.map_err(|error| DayError::Io(what.into(), error.into()))
    }
}
