//! One connection through the relay: two threads, one each way.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::aim::{Bearing, Running, Sights};
use crate::mode::{Line, Mode, Way};
use crate::port;

const PIECE: usize = 16 * 1024;

/// Both ends of one connection.
pub(crate) struct Pair {
    pub(crate) client: TcpStream,
    pub(crate) server: TcpStream,
    running: Mutex<Running>,
    dead: AtomicBool,
}

impl Pair {
    pub(crate) fn new(client: TcpStream, server: TcpStream) -> Self {
        Self { client, server, running: Mutex::default(), dead: AtomicBool::new(false) }
    }

    /// Wakes both threads; the last handle to go resets both ends.
    pub(crate) fn reset(&self) {
        self.dead.store(true, Ordering::SeqCst);
        for end in [&self.client, &self.server] {
            port::reset_on_close(end);
            let _ = end.shutdown(Shutdown::Read);
        }
    }
}

/// Passes bytes one way until the end, a failure or a cut.
pub(crate) fn pump(pair: &Pair, way: Way, line: &Mutex<Line>, sights: &Sights) {
    let (mut from, mut to) = match way {
        Way::Request => (&pair.client, &pair.server),
        Way::Answer => (&pair.server, &pair.client),
    };
    let mut piece = vec![0_u8; PIECE];
    let (mut age, mut passed) = (current(line).age, 0_usize);
    loop {
        let Ok(read) = from.read(&mut piece) else { return pair.reset() };
        // Bytes that came after the reset can still be read; they must not get through.
        if pair.dead.load(Ordering::SeqCst) {
            return;
        }
        if read == 0 {
            let _ = to.shutdown(Shutdown::Write);
            return;
        }
        let now = current(line);
        if now.age != age {
            (age, passed) = (now.age, 0);
        }
        if let (Mode::Delay { ms }, Way::Answer) = (now.mode, way) {
            thread::sleep(Duration::from_millis(ms));
        }
        let (total, before) = match sights.bear(&pair.running, way, &piece[..read]) {
            Bearing::Free => (now.limit(way), passed),
            Bearing::On(before) => (now.limit(way), before),
            Bearing::Elsewhere => (None, passed),
        };
        let limit = total.map_or(read, |total| total.saturating_sub(before).min(read));
        if to.write_all(&piece[..limit]).is_err() {
            return pair.reset();
        }
        passed = passed.saturating_add(limit);
        if limit < read || total == Some(before.saturating_add(limit)) {
            sights.cut(&pair.running);
            line.lock().unwrap_or_else(PoisonError::into_inner).cut();
            return pair.reset();
        }
    }
}

fn current(line: &Mutex<Line>) -> Line {
    *line.lock().unwrap_or_else(PoisonError::into_inner)
}
