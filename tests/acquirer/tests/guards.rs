//! Signatures, planted faults, the journal, and the binary around the library.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod client;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use client::{DAY, HOUR, Key, SATURDAY, Till, World, code, config, id, json_of};
use sandbox_acquirer::{Config, Delivery, Request, Sandbox};
use serde_json::{Value, json};

/// Changes one thing of a signed request.
type Spoil = fn(&mut Request);

fn header<'a>(request: &'a mut Request, name: &str) -> &'a mut String {
    &mut request.headers.iter_mut().find(|(key, _)| key == name).unwrap().1
}

#[test]
fn a_request_that_was_touched_is_refused() {
    let mut world = World::new(SATURDAY);
    let spoils: [(&str, Spoil, &str); 10] = [
        ("body", |request| request.body[20] ^= 1, "signature-invalid"),
        ("target", |request| request.target = "/v1/payments?x=1".to_owned(), "signature-invalid"),
        ("digest", |request| header(request, "content-digest").replace_range(9..10, "A"), "signature-invalid"),
        ("key", |request| *header(request, "idempotency-key") = format!("\"{}\"", id(77)), "signature-invalid"),
        ("terminal", |request| *header(request, "x-terminal-id") = "T0000002".to_owned(), "signature-invalid"),
        (
            "nonce",
            |request| {
                *header(request, "signature-input") = header(request, "signature-input").replace("nonce-", "nonce_")
            },
            "signature-invalid",
        ),
        (
            "alg",
            |request| {
                *header(request, "signature-input") = header(request, "signature-input").replace("ed25519", "none")
            },
            "signature-invalid",
        ),
        (
            "uncovered",
            |request| {
                *header(request, "signature-input") =
                    header(request, "signature-input").replace(" \"content-digest\"", "")
            },
            "signature-invalid",
        ),
        ("unsigned", |request| request.headers.retain(|(name, _)| name != "signature"), "signature-invalid"),
        (
            "content type",
            |request| *header(request, "content-type") = "text/plain".to_owned(),
            "unsupported-media-type",
        ),
    ];
    for (n, (name, spoil, wanted)) in (1..).zip(spoils) {
        let mut body = world.till.envelope(SATURDAY);
        body["payment"] = world.till.payment(n, "live", 1000, "0000", SATURDAY);
        let mut request = world.till.signed("POST", "/v1/payments", Some(&body), Some(&id(n)), SATURDAY);
        spoil(&mut request);
        let refused = world.sandbox.handle(SATURDAY, &request);
        assert_eq!(code(&refused), wanted, "{name}: {}", json_of(&refused));
        assert!(world.till.believes(&refused), "{name}");
    }
    assert_eq!(world.ledger()["totals"]["payments"], 0);
}

#[test]
fn old_clocks_used_nonces_and_foreign_terminals() {
    let mut world = World::new(SATURDAY);
    for (seconds, status) in [(-301, 401), (-300, 200), (300, 200), (301, 401)] {
        let request = world.till.signed("GET", "/v1/payments", None, None, SATURDAY + seconds * 1000);
        let answer = world.sandbox.handle(SATURDAY, &request);
        assert_eq!(answer.status, status, "{seconds} s");
        if status == 401 {
            assert_eq!(json_of(&answer)["server_time"], "2026-11-21T10:00:00+08:00");
            assert_eq!(answer.header("date"), Some("Sat, 21 Nov 2026 02:00:00 GMT"));
        }
    }
    let request = world.till.signed("GET", "/v1/payments", None, None, SATURDAY);
    assert_eq!(world.sandbox.handle(SATURDAY, &request).status, 200);
    assert_eq!(code(&world.sandbox.handle(SATURDAY + 1000, &request)), "signature-invalid");
    let mut other = World::with(Sandbox::new(config(8, SATURDAY)).unwrap(), Key::ed25519(2), SATURDAY);
    std::mem::swap(&mut other.till, &mut world.till);
    let stranger = world.till.signed("GET", "/v1/payments", None, None, SATURDAY);
    assert_eq!(code(&world.sandbox.handle(SATURDAY, &stranger)), "signature-invalid");
    std::mem::swap(&mut other.till, &mut world.till);
    world.till.terminal = None;
    let nameless = world.till.signed("GET", "/v1/payments", None, None, SATURDAY);
    assert_eq!(code(&world.sandbox.handle(SATURDAY, &nameless)), "terminal-unknown");
    world.till.terminal = Some("T0000009".to_owned());
    let foreign = world.till.signed("GET", "/v1/payments", None, None, SATURDAY);
    assert_eq!(code(&world.sandbox.handle(SATURDAY, &foreign)), "terminal-unknown");
    world.till.terminal = Some("T0000001".to_owned());
    world.admin("POST", "/admin/terminals/T0000001", &json!({"status": "blocked"}));
    let blocked = world.till.signed("GET", "/v1/payments", None, None, SATURDAY);
    assert_eq!(code(&world.sandbox.handle(SATURDAY, &blocked)), "terminal-blocked");
}

#[test]
fn requests_without_sense_get_a_signed_problem() {
    let mut world = World::new(SATURDAY);
    let answers = [
        ("GET", "/v1/nothing", None, None, 404),
        ("GET", "/v1/terminals/T0000002", None, None, 404),
        ("DELETE", "/v1/payments", None, None, 405),
        ("GET", "/v1/settlement/calendar?from=2026-01-01&to=2028-01-01", None, None, 422),
        ("POST", "/v1/payments", Some(json!({})), None, 400),
        ("POST", "/v1/payments", Some(json!({})), Some(id(1)), 422),
        (
            "POST",
            "/v1/payments/inquiries",
            Some(json!({"request_id": id(1), "lookups": [{"ref": "a"}]})),
            Some(id(1)),
            422,
        ),
        (
            "POST",
            "/v1/payments/inquiries",
            Some(json!({"request_id": id(2), "lookups": [{"ref": "a", "rrn": "1"}]})),
            Some(id(1)),
            422,
        ),
    ];
    for (method, target, body, key, status) in answers {
        let answer = world.send(method, target, body.as_ref(), key.as_deref());
        assert_eq!(answer.status, status, "{method} {target}: {}", json_of(&answer));
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
}

#[test]
fn a_dropped_request_is_not_processed_and_a_dropped_answer_is() {
    let mut world = World::new(SATURDAY);
    world.admin("POST", "/admin/faults", &json!({"on": "POST /v1/payments", "kind": "drop_request", "count": 1}));
    world.admin("POST", "/admin/faults", &json!({"on": "POST /v1/payments", "kind": "drop_answer", "count": 1}));
    world.admin("POST", "/admin/faults", &json!({"on": "POST /v1/payments", "kind": "half_answer", "count": 1}));
    world.admin(
        "POST",
        "/admin/faults",
        &json!({"on": "POST /v1/payments", "kind": "delay", "delay_ms": 5, "count": 1}),
    );
    let payment = world.till.payment(1, "live", 1000, "0000", SATURDAY);
    let seen: Vec<_> = (0..5)
        .map(|_| {
            let fault = world.submit(&payment).fault;
            (fault, world.ledger()["totals"]["authorizations"].as_u64().unwrap())
        })
        .collect();
    let wanted = [
        (Some(Delivery::DropRequest), 0),
        (Some(Delivery::DropAnswer), 1),
        (Some(Delivery::HalfAnswer), 1),
        (Some(Delivery::Delay { ms: 5 }), 1),
        (None, 1),
    ];
    assert_eq!(seen, wanted);
}

#[test]
fn failures_that_answer() {
    let mut world = World::new(SATURDAY);
    let plant = |world: &mut World, fault: Value| world.admin("POST", "/admin/faults", &fault);
    let payment = world.till.payment(1, "live", 1000, "0000", SATURDAY);
    plant(
        &mut world,
        json!({"on": "POST /v1/payments", "kind": "status", "status": 503, "retry_after_s": 7, "count": 1}),
    );
    let unavailable = world.submit(&payment);
    assert_eq!(
        (unavailable.status, unavailable.header("retry-after"), code(&unavailable)),
        (503, Some("7"), "upstream-unavailable".to_owned())
    );
    plant(&mut world, json!({"on": "POST /v1/payments", "kind": "status", "status": 429, "count": 1}));
    assert_eq!(world.submit(&payment).header("retry-after"), Some("1"));
    plant(
        &mut world,
        json!({"on": "POST /v1/payments", "kind": "refuse", "problem": "merchant-suspended", "count": 1}),
    );
    assert_eq!(code(&world.submit(&payment)), "merchant-suspended");
    assert_eq!(world.ledger()["totals"]["payments"], 0);
    plant(
        &mut world,
        json!({"on": "POST /v1/payments", "kind": "status", "status": 504, "processed": true, "count": 1}),
    );
    assert_eq!(code(&world.submit(&payment)), "outcome-unknown");
    assert_eq!(world.submit(&payment).status, 200);
    plant(&mut world, json!({"on": "POST /v1/payments", "kind": "duplicate", "count": 1}));
    let second = world.till.payment(2, "live", 1000, "0000", SATURDAY);
    assert_eq!(world.submit(&second).header("idempotent-replayed"), Some("true"));
    assert_eq!(world.ledger()["totals"]["authorizations"], 2);
    plant(&mut world, json!({"on": "GET /v1/payments/*", "kind": "wrong_signature", "count": 1}));
    let request = world.till.signed("GET", &format!("/v1/payments/{}", id(1)), None, None, SATURDAY);
    let forged = world.sandbox.handle(SATURDAY, &request);
    assert_eq!((forged.status, world.till.believes(&forged)), (200, false));
    // Chance by seed: the same run, the same faults; and never under /admin.
    plant(&mut world, json!({"on": "*", "kind": "status", "status": 500, "probability": 0.5, "seed": 3}));
    let statuses: Vec<u16> = (0..40).map(|_| world.send("GET", "/v1/payments", None, None).status).collect();
    let failed = statuses.iter().filter(|status| **status == 500).count();
    assert!((10..=30).contains(&failed), "{failed} of 40");
    world.admin("DELETE", "/admin/faults", &json!({}));
    assert_eq!(world.send("GET", "/v1/payments", None, None).status, 200);
    let refused =
        world.sandbox.handle(SATURDAY, &Request::json("POST", "/admin/faults", &json!({"on": "x", "kind": "y"})));
    assert_eq!(refused.status, 400);
}

/// A file of this test's own.
fn scratch(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join(format!("{name}-{}.jsonl", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

#[test]
fn the_journal_is_the_whole_state() {
    let path = scratch("journal");
    let journaled = || Config { journal: Some(path.clone()), ..config(7, SATURDAY) };
    let mut world = World::with(Sandbox::new(journaled()).unwrap(), Key::p256(4), SATURDAY);
    world.admin(
        "POST",
        "/admin/faults",
        &json!({"on": "POST /v1/payments", "kind": "drop_answer", "probability": 0.5}),
    );
    world.admin("POST", "/admin/bank", &json!({"action": "return"}));
    for n in 1..=12 {
        let payment =
            world.till.payment(n, "live", 1000 * i64::from(n), if n == 5 { "0068" } else { "0000" }, world.now_ms);
        world.submit(&payment);
    }
    let items: Vec<Value> =
        (20..40).map(|n| world.till.payment(n, "deferred_authorization", 700, "0000", SATURDAY)).collect();
    let (_, order) = world.batch(&items);
    world.reverse(1, 1000);
    for hours in [3, 14, 50, 80] {
        world.go(SATURDAY + hours * HOUR);
        world.events();
    }
    let before = world.ledger();
    let again = {
        let bytes = std::fs::read(&path).unwrap();
        // A torn last line, as a kill in the middle of a write leaves it.
        std::fs::write(&path, [&bytes[..], b"{\"request\":{\"now_ms\":17952"].concat()).unwrap();
        let replayed = Sandbox::new(journaled()).unwrap();
        std::mem::replace(&mut world.sandbox, replayed)
    };
    assert_eq!(world.ledger(), before);
    assert_eq!(world.admin("GET", "/admin/clock", &json!({}))["set"], true);
    drop(again);
    // The replayed one goes on like the first would have: sessions, keys, faults, orders.
    world.go(SATURDAY + 4 * DAY);
    world.sign_on();
    let items: Vec<Value> =
        (50..70).map(|n| world.till.payment(n, "deferred_authorization", 700, "0000", SATURDAY)).collect();
    assert_eq!(world.batch(&items).0.len(), 20);
    let longer = world.ledger();
    world.sandbox = Sandbox::new(journaled()).unwrap();
    assert_eq!(world.ledger(), longer);
    assert_eq!(order.len(), 20);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_broken_journal_is_not_opened() {
    let path = scratch("broken");
    std::fs::write(&path, "{\"began\":{\"seed\":1,\"start_ms\":1,\"public_url\":null}}\nrubbish\n{}\n").unwrap();
    let error = Sandbox::new(Config { journal: Some(path.clone()), ..config(7, SATURDAY) }).unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
    std::fs::remove_file(&path).unwrap();
}

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
