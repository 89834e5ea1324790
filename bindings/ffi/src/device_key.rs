//! The key that signs requests, in the phone's hardware.

use takings_acquirers::{Alg, DeviceSigner, PublicJwk, SignError};

use crate::callbacks::Foreign;
use crate::error::TakingsError;
use crate::lane::{Lane, Unanswered};

/// What stands before the 65 bytes of a P-256 point in the X.509 form that Android hands out.
const SPKI_P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The key that says who this phone is: Android Keystore, Secure Enclave. The same key for the life of a ledger, usable
/// without asking the user. Called on a thread of the library's, one call after the other.
///
/// A call back into the till from here is an error. The till waits ten seconds for each answer: without algorithm and public
/// key it does not open (`silent`); a signature that comes later is not used, and what was to be sent is tried again.
#[uniffi::export(foreign)]
pub trait DeviceKey: Send + Sync {
    /// `ecdsa-p256-sha256` or `ed25519`.
    fn algorithm(&self) -> Result<String, TakingsError>;

    /// The public key. P-256: the point, 65 bytes beginning with 4, or the 91 bytes of its X.509 form (`encoded` on
    /// Android). Ed25519: 32 bytes.
    fn public_key(&self) -> Result<Vec<u8>, TakingsError>;

    /// Signs these bytes (not their hash). P-256: r and s, 64 bytes, or their DER form, as both platforms make it.
    /// Ed25519: 64 bytes.
    fn sign(&self, bytes: Vec<u8>) -> Result<Vec<u8>, TakingsError>;
}

/// What the key is asked.
enum Ask {
    Algorithm,
    PublicKey,
    Sign(Vec<u8>),
}

/// The app's key as the core sees it: asked on a thread of its own, waited for with patience that ends.
pub(crate) struct HostKey {
    public: PublicJwk,
    lane: Lane<Ask, Vec<u8>>,
}

impl HostKey {
    pub(crate) fn new(key: Foreign<dyn DeviceKey>, patience_ms: u64) -> Result<Self, TakingsError> {
        let serve = move |ask| {
            key.call(|key| match ask {
                Ask::Algorithm => key.algorithm().map(String::into_bytes),
                Ask::PublicKey => key.public_key(),
                Ask::Sign(bytes) => key.sign(bytes),
            })
        };
        let lane = Lane::open("takings-key", patience_ms, serve)?;
        let word = String::from_utf8_lossy(&lane.ask(Ask::Algorithm)?).into_owned();
        let bytes = lane.ask(Ask::PublicKey)?;
        let refused = |why: &str| TakingsError::fix_input("device_key", why);
        let public = match Alg::from_word(&word).ok_or_else(|| refused("an algorithm of another name"))? {
            Alg::EcdsaP256Sha256 => p256_point(&bytes).ok_or_else(|| refused("no P-256 point"))?,
            Alg::Ed25519 => PublicJwk::Ed25519 { x: bytes.try_into().map_err(|_| refused("not 32 bytes"))? },
        };
        Ok(Self { public, lane })
    }
}

impl DeviceSigner for HostKey {
    fn public_jwk(&self) -> PublicJwk {
        self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signed = self.lane.ask(Ask::Sign(message.to_vec())).map_err(|why| {
            SignError(match why {
                Unanswered::Threw(error) => error.to_string(),
                Unanswered::Silent => "the device key did not answer".to_owned(),
                Unanswered::Busy => "the device key is still at an earlier signature".to_owned(),
                Unanswered::Gone => "the thread of the device key ended".to_owned(),
            })
        })?;
        match self.public {
            PublicJwk::P256 { .. } => r_and_s(&signed),
            PublicJwk::Ed25519 { .. } => <[u8; 64]>::try_from(signed).ok().map(|signed| signed.to_vec()),
        }
        .ok_or_else(|| SignError("what the device key made is no signature".to_owned()))
    }
}

fn p256_point(bytes: &[u8]) -> Option<PublicJwk> {
    let point = bytes.strip_prefix(SPKI_P256).unwrap_or(bytes);
    let (x, y) = point.strip_prefix(&[4])?.split_at_checked(32)?;
    Some(PublicJwk::P256 { x: x.try_into().ok()?, y: y.try_into().ok()? })
}

/// r ‖ s from either form. A DER form of exactly 64 bytes needs two numbers shorter by 32 bits: it does not happen.
fn r_and_s(signed: &[u8]) -> Option<Vec<u8>> {
    if signed.len() == 64 {
        return Some(signed.to_vec());
    }
    let (body, rest) = der(0x30, signed)?;
    let (r, body) = der(0x02, body)?;
    let (s, body) = der(0x02, body)?;
    if !rest.is_empty() || !body.is_empty() {
        return None;
    }
    let mut both = vec![0; 64];
    for (number, place) in [(r, 0), (s, 32)] {
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        let start = 32_usize.checked_sub(number.len())?;
        both.get_mut(place + start..place + 32)?.copy_from_slice(number);
    }
    Some(both)
}

/// The value of a DER element with a short length, and what follows it.
fn der(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, len], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag || len >= 0x80 {
        return None;
    }
    rest.split_at_checked(usize::from(len))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Throws, or calls what it was given.
    struct App(Option<Arc<crate::Till>>);

    impl DeviceKey for App {
        fn algorithm(&self) -> Result<String, TakingsError> {
            Ok("ed25519".to_owned())
        }

        fn public_key(&self) -> Result<Vec<u8>, TakingsError> {
            Ok(vec![7; 32])
        }

        fn sign(&self, bytes: Vec<u8>) -> Result<Vec<u8>, TakingsError> {
            match &self.0 {
                Some(till) => crate::calls::wait_for(till.status()).map(|_| bytes),
                None => Err(TakingsError::storage("locked", "unlock the phone")),
            }
        }
    }

    /// Does not tell its algorithm before it is told to.
    struct Blocks(Mutex<Receiver<()>>);

    impl DeviceKey for Blocks {
        fn algorithm(&self) -> Result<String, TakingsError> {
            let _ = self.0.lock().unwrap().recv();
            Ok("ed25519".to_owned())
        }

        fn public_key(&self) -> Result<Vec<u8>, TakingsError> {
            Ok(vec![7; 32])
        }

        fn sign(&self, bytes: Vec<u8>) -> Result<Vec<u8>, TakingsError> {
            Ok(bytes)
        }
    }

    #[test]
    fn a_key_that_blocks_while_the_till_opens_is_an_error() {
        let (go, goes) = channel();
        let Err(error) = HostKey::new(Foreign::new(Arc::new(Blocks(Mutex::new(goes)))), 1) else { panic!("opened") };
        // A slow machine may withdraw the question before it began.
        assert!(matches!(&error, TakingsError::Internal { code, .. } if code == "silent" || code == "busy"), "{error}");
        drop(go);
    }

    #[test]
    fn a_key_that_throws_is_an_error() {
        let key = HostKey::new(Foreign::new(Arc::new(App(None))), 60_000).unwrap();
        assert!(key.sign(b"x").unwrap_err().0.contains("locked"));
        assert!(key.sign(b"x").unwrap_err().0.contains("locked"));
    }

    #[cfg(feature = "demo")]
    #[test]
    fn a_key_that_calls_the_till_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let world = crate::demo::DemoWorld::new(1, 1_795_226_400_000).unwrap();
        let path = dir.path().to_str().unwrap().to_owned();
        let till = crate::calls::wait_for(world.open_till(path, crate::records::Language::En)).unwrap();
        let key = HostKey::new(Foreign::new(Arc::new(App(Some(Arc::clone(&till))))), 60_000).unwrap();
        assert!(key.sign(b"x").unwrap_err().0.contains("called_back"));
        assert!(crate::calls::wait_for(till.verify()).unwrap().sound);
    }

    #[test]
    fn both_forms_of_a_signature_are_the_same() {
        let raw: Vec<u8> = [vec![0; 2], vec![0x11; 30], vec![0xff; 32]].concat();
        let der = [&[0x30, 67, 0x02, 30][..], &raw[2..32], &[0x02, 33, 0], &raw[32..]].concat();
        assert_eq!(r_and_s(&der), Some(raw.clone()));
        assert_eq!(r_and_s(&raw), Some(raw));
        for broken in [&der[..der.len() - 1], &der[1..], &[][..], &[0x30, 0x80]] {
            assert_eq!(r_and_s(broken), None);
        }
    }

    #[test]
    fn both_forms_of_a_public_key_are_the_same() {
        let point = [&[4][..], &[1; 32], &[2; 32]].concat();
        let expected = Some(PublicJwk::P256 { x: [1; 32], y: [2; 32] });
        assert_eq!(p256_point(&point), expected);
        assert_eq!(p256_point(&[SPKI_P256, &point].concat()), expected);
        assert_eq!(p256_point(&point[1..]), None);
        assert_eq!(p256_point(&[&point[..], &[0]].concat()), None);
    }
}
