//! Plain HTTP to the acquirer's administration: one request, one connection, JSON both ways.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use serde_json::Value;

use crate::error::{About, DayError};

const TIMEOUT: Duration = Duration::from_secs(30);

/// The address behind `http://host:port`.
pub(crate) fn address(base: &str) -> Result<SocketAddr, DayError> {
    let host = base.trim_start_matches("http://");
    let mut found = host.to_socket_addrs().about(base)?;
    found.next().ok_or_else(|| DayError::Unfit(format!("{base}: no such host")))
}

/// Asks and returns the answer's body.
pub(crate) fn ask(base: &str, method: &str, path: &str, body: Option<&Value>) -> Result<Value, DayError> {
    let (status, answer) = exchange(base, method, path, body)?;
    if (200..300).contains(&status) {
        return serde_json::from_slice(&answer).about(format!("{base}{path}"));
    }
    let body = String::from_utf8_lossy(&answer).trim().to_owned();
    Err(DayError::Admin { path: path.to_owned(), status, body })
}

fn exchange(base: &str, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Vec<u8>), DayError> {
    let name = format!("{base}{path}");
    let mut stream = TcpStream::connect_timeout(&address(base)?, TIMEOUT).about(&name)?;
    stream.set_read_timeout(Some(TIMEOUT)).about(&name)?;
    stream.set_nodelay(true).about(&name)?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let host = base.trim_start_matches("http://");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).about(&name)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).about(&name)?;
    parse(&answer).ok_or_else(|| DayError::Child(format!("{name}: the answer is not HTTP")))
}

/// Status and body of an answer that ends with its connection.
fn parse(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let status = head.lines().next()?.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.get(end + 4..)?.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_answer_is_taken_apart() {
        assert_eq!(parse(b"HTTP/1.1 409 Conflict\r\na: b\r\n\r\n{}"), Some((409, b"{}".to_vec())));
        assert_eq!(parse(b"HTTP/1.1 200"), None);
        assert_eq!(parse(b"hello\r\n\r\n"), None);
    }
}
