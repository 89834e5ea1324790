//! The sandbox acquirer behind a socket of its own: a thread per connection, and a gate that a test can shut.

#![expect(clippy::disallowed_methods, reason = "the acquirer's side owns its threads")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use sandbox_acquirer::{Config, Delivery, Request, Response, Sandbox};
use serde_json::Value;

use super::stall::{SATURDAY_MS, StallClock};

pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    sandbox: Mutex<Sandbox>,
    clock: Arc<StallClock>,
    /// Paths whose requests wait.
    shut: Mutex<BTreeSet<String>>,
    opened: Condvar,
    /// How many requests wait at the gate.
    waiting: Mutex<usize>,
    arrived: Condvar,
}

impl Server {
    pub(crate) fn start(clock: &Arc<StallClock>) -> Self {
        let config = Config { seed: 1, start_ms: SATURDAY_MS, public_url: None, journal: None };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = Arc::new(Shared {
            sandbox: Mutex::new(Sandbox::new(config).unwrap()),
            clock: Arc::clone(clock),
            shut: Mutex::default(),
            opened: Condvar::new(),
            waiting: Mutex::new(0),
            arrived: Condvar::new(),
        });
        let address = listener.local_addr().unwrap();
        let serving = Arc::clone(&shared);
        // Lives as long as the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = Arc::clone(&serving);
                thread::spawn(move || drop(serve(stream, &serving)));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn admin(&self, method: &str, path: &str, body: &Value) -> Value {
        let now_ms = self.shared.clock.wall_ms();
        let response = self.shared.sandbox.lock().unwrap().handle(now_ms, &Request::json(method, path, body));
        assert!(response.status < 300, "{}", String::from_utf8_lossy(&response.body));
        serde_json::from_slice(&response.body).unwrap()
    }

    /// From now on requests to this path wait.
    pub(crate) fn shut(&self, path: &str) {
        self.shared.shut.lock().unwrap().insert(path.to_owned());
    }

    pub(crate) fn open(&self) {
        self.shared.shut.lock().unwrap().clear();
        self.shared.opened.notify_all();
    }

    /// Blocks until a request waits at the gate.
    pub(crate) fn until_somebody_waits(&self) {
        let waiting = self.shared.waiting.lock().unwrap();
        drop(self.shared.arrived.wait_while(waiting, |waiting| *waiting == 0).unwrap());
    }
}

impl Shared {
    fn pass_the_gate(&self, path: &str) {
        let mut shut = self.shut.lock().unwrap();
        if !shut.contains(path) {
            return;
        }
        *self.waiting.lock().unwrap() += 1;
        self.arrived.notify_all();
        while shut.contains(path) {
            shut = self.opened.wait(shut).unwrap();
        }
        *self.waiting.lock().unwrap() -= 1;
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    while let Some(request) = read(&mut reader)? {
        shared.pass_the_gate(request.path());
        let response = shared.sandbox.lock().unwrap().handle(shared.clock.wall_ms(), &request);
        if matches!(response.fault, Some(Delivery::DropRequest | Delivery::DropAnswer | Delivery::HalfAnswer)) {
            return Ok(());
        }
        write(&mut writer, &response)?;
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ');
    let mut request = Request::new(words.next().unwrap_or(""), words.next().unwrap_or(""));
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim_end().split_once(": ") {
            Some((name, value)) => request.headers.push((name.to_ascii_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body = vec![0; length];
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}

fn write(writer: &mut impl Write, response: &Response) -> std::io::Result<()> {
    let mut bytes =
        format!("HTTP/1.1 {} x\r\ncontent-length: {}\r\n", response.status, response.body.len()).into_bytes();
    for (name, value) in &response.headers {
        bytes.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend(&response.body);
    writer.write_all(&bytes)
}
