//! The acquirer's own keys: a root that signs the key list, and signing keys for all else.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::random::derive;

/// `kid` of the root key.
pub(crate) const ROOT: &str = "root";

#[derive(Clone, Debug)]
struct Entry {
    kid: String,
    key: SigningKey,
}

/// The root and every listed signing key.
#[derive(Clone, Debug)]
pub(crate) struct AcquirerKeys {
    seed: u64,
    root: SigningKey,
    listed: Vec<Entry>,
    /// Index of the listed key that signs now.
    using: usize,
    made: u32,
    /// When the list last changed.
    pub(crate) changed_ms: i64,
}

impl AcquirerKeys {
    pub(crate) fn new(seed: u64, now_ms: i64) -> Self {
        let root = SigningKey::from_bytes(&derive(seed, "root key"));
        let mut keys = Self { seed, root, listed: Vec::new(), using: 0, made: 0, changed_ms: now_ms };
        keys.rotate(now_ms, false, false);
        keys
    }

    /// Goes to the next signing key, making it if none is announced; says its `kid`.
    ///
    /// With `announce_only` the key is listed but does not sign yet; with `drop_old` every key
    /// before the signing one leaves the list.
    pub(crate) fn rotate(&mut self, now_ms: i64, announce_only: bool, drop_old: bool) -> String {
        let announced = self.using + 1 < self.listed.len();
        if !announced {
            self.made += 1;
            let key = SigningKey::from_bytes(&derive(self.seed, &format!("signing key {}", self.made)));
            self.listed.push(Entry { kid: format!("k{:04}", self.made), key });
        }
        if !announce_only {
            self.using = self.listed.len() - 1;
        }
        if drop_old {
            self.listed.drain(..self.using);
            self.using = 0;
        }
        self.changed_ms = now_ms;
        self.listed.last().map_or_else(String::new, |entry| entry.kid.clone())
    }

    /// The `kid` of the key that signs now.
    pub(crate) fn current(&self) -> &str {
        self.listed.get(self.using).map_or(ROOT, |entry| entry.kid.as_str())
    }

    fn key(&self, root: bool) -> &SigningKey {
        match self.listed.get(self.using) {
            Some(entry) if !root => &entry.key,
            _ => &self.root,
        }
    }

    /// Signature over `id.timestamp.body`, in standard Base64.
    pub(crate) fn sign(&self, root: bool, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        STANDARD.encode(self.sign_raw(root, id, timestamp_s, body))
    }

    fn sign_raw(&self, root: bool, id: &str, timestamp_s: i64, body: &[u8]) -> [u8; 64] {
        let mut message = format!("{id}.{timestamp_s}.").into_bytes();
        message.extend_from_slice(body);
        self.key(root).sign(&message).to_bytes()
    }

    /// An event in its wrapper: the same bytes in the feed and in a push.
    pub(crate) fn wrap(&self, id: &str, timestamp_s: i64, event: &[u8]) -> Value {
        let signature = self.sign_raw(false, id, timestamp_s, event);
        json!({
            "v": 1, "kid": self.current(), "id": id, "ts": timestamp_s,
            "p": URL_SAFE_NO_PAD.encode(event), "s": URL_SAFE_NO_PAD.encode(signature),
        })
    }

    /// A signature by a key nobody listed, as a planted fault.
    pub(crate) fn sign_wrongly(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let mut message = format!("{id}.{timestamp_s}.").into_bytes();
        message.extend_from_slice(body);
        let stranger = SigningKey::from_bytes(&derive(self.seed, "a key nobody listed"));
        STANDARD.encode(stranger.sign(&message).to_bytes())
    }

    /// The listed keys as JWKs, oldest first.
    pub(crate) fn jwks(&self) -> Vec<Value> {
        let jwk = |entry: &Entry| {
            let x = URL_SAFE_NO_PAD.encode(entry.key.verifying_key().to_bytes());
            json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": entry.kid, "x": x})
        };
        self.listed.iter().map(jwk).collect()
    }

    /// The code a merchant types: `<code>.<root key>.<checksum>`.
    pub(crate) fn activation_code(&self, code: &str) -> String {
        let root = URL_SAFE_NO_PAD.encode(self.root.verifying_key().to_bytes());
        let head = format!("{code}.{root}");
        let digest = Sha256::digest(head.as_bytes());
        let checksum: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{head}.{checksum}")
    }
}
