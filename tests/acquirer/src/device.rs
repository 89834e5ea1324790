//! A device's public key and the message signatures (RFC 9421) made with it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::message::Request;

/// Seconds a request's `created` may differ from the server's clock.
pub(crate) const WINDOW_S: i64 = 300;

/// A public key, ready for use.
#[derive(Clone, Debug)]
pub(crate) enum Verifier {
    P256(Box<p256::ecdsa::VerifyingKey>),
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
}

/// A device key as it was registered.
#[derive(Clone, Debug)]
pub(crate) struct DeviceKey {
    pub(crate) verifier: Verifier,
    pub(crate) thumbprint: String,
    pub(crate) jwk: Value,
}

impl DeviceKey {
    /// Reads a JWK: EC P-256 or OKP Ed25519. `None` if it is neither or no point of the curve.
    pub(crate) fn from_jwk(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let member = |name: &str| -> Option<(String, [u8; 32])> {
            let text = text(name)?;
            let bytes: [u8; 32] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
            Some((text.to_owned(), bytes))
        };
        let (verifier, canonical, jwk) = match (text("kty")?, text("crv")?) {
            ("EC", "P-256") => {
                let ((x, x_bytes), (y, y_bytes)) = (member("x")?, member("y")?);
                let mut point = vec![4u8];
                point.extend_from_slice(&x_bytes);
                point.extend_from_slice(&y_bytes);
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?;
                let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
                (Verifier::P256(Box::new(key)), canonical, json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}))
            }
            ("OKP", "Ed25519") => {
                let (x, x_bytes) = member("x")?;
                let key = ed25519_dalek::VerifyingKey::from_bytes(&x_bytes).ok()?;
                let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
                (Verifier::Ed25519(Box::new(key)), canonical, json!({"kty": "OKP", "crv": "Ed25519", "x": x}))
            }
            _ => return None,
        };
        let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(canonical.as_bytes()));
        Some(Self { verifier, thumbprint, jwk })
    }

    /// The signature algorithm's name in `alg`.
    pub(crate) fn alg(&self) -> &'static str {
        match self.verifier {
            Verifier::P256(_) => "ecdsa-p256-sha256",
            Verifier::Ed25519(_) => "ed25519",
        }
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.verifier {
            Verifier::P256(key) => {
                use p256::ecdsa::signature::Verifier as _;
                p256::ecdsa::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
            Verifier::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }
}

/// What a request's signature headers say; nothing is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    components: Vec<String>,
    /// The parameters exactly as received: the signature is over this text.
    raw: String,
    pub(crate) created: i64,
    pub(crate) nonce: String,
    alg: String,
    pub(crate) keyid: String,
    signature: Vec<u8>,
}

/// Why a signature was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Header missing or not readable.
    Malformed,
    /// The covered components are not the ones the contract names, in its order.
    Uncovered,
    /// `Content-Digest` missing or different from the body's.
    Digest,
    /// The signature does not fit key and message.
    Wrong,
    /// The nonce was used before.
    Replayed,
    /// Made too long before or after the server's now.
    Skew,
}

impl Refusal {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Malformed => "Signature-Input or Signature is missing or malformed",
            Self::Uncovered => "the covered components are not those of the contract, in its order",
            Self::Digest => "Content-Digest is missing or does not fit the body",
            Self::Wrong => "the signature does not verify",
            Self::Replayed => "the nonce was used before",
            Self::Skew => "created is too far from the server's time",
        }
    }
}

/// Reads `Signature-Input` and `Signature`: exactly one signature.
pub(crate) fn claim(request: &Request) -> Result<Claim, Refusal> {
    let input = single(request, "signature-input").ok_or(Refusal::Malformed)?;
    let signature = single(request, "signature").ok_or(Refusal::Malformed)?;
    let raw = input.strip_prefix("sig1=").ok_or(Refusal::Malformed)?;
    let value = signature.strip_prefix("sig1=:").and_then(|rest| rest.strip_suffix(':')).ok_or(Refusal::Malformed)?;
    let signature = STANDARD.decode(value).map_err(|_| Refusal::Malformed)?;
    parse_parameters(raw, signature).ok_or(Refusal::Malformed)
}

fn single<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let mut values = request.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    let (_, value) = values.next()?;
    values.next().is_none().then(|| value.trim())
}

fn parse_parameters(raw: &str, signature: Vec<u8>) -> Option<Claim> {
    let list = raw.strip_prefix('(')?;
    let (list, parameters) = list.split_once(')')?;
    let mut components = Vec::new();
    for item in list.split(' ').filter(|item| !item.is_empty()) {
        components.push(quoted(item)?);
    }
    // Each parameter of the contract once, in any order: signing libraries have orders of their own.
    let (mut created, mut nonce, mut alg, mut keyid) = (None, None, None, None);
    for parameter in parameters.strip_prefix(';')?.split(';') {
        let (name, value) = parameter.split_once('=')?;
        let place = match name {
            "created" => &mut created,
            "nonce" => &mut nonce,
            "alg" => &mut alg,
            "keyid" => &mut keyid,
            _ => return None,
        };
        if place.replace(value).is_some() {
            return None;
        }
    }
    let (created, nonce, alg, keyid) = (created?, quoted(nonce?)?, quoted(alg?)?, quoted(keyid?)?);
    if created.len() > 11 || !created.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nonce_fits =
        (16..=64).contains(&nonce.len()) && nonce.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !nonce_fits {
        return None;
    }
    let created = created.parse().ok()?;
    Some(Claim { components, raw: raw.to_owned(), created, nonce, alg, keyid, signature })
}

/// A structured-field string without escapes: nothing the contract puts here needs one.
fn quoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    inner.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'"' && b != b'\\').then(|| inner.to_owned())
}

impl Claim {
    /// Verifies the claim over `request`, whose full URI is `target_uri`, at `now_ms` of server time.
    pub(crate) fn verify(
        &self,
        request: &Request,
        target_uri: &str,
        key: &DeviceKey,
        now_ms: i64,
    ) -> Result<(), Refusal> {
        if self.alg != key.alg() || self.keyid != key.thumbprint {
            return Err(Refusal::Wrong);
        }
        if self.components != needed_components(request) {
            return Err(Refusal::Uncovered);
        }
        if !request.body.is_empty() && !digest_fits(request) {
            return Err(Refusal::Digest);
        }
        let base = self.base(request, target_uri).ok_or(Refusal::Malformed)?;
        if !key.verifies(base.as_bytes(), &self.signature) {
            return Err(Refusal::Wrong);
        }
        // Judged last, so that only a real device is told the server's time apart from `Date`.
        if (self.created - now_ms.div_euclid(1000)).abs() > WINDOW_S {
            return Err(Refusal::Skew);
        }
        Ok(())
    }

    fn base(&self, request: &Request, target_uri: &str) -> Option<String> {
        let mut base = String::with_capacity(512);
        for component in &self.components {
            let value = match component.as_str() {
                "@method" => request.method.clone(),
                "@target-uri" => target_uri.to_owned(),
                name => header_value(request, name)?,
            };
            base.push_str(&format!("\"{component}\": {value}\n"));
        }
        base.push_str("\"@signature-params\": ");
        base.push_str(&self.raw);
        Some(base)
    }
}

/// A header that must be covered but is absent is judged later, as what its absence means.
fn needed_components(request: &Request) -> Vec<&'static str> {
    let mut needed = vec!["@method", "@target-uri"];
    if !request.body.is_empty() {
        needed.push("content-digest");
    }
    if request.method == "POST" && request.header("idempotency-key").is_some() {
        needed.push("idempotency-key");
    }
    if request.header("x-terminal-id").is_some() && !(request.method == "POST" && request.path() == "/v1/terminals") {
        needed.push("x-terminal-id");
    }
    needed
}

fn header_value(request: &Request, name: &str) -> Option<String> {
    let values: Vec<&str> = request
        .headers
        .iter()
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// RFC 9530 with `sha-256`; other algorithms beside it are passed over.
fn digest_fits(request: &Request) -> bool {
    let Some(value) = header_value(request, "content-digest") else { return false };
    let wanted = STANDARD.encode(Sha256::digest(&request.body));
    value.split(',').any(|member| {
        member
            .trim()
            .strip_prefix("sha-256=:")
            .and_then(|rest| rest.strip_suffix(':'))
            .is_some_and(|digest| digest == wanted)
    })
}
