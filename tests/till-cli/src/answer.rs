//! What is said back.

use serde_json::{Value, json};
use takings_till::TillError;

/// Why a line brought nothing. The words are those of the till's own errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The line itself is wrong.
    Line { code: &'static str, detail: String },
    /// The till says so.
    Till(TillError),
    /// A file beside the ledger.
    File(String),
    /// Standard input ended while a charge was held: nothing more is said.
    Ended,
}

impl Refused {
    pub(crate) fn input(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Line { code, detail: detail.into() }
    }

    pub(crate) fn field(detail: impl Into<String>) -> Self {
        Self::input("bad_field", detail)
    }

    /// `{kind, code, detail}`.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Line { code, detail } => json!({"kind": "fix_input", "code": code, "detail": detail}),
            Self::Till(error) => serde_json::to_value(error).unwrap_or_else(|_| json!({"kind": "internal"})),
            Self::File(detail) => json!({"kind": "storage", "code": "file", "detail": detail}),
            Self::Ended => json!({"kind": "internal", "code": "ended", "detail": "standard input closed"}),
        }
    }
}

impl From<TillError> for Refused {
    fn from(error: TillError) -> Self {
        Self::Till(error)
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        Self::File(error.to_string())
    }
}
