//! Problems (RFC 9457) by the contract's table.

use serde_json::{Map, Value, json};

/// Code, status, retry, title.
const TABLE: &[(&str, u16, &str, &str)] = &[
    ("idempotency-key-missing", 400, "never", "Idempotency-Key is absent or malformed"),
    ("validation", 422, "never", "The request is not valid"),
    ("signature-invalid", 401, "after_resync", "The signature is not valid"),
    ("clock-skew", 401, "after_resync", "The signature is too old or from the future"),
    ("terminal-blocked", 403, "never", "This terminal is blocked"),
    ("terminal-unknown", 403, "never", "This terminal is not known"),
    ("merchant-suspended", 403, "never", "This merchant is suspended"),
    ("activation-code-invalid", 403, "never", "The activation code is not valid"),
    ("account-verification-required", 403, "later", "The settlement account must be verified"),
    ("document-required", 403, "later", "A document is required"),
    ("not-found", 404, "never", "Not found"),
    ("method-not-allowed", 405, "never", "Method not allowed"),
    ("request-in-progress", 409, "same_key", "Still working on it"),
    ("duplicate-transaction", 409, "never", "Batch and STAN are taken"),
    ("late-original", 409, "never", "Closed before it came"),
    ("terminal-not-signed-on", 409, "after_sign_on", "Sign on first"),
    ("batch-mismatch", 409, "after_sign_on", "Another batch is in force"),
    ("keys-rotated", 409, "after_sign_on", "Keys were changed, sign on first"),
    ("cursor-expired", 410, "restart", "The cursor is too old"),
    ("precondition-failed", 412, "restart", "Precondition failed"),
    ("payload-too-large", 413, "never", "The request is too large"),
    ("unsupported-media-type", 415, "never", "Only application/json is taken"),
    ("idempotency-key-reused", 422, "never", "The same key with another content"),
    ("policy-violation", 422, "never", "Not allowed offline"),
    ("offline-too-old", 422, "never", "Uploaded after the deadline"),
    ("rate-limited", 429, "after", "Too many requests"),
    ("internal", 500, "same_key", "Something went wrong"),
    ("upstream-unavailable", 503, "after", "The bank network is not available"),
    ("maintenance", 503, "after", "Maintenance"),
    ("outcome-unknown", 504, "same_key", "No answer from the bank network"),
];

/// A refusal or failure, on its way to be an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) retry_after_s: Option<u32>,
    /// `Allow` of a 405.
    pub(crate) allow: Option<&'static str>,
    body: Map<String, Value>,
}

impl Problem {
    /// The problem of this code; `None` if the table has no such code.
    pub(crate) fn named(code: &str) -> Option<Self> {
        let (code, status, retry, title) = TABLE.iter().find(|(known, ..)| *known == code)?;
        let mut body = Map::new();
        body.insert("type".to_owned(), json!(format!("https://takings.example/problems/{code}")));
        body.insert("title".to_owned(), json!(title));
        body.insert("status".to_owned(), json!(status));
        body.insert("code".to_owned(), json!(code));
        body.insert("retry".to_owned(), json!(retry));
        let problem = Self { status: *status, code, retry_after_s: None, allow: None, body };
        Some(if matches!(*status, 429 | 503) { problem.after(1) } else { problem })
    }

    /// The problem of a code that is in the table.
    pub(crate) fn new(code: &'static str) -> Self {
        Self::named(code).unwrap_or_else(|| Self {
            status: 500,
            code: "internal",
            retry_after_s: None,
            allow: None,
            body: Map::new(),
        })
    }

    /// The problem a bare status of the table's stands for.
    pub(crate) fn of_status(status: u16) -> Self {
        let code = match status {
            429 => "rate-limited",
            503 => "upstream-unavailable",
            504 => "outcome-unknown",
            _ => "internal",
        };
        let mut problem = Self::new(code);
        problem.status = status;
        problem.body.insert("status".to_owned(), json!(status));
        problem
    }

    pub(crate) fn not_found() -> Self {
        Self::new("not-found")
    }

    /// `validation` with one error.
    pub(crate) fn invalid(pointer: &str, code: &'static str) -> Self {
        Self::invalid_all(&[(pointer.to_owned(), code)])
    }

    /// `validation` with its errors (pointer, code).
    pub(crate) fn invalid_all(errors: &[(String, &'static str)]) -> Self {
        let error = |(pointer, code): &(String, &'static str)| {
            let pointer: String = pointer.chars().take(200).collect();
            json!({"pointer": pointer, "code": code})
        };
        let errors: Vec<Value> = errors.iter().take(100).map(error).collect();
        Self::new("validation").with("errors", json!(errors))
    }

    /// 400: the body is not JSON.
    pub(crate) fn not_json() -> Self {
        let mut problem = Self::new("validation");
        problem.status = 400;
        problem.body.insert("status".to_owned(), json!(400));
        problem
    }

    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.body.insert(name.to_owned(), value);
        self
    }

    /// With `Retry-After`, in seconds.
    pub(crate) fn after(mut self, seconds: u32) -> Self {
        let seconds = seconds.min(86_400);
        self.retry_after_s = Some(seconds);
        self.with("retry_after_s", json!(seconds))
    }

    pub(crate) fn body(&self) -> Value {
        Value::Object(self.body.clone())
    }
}
