//! Keys of an acquirer of our own: whatever the sandbox answers can be changed and is validly signed all the same.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use takings_acquirers::{Answer, signed_input};

const KID: &str = "own-1";

fn root() -> SigningKey {
    SigningKey::from_bytes(&[0xA1; 32])
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[0xA2; 32])
}

/// The sandbox's code with our root in the place of its own.
pub(crate) fn activation_code(code: &str) -> String {
    let head = format!("{code}.{}", URL_SAFE_NO_PAD.encode(root().verifying_key().to_bytes()));
    let checksum: String = Sha256::digest(head.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{head}.{checksum}")
}

/// Our key in the place of the sandbox's, or each event in a wrapper of ours.
pub(crate) fn put_ours(path: &str, body: &mut Value) {
    if path.ends_with("/keys") {
        let x = URL_SAFE_NO_PAD.encode(key().verifying_key().to_bytes());
        body["keys"] = json!([{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": KID, "x": x}]);
    } else if path.ends_with("/events") {
        for wrapper in body["data"].as_array_mut().into_iter().flatten() {
            let payload = URL_SAFE_NO_PAD.decode(wrapper["p"].as_str().unwrap_or_default()).unwrap_or_default();
            wrap(wrapper, &payload);
        }
    }
}

/// A wrapper around other bytes, ours.
pub(crate) fn wrap(wrapper: &mut Value, payload: &[u8]) {
    let message =
        signed_input(wrapper["id"].as_str().unwrap_or_default(), wrapper["ts"].as_i64().unwrap_or(0), payload);
    wrapper["p"] = json!(URL_SAFE_NO_PAD.encode(payload));
    wrapper["kid"] = json!(KID);
    wrapper["s"] = json!(URL_SAFE_NO_PAD.encode(key().sign(&message).to_bytes()));
}

/// Signs the answer as it stands now; by the root if it is the list of keys.
pub(crate) fn sign(answer: &mut Answer, by_root: bool) {
    let header = |name| answer.header(name).unwrap_or_default().to_owned();
    let timestamp_s = header("webhook-timestamp").parse().unwrap_or(0);
    let message = signed_input(&header("webhook-id"), timestamp_s, &answer.body);
    let by = if by_root { root() } else { key() };
    let signature = format!("v1a,{}", STANDARD.encode(by.sign(&message).to_bytes()));
    for (name, value) in &mut answer.headers {
        match name.as_str() {
            "webhook-signature" => value.clone_from(&signature),
            "kid" => *value = if by_root { "root" } else { KID }.to_owned(),
            _ => {}
        }
    }
}
