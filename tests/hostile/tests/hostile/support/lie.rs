//! What comes back instead of the truth.

use std::sync::Arc;

use sandbox_acquirer::Response;
use serde_json::Value;

/// Changes a genuine answer's body; what comes out is validly signed.
type Edit = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// One way to answer.
#[derive(Clone)]
pub(crate) enum Lie {
    /// These bytes on the wire, nothing else. The request never reaches the acquirer.
    Wire(&'static str, Arc<Vec<u8>>),
    /// The genuine answer with another body, validly signed.
    Edited(&'static str, Edit),
    /// A validly signed body of any kind in place of the genuine one.
    Body(&'static str, Arc<Vec<u8>>),
    /// The genuine answer, signed by a stranger.
    WrongSignature,
    /// The genuine answer without its signature.
    Unsigned,
    /// The genuine answer cut short, its signature over the whole.
    Shortened,
    /// The last genuine answer to another operation, validly signed.
    Former(&'static str),
}

impl Lie {
    pub(crate) fn edited(name: &'static str, edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self::Edited(name, Arc::new(edit))
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Wire(name, _) | Self::Edited(name, _) | Self::Body(name, _) => name,
            Self::WrongSignature => "a wrong signature",
            Self::Unsigned => "no signature",
            Self::Shortened => "a body cut short",
            Self::Former(_) => "the answer to another operation",
        }
    }

    /// Changes `genuine` before it is signed.
    pub(crate) fn edit(&self, genuine: &mut Response) {
        match self {
            Self::Edited(_, edit) => {
                let mut body: Value = serde_json::from_slice(&genuine.body).unwrap();
                edit(&mut body);
                genuine.body = body.to_string().into_bytes();
            }
            Self::Body(_, body) => genuine.body = body.to_vec(),
            _ => {}
        }
    }
}

/// Which requests are lied to, and how.
#[derive(Default)]
pub(crate) struct Lies(Vec<(String, Lie)>);

impl Lies {
    /// `on` is a method and the end of a path, as `POST /payments/batch`; `*` is everything.
    pub(crate) fn tell(&mut self, on: &str, lie: Lie) {
        self.0.push((on.to_owned(), lie));
    }

    pub(crate) fn stop(&mut self) {
        self.0.clear();
    }

    pub(crate) fn on(&self, method: &str, path: &str) -> Option<Lie> {
        let fits = |on: &str| {
            on == "*" || on.split_once(' ').is_some_and(|(verb, tail)| verb == method && tail_fits(path, tail))
        };
        self.0.iter().find(|(on, _)| fits(on)).map(|(_, lie)| lie.clone())
    }
}

/// The last segments of the path are those of the pattern; `{}` is any one segment.
fn tail_fits(path: &str, pattern: &str) -> bool {
    let mut segments = path.rsplit('/');
    pattern
        .trim_start_matches('/')
        .rsplit('/')
        .all(|wanted| segments.next().is_some_and(|is| wanted == "{}" || wanted == is))
}

fn wire(name: &'static str, head: &str, body: impl AsRef<[u8]>) -> Lie {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    Lie::Wire(name, Arc::new([head.as_bytes(), body].concat()))
}

/// What anybody on the line can answer, without any key.
pub(crate) fn unsigned_lies() -> Vec<Lie> {
    const PORTAL: &str = "<html><head><title>Welcome to Market WiFi</title></head><body>Log in</body></html>";
    // gzip of ten megabytes of zeros, and deflate blocks that never end.
    let bomb = gzip_of_zeros(10 * 1024 * 1024);
    let deep = [vec![b'['; 10_000], vec![b']'; 10_000]].concat();
    let deep_object = format!("{}1{}", "{\"data\":".repeat(10_000), "}".repeat(10_000));
    vec![
        wire("a portal's page", "200 OK\r\nContent-Type: text/html", PORTAL),
        wire("a portal's redirect", "302 Found\r\nLocation: http://127.0.0.1:9/login", ""),
        wire("a permanent redirect", "308 Permanent Redirect\r\nLocation: https://example.invalid/v1", "{}"),
        wire("an empty body", "200 OK\r\nContent-Type: application/json", ""),
        wire("an empty object", "200 OK\r\nContent-Type: application/json", "{}"),
        wire("no content", "204 No Content", ""),
        wire("HTML with 500", "500 Internal Server Error\r\nContent-Type: text/html", PORTAL),
        wire("HTML with 404", "404 Not Found\r\nContent-Type: text/html", PORTAL),
        wire("HTML with 403", "403 Forbidden\r\nContent-Type: text/html", PORTAL),
        wire("HTML with 407", "407 Proxy Authentication Required\r\nContent-Type: text/html", PORTAL),
        wire("ten megabytes", "200 OK\r\nContent-Type: application/json", vec![b'7'; 10 * 1024 * 1024]),
        wire("a gzip bomb", "200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip", bomb),
        wire("JSON 10,000 deep", "200 OK\r\nContent-Type: application/json", deep),
        wire("objects 10,000 deep", "200 OK\r\nContent-Type: application/json", deep_object),
        wire(
            "a forged signature",
            "200 OK\r\nkid: own-1\r\nwebhook-id: x\r\nwebhook-timestamp: 1795219200\r\nwebhook-signature: v1a,AAAA",
            "{}",
        ),
        Lie::Wire("no HTTP", Arc::new(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec())),
        Lie::Wire("nothing at all", Arc::new(Vec::new())),
        Lie::WrongSignature,
        Lie::Unsigned,
        Lie::Shortened,
    ]
}

/// Stored blocks would not be a bomb: one run of zeros in fixed Huffman codes, about a thousandth of its size.
fn gzip_of_zeros(len: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    // A final block with fixed codes; the first zero as a literal (8 bits, 0x30), then copies of 258 from one byte back.
    bits.push(0b1, 1);
    bits.push(0b01, 2);
    bits.push_code(0x30, 8);
    for _ in 0..len / 258 {
        bits.push_code(0b1100_0101, 8);
        bits.push_code(0, 5);
    }
    bits.push_code(0, 7);
    let mut gzip = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255];
    gzip.extend(bits.bytes());
    gzip.extend([0; 8]);
    gzip
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u8,
}

impl Bits {
    fn push(&mut self, value: u32, count: u8) {
        for at in 0..count {
            if self.used == 0 {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().unwrap();
            *last |= u8::try_from((value >> at) & 1).unwrap() << self.used;
            self.used = (self.used + 1) % 8;
        }
    }

    /// Huffman codes go in from their highest bit.
    fn push_code(&mut self, code: u32, count: u8) {
        for at in (0..count).rev() {
            self.push((code >> at) & 1, 1);
        }
    }

    fn bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[test]
fn the_bomb_is_a_bomb() {
    let bomb = gzip_of_zeros(10 * 1024 * 1024);
    assert!(bomb.len() < 100_000, "{} bytes for ten million", bomb.len());
}
