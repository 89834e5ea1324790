//! Answers before they are signed, queries, and pages.

use serde_json::{Value, json};

use crate::input::{parse_date, query};
use crate::instant::{parse_rfc3339, rfc3339};
use crate::problem::Problem;

/// Days a cursor lives, in milliseconds: 8 (the contract promises 7).
const CURSOR_MS: i64 = 8 * 86_400_000;

/// An answer without its signature.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) problem: bool,
    /// Signed by the root key.
    pub(crate) root: bool,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string().into_bytes(), problem: false, root: false }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a strong entity tag (quotes included).
    pub(crate) fn tagged(self, etag: &str) -> Self {
        self.with("etag", etag)
    }

    /// With an entity tag made of the body.
    pub(crate) fn tagged_by_body(self) -> Self {
        use sha2::Digest as _;
        let digest = sha2::Sha256::digest(&self.body);
        let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.tagged(&format!("\"b-{hex}\""))
    }

    pub(crate) fn replayed(self) -> Self {
        self.with("idempotent-replayed", "true")
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let mut reply = Self::json(problem.status, &problem.body());
        reply.problem = true;
        if let Some(seconds) = problem.retry_after_s {
            reply = reply.with("retry-after", &seconds.to_string());
        }
        if let Some(allow) = problem.allow {
            reply = reply.with("allow", allow);
        }
        reply
    }
}

/// A query being read.
#[derive(Clone, Debug)]
pub(crate) struct Search(Vec<(String, String)>);

impl Search {
    pub(crate) fn of(text: &str) -> Self {
        Self(query(text))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn int(&self, name: &str, min: i64, max: i64) -> Result<Option<i64>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let digits = (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let number: i64 = if digits { text.parse().unwrap_or(-1) } else { -1 };
        if !digits {
            return Err(Problem::invalid(&format!("/{name}"), "type"));
        }
        if (min..=max).contains(&number) {
            Ok(Some(number))
        } else {
            Err(Problem::invalid(&format!("/{name}"), "out_of_range"))
        }
    }

    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        Ok(self.int("limit", 1, 200)?.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(50))
    }

    /// An instant; a bare `+` in a query arrives as a space.
    pub(crate) fn instant(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let ms = if text.len() <= 35 { parse_rfc3339(&text.replace(' ', "+")) } else { None };
        ms.map(Some).ok_or_else(|| Problem::invalid(&format!("/{name}"), "format"))
    }

    pub(crate) fn date(&self, name: &str) -> Result<Option<chrono::NaiveDate>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        parse_date(text).map(Some).ok_or_else(|| Problem::invalid(&format!("/{name}"), "format"))
    }

    pub(crate) fn word(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.text(name) {
            Some(text) if !crate::input::is_word(text) => Err(Problem::invalid(&format!("/{name}"), "format")),
            text => Ok(text),
        }
    }

    /// Where the page starts: the (updated_at, id) of the last item before it.
    pub(crate) fn cursor(&self, now_ms: i64) -> Result<Option<(i64, String)>, Problem> {
        let Some(text) = self.text("cursor") else { return Ok(None) };
        let refused = || Problem::invalid("/cursor", "format");
        let rest = text.strip_prefix("c1.").ok_or_else(refused)?;
        let mut parts = rest.splitn(3, '.');
        let mut number = || parts.next().and_then(|part| part.parse::<i64>().ok());
        let (issued, updated) = (number().ok_or_else(refused)?, number().ok_or_else(refused)?);
        let id = parts.next().filter(|id| !id.is_empty()).ok_or_else(refused)?;
        if now_ms - issued > CURSOR_MS {
            return Err(Problem::new("cursor-expired"));
        }
        Ok(Some((updated, id.to_owned())))
    }
}

/// One page of `items` (sorted by their key) after the cursor: the rendered page members.
pub(crate) fn page<T>(
    search: &Search,
    now_ms: i64,
    mut items: Vec<((i64, String), T)>,
    render: impl Fn(&T) -> Value,
) -> Result<Value, Problem> {
    let limit = search.limit()?;
    let cursor = search.cursor(now_ms)?;
    items.sort_by(|one, other| one.0.cmp(&other.0));
    let first = cursor.map_or(0, |cursor| items.partition_point(|(key, _)| *key <= cursor));
    let shown: Vec<&((i64, String), T)> = items.iter().skip(first).take(limit).collect();
    let next = if first + shown.len() < items.len() {
        shown.last().map(|((updated, id), _)| format!("c1.{now_ms}.{updated}.{id}"))
    } else {
        None
    };
    let data: Vec<Value> = shown.iter().map(|(_, item)| render(item)).collect();
    Ok(json!({"data": data, "next_cursor": next, "as_of": rfc3339(now_ms)}))
}
