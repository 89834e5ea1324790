//! The sandbox behind a server that lies when told to. Real sockets of this machine; the sandbox's clock is the test's.

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sandbox_acquirer::{Config, Request, Response, Sandbox};
use serde_json::{Value, json};

use super::lie::{Lie, Lies};
use super::seal::Seal;

/// Saturday 2026-11-21, 08:00 in Shanghai.
pub(crate) const START_MS: i64 = 1_795_219_200_000;

struct State {
    sandbox: Sandbox,
    seal: Seal,
    lies: Lies,
    now_ms: i64,
    /// The newest genuine answer of each operation.
    former: BTreeMap<String, Response>,
    /// Requests under `/v1` since the start, and whether the lie was told.
    seen: Vec<(String, bool)>,
}

/// See the module. The listening thread ends with the test's process.
#[derive(Clone)]
pub(crate) struct Acquirer {
    url: String,
    state: Arc<Mutex<State>>,
}

impl Acquirer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let config = Config { seed: 7, start_ms: START_MS, public_url: Some(url.clone()), journal: None };
        let state = Arc::new(Mutex::new(State {
            sandbox: Sandbox::new(config).unwrap(),
            seal: Seal::new(),
            lies: Lies::default(),
            now_ms: START_MS,
            former: BTreeMap::new(),
            seen: Vec::new(),
        }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(&stream, &shared));
            }
        });
        Self { url, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn activation_code(&self) -> String {
        let issued = self.admin("POST", "/admin/activation-codes", &json!({}));
        self.state().seal.activation_code(issued["code"].as_str().unwrap())
    }

    pub(crate) fn admin(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut state = self.state();
        let now_ms = state.now_ms;
        let response = state.sandbox.handle(now_ms, &Request::json(method, path, body));
        assert!(response.status < 300, "{method} {path}: {}", String::from_utf8_lossy(&response.body));
        serde_json::from_slice(&response.body).unwrap()
    }

    /// Lets time pass; what is due at the acquirer happens.
    pub(crate) fn pass(&self, ms: i64) {
        let mut state = self.state();
        state.now_ms += ms;
        let now_ms = state.now_ms;
        state.sandbox.handle(now_ms, &Request::new("GET", "/admin/health"));
    }

    pub(crate) fn lie(&self, on: &str, lie: Lie) {
        self.state().lies.tell(on, lie);
    }

    pub(crate) fn be_honest(&self) {
        self.state().lies.stop();
    }

    /// How many lies were told.
    pub(crate) fn lies_told(&self) -> usize {
        self.state().seen.iter().filter(|(_, lied)| *lied).count()
    }

    /// The acquirer's own book.
    pub(crate) fn book(&self) -> Value {
        self.admin("GET", "/admin/ledger", &json!({}))
    }

    /// A payment in the acquirer's book.
    pub(crate) fn payment(&self, id: &str) -> Option<Value> {
        self.book()["payments"].as_array().unwrap().iter().find(|payment| payment["payment_id"] == id).cloned()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: &TcpStream, state: &Mutex<State>) {
    let _ = stream.set_nodelay(true);
    let mut input = BufReader::new(stream);
    let mut output = stream;
    while let Some(request) = read(&mut input) {
        let (bytes, last) = answer(&request, state);
        if output.write_all(&bytes).is_err() || last {
            return;
        }
    }
}

fn read(input: &mut impl std::io::BufRead) -> Option<Request> {
    let mut line = String::new();
    input.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        input.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, target, headers, body: Vec::new() };
    let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    request.body = vec![0; length];
    input.read_exact(&mut request.body).ok()?;
    Some(request)
}

/// The bytes to write, and whether the connection ends with them.
fn answer(request: &Request, state: &Mutex<State>) -> (Vec<u8>, bool) {
    let mut state = lock(state);
    let asked = format!("{} {}", request.method, request.path());
    let lie = state.lies.on(&request.method, request.path());
    state.seen.push((asked.clone(), lie.is_some()));
    if let Some(Lie::Wire(_, bytes)) = &lie {
        return (bytes.to_vec(), true);
    }
    let now_ms = state.now_ms;
    let mut response = state.sandbox.handle(now_ms, request);
    if request.path().ends_with("/keys") {
        response.body = state.seal.key_list(&response.body);
    } else if request.path().ends_with("/events") && response.status == 200 {
        response.body = state.seal.rewrap(&response.body);
    }
    if let Some(lie) = &lie {
        // A refusal is what it is: lies are about results.
        if response.status < 300 {
            lie.edit(&mut response);
        }
    } else {
        state.former.insert(asked, response.clone());
    }
    if let Some(Lie::Former(of)) = &lie {
        let mut lies = Lies::default();
        lies.tell(of, Lie::Unsigned);
        let former = state
            .former
            .iter()
            .find(|(asked, _)| asked.split_once(' ').is_some_and(|(verb, path)| lies.on(verb, path).is_some()));
        response = former.unwrap_or_else(|| panic!("no former answer to {of}")).1.clone();
    }
    let by_root = request.path().ends_with("/keys");
    state.seal.sign(&mut response, by_root, matches!(lie, Some(Lie::WrongSignature)));
    match lie {
        Some(Lie::Unsigned) => response.headers.retain(|(name, _)| !name.starts_with("webhook-") && name != "kid"),
        Some(Lie::Shortened) => response.body.truncate(response.body.len() / 2),
        _ => {}
    }
    (wire(&response), false)
}

fn wire(response: &Response) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} X\r\n", response.status);
    for (name, value) in &response.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", response.body.len()));
    [head.as_bytes(), &response.body].concat()
}
