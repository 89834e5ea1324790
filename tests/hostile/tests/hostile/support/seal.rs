//! Keys of an acquirer of our own: whatever the sandbox answers can be changed and is validly signed all the same.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use sandbox_acquirer::Response;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const KID: &str = "own-1";

pub(crate) struct Seal {
    root: SigningKey,
    key: SigningKey,
    stranger: SigningKey,
}

impl Seal {
    pub(crate) fn new() -> Self {
        let key = |byte| SigningKey::from_bytes(&[byte; 32]);
        Self { root: key(0xA1), key: key(0xA2), stranger: key(0xA3) }
    }

    /// The sandbox's code with our root in the place of its own.
    pub(crate) fn activation_code(&self, code: &str) -> String {
        let head = format!("{code}.{}", URL_SAFE_NO_PAD.encode(self.root.verifying_key().to_bytes()));
        let checksum: String =
            Sha256::digest(head.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{head}.{checksum}")
    }

    pub(crate) fn key_list(&self, genuine: &[u8]) -> Vec<u8> {
        let mut list: Value = serde_json::from_slice(genuine).unwrap();
        let x = URL_SAFE_NO_PAD.encode(self.key.verifying_key().to_bytes());
        list["keys"] = json!([{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": KID, "x": x}]);
        list.to_string().into_bytes()
    }

    /// Every event of a page in a wrapper of ours.
    pub(crate) fn rewrap(&self, page: &[u8]) -> Vec<u8> {
        let mut page: Value = serde_json::from_slice(page).unwrap();
        for wrapper in page["data"].as_array_mut().unwrap() {
            let payload = URL_SAFE_NO_PAD.decode(wrapper["p"].as_str().unwrap()).unwrap();
            let message = message(wrapper["id"].as_str().unwrap(), &wrapper["ts"].to_string(), &payload);
            wrapper["kid"] = json!(KID);
            wrapper["s"] = json!(URL_SAFE_NO_PAD.encode(self.key.sign(&message).to_bytes()));
        }
        page.to_string().into_bytes()
    }

    /// Signs the answer as it stands now; by the root if it is the list of keys.
    pub(crate) fn sign(&self, response: &mut Response, by_root: bool, wrongly: bool) {
        let header = |name| response.header(name).unwrap_or_default().to_owned();
        let message = message(&header("webhook-id"), &header("webhook-timestamp"), &response.body);
        let key = match (wrongly, by_root) {
            (true, _) => &self.stranger,
            (false, true) => &self.root,
            (false, false) => &self.key,
        };
        let signature = format!("v1a,{}", STANDARD.encode(key.sign(&message).to_bytes()));
        for (name, value) in &mut response.headers {
            match name.as_str() {
                "webhook-signature" => value.clone_from(&signature),
                "kid" => *value = if by_root { "root" } else { KID }.to_owned(),
                _ => {}
            }
        }
    }
}

fn message(id: &str, timestamp: &str, bytes: &[u8]) -> Vec<u8> {
    [format!("{id}.{timestamp}.").as_bytes(), bytes].concat()
}
