//! The line, seen from its two ends.

#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use relay::{Mode, Relay};

const WAIT: Duration = Duration::from_secs(20);

/// A peer that answers every request of four bytes with `name` and nine more bytes, and tells what it read.
fn upstream(name: u8) -> (SocketAddr, std::sync::mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, tell) = (stream.unwrap(), tell.clone());
            thread::spawn(move || {
                let mut all = Vec::new();
                let mut piece = [0_u8; 4];
                while let Ok(read) = stream.read(&mut piece) {
                    if read == 0 {
                        break;
                    }
                    all.extend_from_slice(&piece[..read]);
                    if all.len().is_multiple_of(4) && stream.write_all(&[name; 10]).is_err() {
                        break;
                    }
                }
                let _ = tell.send(all);
            });
        }
    });
    (addr, told)
}

fn connect(relay: &Relay) -> TcpStream {
    let stream = TcpStream::connect_timeout(&relay.addr(), WAIT).unwrap();
    stream.set_read_timeout(Some(WAIT)).unwrap();
    stream
}

fn exchange(stream: &mut TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    ask(stream, b"ping")
}

fn ask(stream: &mut TcpStream, request: &[u8; 4]) -> (Vec<u8>, Option<ErrorKind>) {
    if let Err(error) = stream.write_all(request) {
        return (Vec::new(), Some(error.kind()));
    }
    let mut answer = Vec::new();
    let mut byte = [0_u8; 1];
    while answer.len() < 10 {
        match stream.read(&mut byte) {
            Ok(0) => return (answer, Some(ErrorKind::UnexpectedEof)),
            Ok(_) => answer.push(byte[0]),
            Err(error) => return (answer, Some(error.kind())),
        }
    }
    (answer, None)
}

#[test]
fn it_passes_and_follows_its_upstream() {
    let (first, _told) = upstream(1);
    let (second, _told_too) = upstream(2);
    let relay = Relay::start(first).unwrap();
    assert_eq!(exchange(&mut connect(&relay)), (vec![1; 10], None));
    relay.set_upstream(second);
    assert_eq!(exchange(&mut connect(&relay)), (vec![2; 10], None));
    assert_eq!(relay.url(), format!("http://{}", relay.addr()));
}

#[test]
fn offline_refuses_connects_resets_what_is_open_and_keeps_the_port() {
    let (addr, told) = upstream(1);
    let relay = Relay::start(addr).unwrap();
    let before = relay.addr();
    for _ in 0..3 {
        let mut open = connect(&relay);
        assert_eq!(exchange(&mut open).1, None);
        relay.set_mode(Mode::Refuse).unwrap();
        assert_eq!(TcpStream::connect_timeout(&before, WAIT).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert!(exchange(&mut open).1.is_some());
        assert_eq!(told.recv_timeout(WAIT).unwrap(), b"ping");
        relay.set_mode(Mode::Refuse).unwrap();
        relay.set_mode(Mode::Pass).unwrap();
        assert_eq!(relay.addr(), before);
        assert_eq!(exchange(&mut connect(&relay)), (vec![1; 10], None));
        assert_eq!(told.recv_timeout(WAIT).unwrap(), b"ping");
    }
}

#[test]
fn a_cut_answer_ends_after_its_bytes_and_as_often_as_asked() {
    let (addr, told) = upstream(1);
    let relay = Relay::start(addr).unwrap();
    let mut kept_alive = connect(&relay);
    assert_eq!(exchange(&mut kept_alive).1, None);
    relay.set_mode(Mode::CutAnswer { after_bytes: 3, times: 2 }).unwrap();
    let (answer, error) = exchange(&mut kept_alive);
    assert!(answer.len() <= 3 && error.is_some(), "{answer:?}");
    assert_eq!(told.recv_timeout(WAIT).unwrap(), b"pingping", "the request was processed");
    assert!(exchange(&mut connect(&relay)).1.is_some());
    assert_eq!(relay.mode(), Mode::Pass);
    assert_eq!(exchange(&mut connect(&relay)), (vec![1; 10], None));
}

#[test]
fn a_cut_request_shows_the_upstream_its_beginning_only() {
    let (addr, told) = upstream(1);
    let relay = Relay::start(addr).unwrap();
    relay.set_mode(Mode::CutRequest { after_bytes: 0, times: 1 }).unwrap();
    let (answer, error) = exchange(&mut connect(&relay));
    assert!(answer.is_empty() && error.is_some());
    assert_eq!(told.recv_timeout(WAIT).unwrap(), b"");
    relay.set_mode(Mode::CutRequest { after_bytes: 2, times: 0 }).unwrap();
    for _ in 0..3 {
        let (answer, error) = exchange(&mut connect(&relay));
        assert!(answer.is_empty() && error.is_some());
        assert!(told.recv_timeout(WAIT).unwrap().len() <= 2);
    }
}

#[test]
fn an_aimed_cut_counts_each_exchange_and_lets_the_others_pass() {
    let (addr, _told) = upstream(1);
    let relay = Relay::start(addr).unwrap();
    let mut kept_alive = connect(&relay);
    assert_eq!(ask(&mut kept_alive, b"G /b").1, None);
    relay.aim(&[("G", "/a")]);
    relay.set_mode(Mode::CutAnswer { after_bytes: 12, times: 1 }).unwrap();
    for request in [b"G /b", b"G /a", b"P /a", b"G /a"] {
        assert_eq!(ask(&mut kept_alive, request), (vec![1; 10], None), "twelve bytes of one answer never come");
    }
    let whole =
        relay::Exchange { aim: 0, request_line: "G /a".to_owned(), request_bytes: 4, answer_bytes: 10, cut: false };
    assert_eq!(relay.seen(), [whole.clone(), whole]);
    relay.aim(&[("G", "/a")]);
    relay.set_mode(Mode::CutAnswer { after_bytes: 3, times: 1 }).unwrap();
    assert_eq!(ask(&mut kept_alive, b"G /b").1, None);
    assert!(ask(&mut kept_alive, b"G /a").1.is_some());
    assert!(relay.seen().iter().all(|exchange| exchange.cut) && relay.seen().len() == 1);
    relay.aim(&[]);
    assert_eq!(ask(&mut connect(&relay), b"G /a"), (vec![1; 10], None));
}

#[test]
fn of_several_aims_each_is_cut_once() {
    let (addr, _told) = upstream(1);
    let relay = Relay::start(addr).unwrap();
    relay.aim(&[("G", "/a"), ("G", "/b")]);
    relay.set_mode(Mode::CutAnswer { after_bytes: 5, times: 2 }).unwrap();
    let cut = |request| ask(&mut connect(&relay), request).1.is_some();
    let asked = [b"G /a", b"G /a", b"G /c", b"G /b", b"G /b"];
    assert_eq!(asked.map(cut), [true, false, false, true, false]);
    let seen: Vec<_> = relay.seen().iter().map(|exchange| (exchange.aim, exchange.cut)).collect();
    assert_eq!(seen, [(0, true), (0, false), (1, true), (1, false)]);
}

#[test]
fn a_delayed_answer_comes_later() {
    let (addr, _told) = upstream(1);
    let relay = Relay::start(addr).unwrap();
    relay.set_mode(Mode::Delay { ms: 40 }).unwrap();
    let began = Instant::now();
    assert_eq!(exchange(&mut connect(&relay)), (vec![1; 10], None));
    assert!(began.elapsed() >= Duration::from_millis(40));
}

#[test]
fn without_an_upstream_the_client_is_reset() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let relay = Relay::start(gone).unwrap();
    assert!(exchange(&mut connect(&relay)).1.is_some());
}
