//! The thin HTTP face: sockets, the machine's clock and waiting live here and nowhere else.

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};

use crate::args::{Args, USAGE};
use crate::message::{Delivery, Request, Response};
use crate::sandbox::{Config, Sandbox};

/// Largest request body taken, in bytes.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// Pause between two looks at the event feed while a long poll waits.
const POLL_PAUSE: Duration = Duration::from_millis(50);
/// Pause between the first half of a cut answer and the cut, so that the half is on the wire.
const HALF_PAUSE: Duration = Duration::from_millis(30);

struct Shared {
    sandbox: RefCell<Sandbox>,
    real_clock: bool,
    print: bool,
}

/// Whether these arguments, after the program's name, are ones it takes.
///
/// # Errors
/// What is wrong, in one line.
pub fn check(words: impl IntoIterator<Item = String>) -> Result<(), String> {
    Args::parse(words).map(|_| ())
}

/// Runs the binary: parses `words` (the arguments after the program's name), serves until standard
/// input closes, and returns the exit code (2 for a wrong argument, 1 if it cannot start).
pub fn run(words: impl IntoIterator<Item = String>) -> ExitCode {
    let args = match Args::parse(words) {
        Ok(args) => args,
        Err(line) => return refuse(&line, 2),
    };
    if args.help {
        let _ = io::stdout().write_all(USAGE.as_bytes());
        return ExitCode::SUCCESS;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("cannot start: {error}"), 1),
    };
    let done = tokio::task::LocalSet::new().block_on(&runtime, serve(args));
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error.to_string(), 1),
    }
}

fn refuse(line: &str, code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "sandbox-acquirer: {line}");
    ExitCode::from(code)
}

async fn serve(args: Args) -> io::Result<()> {
    let config = Config {
        seed: args.seed,
        start_ms: if args.real_clock { machine_ms() } else { args.now_ms },
        public_url: args.public_url.clone(),
        journal: args.journal.clone(),
    };
    let sandbox = Sandbox::new(config).map_err(|error| io::Error::other(error.to_string()))?;
    let listener = TcpListener::bind(("127.0.0.1", args.port)).await?;
    let mut out = io::stdout();
    writeln!(out, "{{\"listening\":\"http://{}\"}}", listener.local_addr()?)?;
    out.flush()?;
    let shared = Rc::new(Shared { sandbox: RefCell::new(sandbox), real_clock: args.real_clock, print: args.print });
    let accept = async {
        loop {
            // A failed accept (too many files) is the peer's loss, not the end of the server.
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::task::spawn_local(connection(stream, Rc::clone(&shared)))),
                Err(_) => sleep(POLL_PAUSE).await,
            }
        }
    };
    if args.stay {
        accept.await
    } else {
        tokio::select! {
            biased;
            () = stdin_closed() => Ok(()),
            never = accept => never,
        }
    }
}

async fn stdin_closed() {
    let mut stdin = tokio::io::stdin();
    let mut buffer = [0u8; 256];
    while matches!(stdin.read(&mut buffer).await, Ok(n) if n > 0) {}
}

async fn connection(stream: TcpStream, shared: Rc<Shared>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(request, Rc::clone(&shared)));
    // Errors here are malformed requests, closed sockets and planted cuts: all seen by the peer.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: hyper::Request<Incoming>, shared: Rc<Shared>) -> io::Result<hyper::Response<CutBody>> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return too_large();
    };
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let request = Request {
        method: head.method.as_str().to_owned(),
        target: head.uri.path_and_query().map_or_else(|| "/".to_owned(), |target| target.as_str().to_owned()),
        headers: headers.collect(),
        body: body.to_bytes().to_vec(),
    };
    wait_for_events(&request, &shared).await;
    let response = {
        let mut sandbox = shared.sandbox.borrow_mut();
        let now_ms = now_ms(&sandbox, shared.real_clock);
        sandbox.handle(now_ms, &request)
    };
    if shared.print {
        let _ =
            writeln!(io::stderr(), "{} {} {} {:?}", request.method, request.target, response.status, response.fault);
    }
    deliver(response).await
}

async fn deliver(response: Response) -> io::Result<hyper::Response<CutBody>> {
    let cut = match response.fault {
        Some(Delivery::DropRequest | Delivery::DropAnswer) => return Err(io::Error::other("planted cut")),
        Some(Delivery::Delay { ms }) => {
            sleep(Duration::from_millis(ms)).await;
            false
        }
        Some(Delivery::HalfAnswer) => true,
        None => false,
    };
    let mut builder = hyper::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        builder = builder.header(name, value);
    }
    builder.body(CutBody::new(response.body, cut)).map_err(io::Error::other)
}

fn too_large() -> io::Result<hyper::Response<CutBody>> {
    let body = br#"{"type":"about:blank","title":"Content Too Large","status":413,"code":"content-too-large","retry":"never"}"#;
    hyper::Response::builder()
        .status(413)
        .header("content-type", "application/problem+json")
        .header("connection", "close")
        .body(CutBody::new(body.to_vec(), false))
        .map_err(io::Error::other)
}

/// Under the machine's clock a long poll waits; under a virtual clock nobody waits in real time.
async fn wait_for_events(request: &Request, shared: &Shared) {
    let waits = || {
        let sandbox = shared.sandbox.borrow();
        // What is due may be what is waited for.
        let due = sandbox.next_due_ms().is_some_and(|due_ms| due_ms <= machine_ms());
        let real = shared.real_clock && !sandbox.clock_is_set();
        if real && !due { sandbox.feed_wait_s(request) } else { None }
    };
    let Some(wait_s) = waits() else { return };
    let mut left = Duration::from_secs(wait_s);
    while !left.is_zero() && waits().is_some() {
        sleep(POLL_PAUSE).await;
        left = left.saturating_sub(POLL_PAUSE);
    }
}

fn now_ms(sandbox: &Sandbox, real_clock: bool) -> i64 {
    if real_clock && !sandbox.clock_is_set() { machine_ms() } else { sandbox.now_ms() }
}

fn machine_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A whole body, or the first half of one and then a broken connection.
struct CutBody {
    data: Option<Bytes>,
    length: u64,
    cut: Option<Pin<Box<Sleep>>>,
}

impl CutBody {
    fn new(body: Vec<u8>, cut: bool) -> Self {
        let length = body.len() as u64;
        let half = body.len() / 2;
        let mut data = Bytes::from(body);
        if cut {
            data.truncate(half);
        }
        Self { data: (!data.is_empty()).then_some(data), length, cut: cut.then(|| Box::pin(sleep(HALF_PAUSE))) }
    }
}

impl Body for CutBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match &mut self.cut {
            None => Poll::Ready(None),
            Some(pause) => pause.as_mut().poll(context).map(|()| Some(Err(io::Error::other("planted cut")))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.cut.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
