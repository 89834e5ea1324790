//! The acquirer's administration: plain HTTP, one request a connection, JSON both ways.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::{During as _, Wrong};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Asks; an answer that is not 2xx is wrong.
pub(crate) fn ask(to: SocketAddr, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Wrong> {
    let answer = exchange(to, method, path, body).during(path)?;
    let (status, body) = parse(&answer).ok_or_else(|| Wrong(format!("{path}: the answer is not HTTP")))?;
    if !(200..300).contains(&status) {
        return Err(Wrong(format!("{path}: {status} {}", String::from_utf8_lossy(body).trim())));
    }
    serde_json::from_slice(body).during(path)
}

fn exchange(to: SocketAddr, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&to, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all((head + &body).as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// Status and body of an answer that ends with its connection.
fn parse(answer: &[u8]) -> Option<(u16, &[u8])> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.get(end + 4..)?))
}
