//! What goes over the line and what comes back, before anything is believed.

use std::fmt;

use thiserror::Error;

/// The most bytes of an answer that are read.
pub const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// An HTTP method of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Does.
    Post,
}

impl Method {
    /// As it stands in the request line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// A request ready to be carried, byte for byte.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// The method.
    pub method: Method,
    /// The absolute URL, exactly as signed.
    pub url: String,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; empty on GET.
    pub body: Vec<u8>,
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} bytes)", self.method.as_str(), self.url, self.body.len())
    }
}

/// An answer as it came.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// Why an answer, or a part of one, is not believed. Whatever was asked for may have happened: it stays in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unverified {
    /// It carries no signature: a portal, a proxy, a redirect.
    #[error("not signed")]
    NoSignature,
    /// Signed by a key that is not known. The caller reads the list of keys, then asks again.
    #[error("signed by an unknown key {kid}")]
    UnknownKey {
        /// The key's name.
        kid: String,
    },
    /// The signature does not hold.
    #[error("the signature does not hold")]
    BadSignature,
    /// Signed, but about something else than was asked.
    #[error("the answer's {field} is not the request's")]
    Mismatch {
        /// What differs.
        field: &'static str,
    },
    /// Signed, but not what the contract says.
    #[error("the answer is malformed: {what}")]
    Malformed {
        /// What is wrong, without any value.
        what: String,
    },
    /// Larger than [`MAX_ANSWER_BYTES`].
    #[error("the answer is too large")]
    TooLarge,
    /// Signed, with a status that this operation does not have.
    #[error("unexpected status {status}")]
    UnexpectedStatus {
        /// The HTTP status.
        status: u16,
    },
}

impl Unverified {
    pub(crate) fn malformed(what: impl fmt::Display) -> Self {
        Self::Malformed { what: what.to_string() }
    }
}
