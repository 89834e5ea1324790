//! The sandbox acquirer behind a socket of this process: counts bytes, and remembers what was asked so that the same
//! requests can be sent again.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use sandbox_acquirer::{Config, DEFAULT_START_MS, Request, Sandbox};
use serde_json::{Value, json};

use crate::Outcome;

/// One request as it came over the wire.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The request.
    pub request: Request,
    /// Bytes of it on the wire: head and body.
    pub bytes_in: usize,
    /// Bytes of its answer on the wire.
    pub bytes_out: usize,
}

impl Exchange {
    /// True for a batch of stored payments.
    #[must_use]
    pub fn is_batch(&self) -> bool {
        self.request.path() == "/v1/payments/batch"
    }
}

/// The server. Its threads end with the process.
#[derive(Clone)]
pub struct Acquirer {
    url: String,
    sandbox: Arc<Mutex<Sandbox>>,
    heard: Arc<Mutex<Vec<Exchange>>>,
}

impl Acquirer {
    /// A new sandbox on a free port of this machine.
    ///
    /// # Errors
    /// If there is no socket to be had.
    pub fn start() -> Outcome<Self> {
        let config = Config { seed: 1, start_ms: DEFAULT_START_MS, public_url: None, journal: None };
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let url = format!("http://{}", listener.local_addr()?);
        let sandbox = Arc::new(Mutex::new(Sandbox::new(config)?));
        let acquirer = Self { url, sandbox, heard: Arc::default() };
        let server = acquirer.clone();
        thread::Builder::new().name("acquirer".into()).spawn(move || server.listen(&listener))?;
        Ok(acquirer)
    }

    /// Another sandbox that was asked the same until now.
    ///
    /// # Errors
    /// As [`Acquirer::start`].
    pub fn again(asked: &[Exchange]) -> Outcome<Self> {
        let acquirer = Self::start()?;
        {
            let mut sandbox = acquirer.sandbox();
            for exchange in asked {
                let now_ms = sandbox.now_ms();
                sandbox.handle(now_ms, &exchange.request);
            }
        }
        Ok(acquirer)
    }

    /// The base address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What was asked so far.
    #[must_use]
    pub fn heard(&self) -> Vec<Exchange> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Something of the administrator's.
    ///
    /// # Errors
    /// If the sandbox refuses.
    pub fn admin(&self, method: &str, path: &str, body: &Value) -> Outcome<Value> {
        let request = Request::json(method, path, body);
        let response = {
            let mut sandbox = self.sandbox();
            let now_ms = sandbox.now_ms();
            sandbox.handle(now_ms, &request)
        };
        self.remember(Exchange { request, bytes_in: 0, bytes_out: 0 });
        let answer: Value = serde_json::from_slice(&response.body)?;
        if response.status >= 300 {
            return Err(format!("{method} {path}: {} {answer}", response.status).into());
        }
        Ok(answer)
    }

    /// A fresh activation code.
    ///
    /// # Errors
    /// As [`Acquirer::admin`].
    pub fn activation_code(&self) -> Outcome<String> {
        let issued = self.admin("POST", "/admin/activation-codes", &json!({}))?;
        Ok(issued["activation_code"].as_str().unwrap_or_default().to_owned())
    }

    /// A policy that lets a whole season wait on the phone.
    ///
    /// # Errors
    /// As [`Acquirer::admin`].
    pub fn allow_many(&self) -> Outcome<()> {
        let limits = json!([{
            "currency": "CNY", "max_amount": 50_000, "max_amount_contactless_no_pin": 50_000,
            "max_count_open": 1_000_000, "max_total_open": 100_000_000_000_i64, "max_count_per_card_per_day": 100_000,
        }]);
        self.admin("POST", "/admin/policy", &json!({ "limits": limits }))?;
        Ok(())
    }

    fn sandbox(&self) -> MutexGuard<'_, Sandbox> {
        self.sandbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, exchange: Exchange) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
    }

    fn listen(&self, listener: &TcpListener) {
        for stream in listener.incoming().flatten() {
            let server = self.clone();
            // A connection that ends in the middle is the peer's to notice.
            drop(thread::Builder::new().spawn(move || server.serve(&stream)));
        }
    }

    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        while let Some((request, bytes_in)) = read(&mut reader)? {
            let response = {
                let mut sandbox = self.sandbox();
                let now_ms = sandbox.now_ms();
                sandbox.handle(now_ms, &request)
            };
            let mut answer = format!("HTTP/1.1 {} .\r\n", response.status).into_bytes();
            for (name, value) in &response.headers {
                answer.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            }
            answer.extend_from_slice(format!("content-length: {}\r\n\r\n", response.body.len()).as_bytes());
            answer.extend_from_slice(&response.body);
            self.remember(Exchange { request, bytes_in, bytes_out: answer.len() });
            let mut stream = stream;
            stream.write_all(&answer)?;
        }
        Ok(())
    }
}

/// The next request with its length on the wire; none at the end of the connection.
fn read(reader: &mut impl BufRead) -> io::Result<Option<(Request, usize)>> {
    let mut line = String::new();
    let mut bytes = reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut request = Request::new(method, target);
    let mut length = 0;
    loop {
        let mut line = String::new();
        bytes += reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let value = value.trim().to_owned();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().map_err(io::Error::other)?;
        }
        request.headers.push((name.to_owned(), value));
    }
    request.body = vec![0; length];
    reader.read_exact(&mut request.body)?;
    Ok(Some((request, bytes + length)))
}
