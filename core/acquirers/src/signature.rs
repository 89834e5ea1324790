//! Signed requests: RFC 9421 over RFC 9530 digests, exactly as the contract fixes them.

use sha2::{Digest, Sha256};

use crate::device::{DeviceSigner, SignError};
use crate::encoding::{base64, base64url};

/// How far server time and a signature's `created` may lie apart, in seconds.
pub const WINDOW_S: i64 = 300;

/// What a signature takes from outside: encoding reads no clock and no randomness.
#[derive(Debug, Clone, Copy)]
pub struct SigningContext {
    /// The server's time as best known, milliseconds since 1970 UTC.
    pub now_ms: i64,
    /// Sixteen random bytes, never used twice.
    pub nonce: [u8; 16],
}

/// One covered component: its name and its value.
pub type Component<'a> = (&'a str, &'a str);

/// The `Content-Digest` of a body.
#[must_use]
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", base64(&Sha256::digest(body)))
}

/// The signature base: one line for each component, then the parameters as they stand in `Signature-Input`.
#[must_use]
pub fn signature_base(components: &[Component<'_>], params: &str) -> String {
    let mut base = String::new();
    for (name, value) in components {
        base.push_str(&format!("\"{name}\": {value}\n"));
    }
    base.push_str(&format!("\"@signature-params\": {params}"));
    base
}

/// The value of `@signature-params`: components in their order, then `created;nonce;alg;keyid`.
#[must_use]
pub fn signature_params(components: &[Component<'_>], created_s: i64, nonce: &str, alg: &str, keyid: &str) -> String {
    let names: Vec<String> = components.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    format!("({});created={created_s};nonce=\"{nonce}\";alg=\"{alg}\";keyid=\"{keyid}\"", names.join(" "))
}

/// The headers `Signature-Input` and `Signature` over these components.
pub(crate) fn sign(
    components: &[Component<'_>],
    signer: &dyn DeviceSigner,
    context: &SigningContext,
) -> Result<[(String, String); 2], SignError> {
    let created_s = context.now_ms.div_euclid(1000);
    let keyid = signer.public_jwk().thumbprint();
    let params = signature_params(components, created_s, &base64url(&context.nonce), signer.alg().as_str(), &keyid);
    let signature = signer.sign(signature_base(components, &params).as_bytes())?;
    if signature.len() != 64 {
        return Err(SignError(format!("a signature of {} bytes, not 64", signature.len())));
    }
    Ok([
        ("signature-input".to_owned(), format!("sig1={params}")),
        ("signature".to_owned(), format!("sig1=:{}:", base64(&signature))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{from_base64, from_base64url_exact};
    use crate::jwk::PublicJwk;

    /// RFC 9421, B.2.6: the signed base and signature of the document, key test-key-ed25519.
    #[test]
    fn rfc_9421_ed25519_vector() {
        let components = [
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("@method", "POST"),
            ("@path", "/foo"),
            ("@authority", "example.com"),
            ("content-type", "application/json"),
            ("content-length", "18"),
        ];
        let params = concat!(
            r#"("date" "@method" "@path" "@authority" "content-type" "content-length")"#,
            r#";created=1618884473;keyid="test-key-ed25519""#
        );
        let key =
            PublicJwk::Ed25519 { x: from_base64url_exact("JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs").unwrap() };
        let signature =
            from_base64("wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==")
                .unwrap();
        assert!(key.verifies(signature_base(&components, params).as_bytes(), &signature));
        assert!(!key.verifies(signature_base(&components[1..], params).as_bytes(), &signature));
    }

    /// RFC 9421, B.2.4: ECDSA over P-256, key test-key-ecc-p256, over a response.
    #[test]
    fn rfc_9421_ecdsa_p256_vector() {
        let digest = concat!(
            "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==",
            ":"
        );
        let components = [
            ("@status", "200"),
            ("content-type", "application/json"),
            ("content-digest", digest),
            ("content-length", "23"),
        ];
        let params = concat!(
            r#"("@status" "content-type" "content-digest" "content-length")"#,
            r#";created=1618884473;keyid="test-key-ecc-p256""#
        );
        let key = PublicJwk::P256 {
            x: from_base64url_exact("qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA").unwrap(),
            y: from_base64url_exact("Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0").unwrap(),
        };
        let signature =
            from_base64("wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==")
                .unwrap();
        assert!(key.verifies(signature_base(&components, params).as_bytes(), &signature));
    }

    /// RFC 9530, the example of a SHA-256 digest.
    #[test]
    fn rfc_9530_digest_vector() {
        assert_eq!(
            content_digest(b"{\"hello\": \"world\"}\n"),
            "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
        );
    }

    /// RFC 8037, A.3.
    #[test]
    fn rfc_8037_thumbprint_vector() {
        let key =
            PublicJwk::Ed25519 { x: from_base64url_exact("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap() };
        assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
