//! The relay: one listening thread, and the connections it made.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::aim::{Exchange, Sights};
use crate::connection::{Pair, pump};
use crate::mode::{Line, Mode, Way};
use crate::port;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A line on one port of this machine. Dropping it closes the port and resets what is open.
pub struct Relay {
    addr: SocketAddr,
    shared: Arc<Shared>,
    door: Mutex<Door>,
}

struct Shared {
    line: Mutex<Line>,
    sights: Sights,
    upstream: Mutex<SocketAddr>,
    open: Mutex<Vec<Weak<Pair>>>,
    closing: Mutex<bool>,
}

enum Door {
    Open(JoinHandle<()>),
    Held(OwnedFd),
    Gone,
}

impl Relay {
    /// Listens on a free port and passes everything to `upstream`.
    ///
    /// # Errors
    /// No port or no thread could be had.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            line: Mutex::default(),
            sights: Sights::default(),
            upstream: Mutex::new(upstream),
            open: Mutex::default(),
            closing: Mutex::new(false),
        });
        let door = Mutex::new(Door::Open(listen_on(listener, &shared)?));
        Ok(Self { addr, shared, door })
    }

    /// Where the till connects to. It stays the same for as long as the relay lives.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address as a base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Where new connections lead to: an acquirer that was started anew has another port.
    pub fn set_upstream(&self, upstream: SocketAddr) {
        *lock(&self.shared.upstream) = upstream;
    }

    /// What the line does now.
    #[must_use]
    pub fn mode(&self) -> Mode {
        lock(&self.shared.line).mode
    }

    /// Changes what the line does, at once and for open connections too.
    ///
    /// # Errors
    /// The port could not be given up or taken again.
    pub fn set_mode(&self, mode: Mode) -> io::Result<()> {
        lock(&self.shared.line).set(mode);
        let mut door = lock(&self.door);
        if mode == Mode::Refuse {
            if let Door::Open(_) = *door {
                self.shut(std::mem::replace(&mut *door, Door::Gone));
                *door = Door::Held(port::hold(self.addr.port())?);
            }
            self.shared.reset_all();
        } else if !matches!(*door, Door::Open(_)) {
            let held = match std::mem::replace(&mut *door, Door::Gone) {
                Door::Held(held) => held,
                _ => port::hold(self.addr.port())?,
            };
            *door = Door::Open(listen_on(port::open(held)?, &self.shared)?);
        }
        Ok(())
    }

    /// From now on cuts concern only requests of these methods and paths, and their answers; bytes count from the
    /// beginning of each. In a path `*` is any one segment; words after a `?` must be in the query. Of several aims each
    /// is cut once at most. No aim: everything is cut, counted by connection. Forgets what was seen before. For HTTP/1.1,
    /// and to be set while nothing is under way.
    pub fn aim(&self, at: &[(&str, &str)]) {
        self.shared.sights.aim(at);
    }

    /// What was aimed at and came by since, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Exchange> {
        self.shared.sights.seen()
    }

    fn shut(&self, door: Door) {
        let Door::Open(thread) = door else { return };
        *lock(&self.shared.closing) = true;
        // The listening thread sits in accept: a connect of our own wakes it.
        let _ = TcpStream::connect_timeout(&self.addr, CONNECT_TIMEOUT);
        let _ = thread.join();
        *lock(&self.shared.closing) = false;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let door = std::mem::replace(&mut *lock(&self.door), Door::Gone);
        self.shut(door);
        self.shared.reset_all();
    }
}

impl Shared {
    fn reset_all(&self) {
        for pair in lock(&self.open).drain(..).filter_map(|pair| pair.upgrade()) {
            pair.reset();
        }
    }
}

fn listen_on(listener: TcpListener, shared: &Arc<Shared>) -> io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    thread::Builder::new().name("relay".to_owned()).spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            if *lock(&shared.closing) {
                return;
            }
            join(client, &shared);
        }
    })
}

/// Connects a client to the upstream; a client whose upstream is not there is reset.
fn join(client: TcpStream, shared: &Arc<Shared>) {
    let upstream = *lock(&shared.upstream);
    let Ok(server) = TcpStream::connect_timeout(&upstream, CONNECT_TIMEOUT) else {
        return port::reset_on_close(&client);
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let pair = Arc::new(Pair::new(client, server));
    let mut open = lock(&shared.open);
    open.retain(|pair| pair.strong_count() > 0);
    open.push(Arc::downgrade(&pair));
    drop(open);
    for way in [Way::Request, Way::Answer] {
        let (pump_pair, shared) = (Arc::clone(&pair), Arc::clone(shared));
        let spawned = thread::Builder::new()
            .name("relay-pump".to_owned())
            .spawn(move || pump(&pump_pair, way, &shared.line, &shared.sights));
        if spawned.is_err() {
            pair.reset();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
