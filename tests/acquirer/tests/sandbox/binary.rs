//! The binary around the library.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};

use sandbox_acquirer::Request;
use serde_json::{Value, json};

use crate::client::{Till, id};
use crate::journal::scratch;
use crate::key::Key;

/// The binary, running.
struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    address: String,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sandbox-acquirer"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        let address = line["listening"].as_str().unwrap().trim_start_matches("http://").to_owned();
        Self { stdin: child.stdin.take(), child, address }
    }

    fn connect(&self) -> BufReader<TcpStream> {
        BufReader::new(TcpStream::connect(&self.address).unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_request(stream: &mut BufReader<TcpStream>, request: &Request) {
    let mut bytes =
        format!("{} {} HTTP/1.1\r\ncontent-length: {}\r\n", request.method, request.target, request.body.len())
            .into_bytes();
    if request.header("host").is_none() {
        bytes.extend_from_slice(b"host: x\r\n");
    }
    for (name, value) in &request.headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&request.body);
    stream.get_mut().write_all(&bytes).unwrap();
}

/// Status, headers as text, and as many of the promised body bytes as came.
fn read_answer(stream: &mut BufReader<TcpStream>) -> Option<(u16, String, Vec<u8>, usize)> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line.to_lowercase());
    }
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |text| text.trim().parse().unwrap());
    let mut body = Vec::new();
    let _ = stream.by_ref().take(length as u64).read_to_end(&mut body);
    Some((status, head, body, length))
}

#[test]
fn the_binary_keeps_connections_in_step_and_cuts_them_when_told() {
    let process = Process::start(&["--seed", "3"]);
    let mut stream = process.connect();
    // A body on a GET, an unknown method with a body, then a good request: all on one connection.
    let mut odd = Request::json("GET", "/v1/health", &json!({"a": "b"}));
    write_request(&mut stream, &odd);
    assert_eq!(read_answer(&mut stream).unwrap().0, 200);
    odd.method = "PURGE".to_owned();
    write_request(&mut stream, &odd);
    assert_eq!(read_answer(&mut stream).unwrap().0, 405);
    write_request(
        &mut stream,
        &Request::json(
            "POST",
            "/admin/faults",
            &json!({"on": "GET /v1/health", "kind": "half_answer", "count": 1, "after": 1}),
        ),
    );
    assert_eq!(read_answer(&mut stream).unwrap().0, 201);
    let health = Request::new("GET", "/v1/health");
    write_request(&mut stream, &health);
    let (status, head, ..) = read_answer(&mut stream).unwrap();
    assert!(status == 200 && head.contains("date: sat, 21 nov 2026 00:00:00 gmt"), "{head}");
    write_request(&mut stream, &health);
    let (_, _, body, length) = read_answer(&mut stream).unwrap();
    assert_eq!(body.len(), length / 2);
    for kind in ["drop_request", "drop_answer"] {
        let mut stream = process.connect();
        write_request(
            &mut stream,
            &Request::json("POST", "/admin/faults", &json!({"on": "GET /v1/health", "kind": kind, "count": 1})),
        );
        assert_eq!(read_answer(&mut stream).unwrap().0, 201);
        write_request(&mut stream, &health);
        assert!(read_answer(&mut stream).is_none());
    }
    // Malformed HTTP hurts nobody else.
    for rubbish in
        ["\0\0\0", "GET / HTTP/9.9\r\n\r\n", "POST /v1/payments HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n"]
    {
        let mut stream = process.connect();
        stream.get_mut().write_all(rubbish.as_bytes()).unwrap();
        stream.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
        let _ = read_answer(&mut stream);
    }
    let mut stream = process.connect();
    let mut large = Request::new("POST", "/v1/payments");
    large.body = vec![b' '; 8 * 1024 * 1024 + 1];
    write_request(&mut stream, &large);
    assert_eq!(read_answer(&mut stream).unwrap().0, 413);
    let mut stream = process.connect();
    write_request(&mut stream, &health);
    assert_eq!(read_answer(&mut stream).unwrap().0, 200);
}

#[test]
fn a_killed_binary_continues_and_a_closed_stdin_ends_it() {
    let path = scratch("killed");
    let arguments = ["--seed", "5", "--journal", path.to_str().unwrap()];
    let mut ledgers = Vec::new();
    for _ in 0..3 {
        let process = Process::start(&arguments);
        let mut stream = process.connect();
        let mut till = Till::new(Key::ed25519(6), &format!("http://{}", process.address));
        write_request(&mut stream, &Request::new("GET", "/admin/ledger"));
        ledgers.push(read_answer(&mut stream).unwrap().2);
        write_request(&mut stream, &Request::new("POST", "/admin/activation-codes"));
        let issued: Value = serde_json::from_slice(&read_answer(&mut stream).unwrap().2).unwrap();
        let activation_code = till.scan(issued["activation_code"].as_str().unwrap());
        let activation = till.activation(&id(1), &activation_code, sandbox_acquirer::DEFAULT_START_MS);
        write_request(&mut stream, &activation);
        // The device is reset, the acquirer is not: its nonces are still used up.
        let (status, ..) = read_answer(&mut stream).unwrap();
        assert_eq!(status, if ledgers.len() == 1 { 201 } else { 401 });
        write_request(&mut stream, &Request::json("PUT", "/admin/clock", &json!({"advance_ms": 0})));
        assert_eq!(read_answer(&mut stream).unwrap().0, 200);
        write_request(&mut stream, &Request::new("GET", "/admin/ledger"));
        ledgers.push(read_answer(&mut stream).unwrap().2);
        // Dropping kills it with SIGKILL.
    }
    assert_eq!((&ledgers[1], &ledgers[3]), (&ledgers[2], &ledgers[4]));
    let mut process = Process::start(&arguments);
    process.stdin = None;
    assert!(process.child.wait().unwrap().success());
    std::fs::remove_file(&path).unwrap();
    let refused =
        Command::new(env!("CARGO_BIN_EXE_sandbox-acquirer")).arg("--what").stderr(Stdio::piped()).output().unwrap();
    assert_eq!((refused.status.code(), String::from_utf8(refused.stderr).unwrap().lines().count()), (Some(2), 1));
}
