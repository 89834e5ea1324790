//! The activation code: what the merchant types or scans once, and where all trust begins.

use std::fmt;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::encoding::{base64url, from_base64url_exact, hex_lower};

/// Why a text is no activation code. The merchant types it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ActivationCodeError {
    /// Not three parts with points between them.
    #[error("an activation code has three parts")]
    Parts,
    /// The first part is not 4 to 64 letters, digits and hyphens.
    #[error("the first part of the activation code is malformed")]
    Code,
    /// The second part is not a key of 32 bytes.
    #[error("the second part of the activation code is malformed")]
    RootKey,
    /// The checksum does not fit: a slip of the finger.
    #[error("the activation code was mistyped")]
    Checksum,
}

/// A parsed activation code. Only [`ActivationCode::code`] is ever sent; the root key never travels.
#[derive(Clone, PartialEq, Eq)]
pub struct ActivationCode {
    code: String,
    root_key: [u8; 32],
}

impl ActivationCode {
    /// Reads `<code>.<root>.<checksum>`; blanks around it are ignored.
    ///
    /// # Errors
    /// [`ActivationCodeError`], named by the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, ActivationCodeError> {
        let mut parts = text.trim().split('.');
        let (Some(code), Some(root), Some(checksum), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ActivationCodeError::Parts);
        };
        let sound = (4..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !sound {
            return Err(ActivationCodeError::Code);
        }
        let root_key = from_base64url_exact(root).ok_or(ActivationCodeError::RootKey)?;
        if !checksum.eq_ignore_ascii_case(&checksum_of(code, root)) {
            return Err(ActivationCodeError::Checksum);
        }
        Ok(Self { code: code.to_owned(), root_key })
    }

    /// The part that is sent.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The acquirer's Ed25519 root public key.
    #[must_use]
    pub fn root_key(&self) -> &[u8; 32] {
        &self.root_key
    }

    /// The whole text again.
    #[must_use]
    pub fn to_text(&self) -> String {
        let root = base64url(&self.root_key);
        format!("{}.{root}.{}", self.code, checksum_of(&self.code, &root))
    }
}

fn checksum_of(code: &str, root: &str) -> String {
    hex_lower(&Sha256::digest(format!("{code}.{root}").as_bytes())[..4])
}

impl fmt::Debug for ActivationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActivationCode({} characters)", self.code.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "STALL-7QK4-92.11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo.";

    fn whole() -> String {
        let (code, root) = ("STALL-7QK4-92", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        format!("{TEXT}{}", checksum_of(code, root))
    }

    #[test]
    fn a_code_reads_back() {
        let code = ActivationCode::parse(&format!("  {}\n", whole())).unwrap();
        assert_eq!(code.code(), "STALL-7QK4-92");
        assert_eq!(code.to_text(), whole());
        assert!(!format!("{code:?}").contains("STALL"));
    }

    #[test]
    fn each_slip_is_named() {
        assert_eq!(ActivationCode::parse("abcd"), Err(ActivationCodeError::Parts));
        assert_eq!(ActivationCode::parse(&format!("{}.x", whole())), Err(ActivationCodeError::Parts));
        assert_eq!(ActivationCode::parse(&whole().replace("STALL", "ST LL")), Err(ActivationCodeError::Code));
        assert_eq!(ActivationCode::parse(&whole().replace("URo.", "UR.")), Err(ActivationCodeError::RootKey));
        assert_eq!(ActivationCode::parse(&whole().replace("7QK4", "7QK5")), Err(ActivationCodeError::Checksum));
        let swapped = whole().replace("11qY", "1q1Y");
        assert_eq!(ActivationCode::parse(&swapped), Err(ActivationCodeError::Checksum));
    }
}
