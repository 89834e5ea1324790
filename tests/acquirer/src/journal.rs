//! The journal: every accepted request with its time, one JSON line each.
//!
//! A line is handed to the operating system before its request is answered, so a killed process
//! loses no answered request. A torn last line was never answered and is cut off.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::message::Request;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// The first line: what the state began with.
    Began { seed: u64, start_ms: i64, public_url: Option<String> },
    /// A later start with another public address.
    Moved { public_url: Option<String> },
    /// A request that was handled.
    Request { now_ms: i64, method: String, target: String, headers: Vec<(String, String)>, body: Body },
}

/// A body: text if it is UTF-8.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Body {
    Text(String),
    Base64(String),
}

impl Line {
    pub(crate) fn request(now_ms: i64, request: &Request) -> Self {
        let body = match std::str::from_utf8(&request.body) {
            Ok(text) => Body::Text(text.to_owned()),
            Err(_) => Body::Base64(STANDARD.encode(&request.body)),
        };
        let (method, target) = (request.method.clone(), request.target.clone());
        Self::Request { now_ms, method, target, headers: request.headers.clone(), body }
    }
}

impl Body {
    pub(crate) fn bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Base64(text) => STANDARD.decode(text).unwrap_or_default(),
        }
    }
}

/// The open journal file, positioned at its end.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
}

impl Journal {
    /// Opens or creates the file and reads what it holds.
    ///
    /// # Errors
    /// The file cannot be opened, or a line before the last is not readable.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Vec<Line>)> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut lines = Vec::new();
        for (index, line) in bytes[..whole].split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let line = serde_json::from_slice(line).map_err(|error| {
                io::Error::new(io::ErrorKind::InvalidData, format!("journal line {}: {error}", index + 1))
            })?;
            lines.push(line);
        }
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        Ok((Self { file }, lines))
    }

    /// Appends one line in one write.
    ///
    /// # Errors
    /// The write failed; the line may be torn.
    pub(crate) fn append(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.file.write_all(&bytes)
    }
}
