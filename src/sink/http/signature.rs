//! Signatures as <https://www.standardwebhooks.com> describes them.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::clock::Timestamp;

/// What stands before a secret that is written in base 64.
const BASE64_PREFIX: &str = "whsec_";

/// The headers of one request.
pub(super) struct Signed {
    /// Seconds since 1970.
    pub(super) timestamp: String,
    /// `v1,` and the base 64 of HMAC-SHA256 over `id.timestamp.body`.
    pub(super) signature: Option<String>,
}

/// Signs a body as it is sent, with the secret if there is one.
///
/// # Errors
///
/// What is wrong with the secret, without it.
pub(super) fn sign(
    secret: Option<&str>,
    id: &str,
    now: Timestamp,
    body: &[u8],
) -> Result<Signed, &'static str> {
    let timestamp = (now.as_micros() / 1_000_000).to_string();
    let signature = secret
        .map(|secret| {
            let mut mac = mac(secret)?;
            for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
                mac.update(part);
            }
            Ok::<_, &'static str>(format!(
                "v1,{}",
                STANDARD.encode(mac.finalize().into_bytes())
            ))
        })
        .transpose()?;
    Ok(Signed {
        timestamp,
        signature,
    })
}

fn mac(secret: &str) -> Result<Hmac<Sha256>, &'static str> {
    let key = match secret.strip_prefix(BASE64_PREFIX) {
        Some(encoded) => STANDARD
            .decode(encoded)
            .map_err(|_quotes_a_byte| "what follows whsec_ in the secret is no base 64")?,
        None => secret.as_bytes().to_vec(),
    };
    if key.is_empty() {
        return Err("the secret is empty");
    }
    Hmac::new_from_slice(&key).map_err(|_takes_any_length| "the secret cannot be used")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_as_the_specification_and_openssl_make_it() {
        // The example of the specification's own libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let now = Timestamp::from_micros(1_614_265_330_999_999);
        let body = br#"{"test": 2432232314}"#;
        let signed = sign(Some(secret), "msg_p5jXN8AQM9LWM0D4loKWxJek", now, body).unwrap();
        assert_eq!(signed.timestamp, "1614265330");
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signed.signature.as_deref(), Some(expected));

        // printf 'a.1.b' | openssl dgst -sha256 -hmac hunter2 -binary | base64
        let plain = sign(
            Some("hunter2"),
            "a",
            Timestamp::from_micros(1_000_000),
            b"b",
        )
        .unwrap();
        let expected = "v1,oryveq99fIi20gDFWo5Ylil2R6WvoRjNiUwD1Ci85ew=";
        assert_eq!(plain.signature.as_deref(), Some(expected));
    }

    #[test]
    fn without_a_secret_there_is_no_signature_and_a_bad_one_is_not_repeated() {
        let now = Timestamp::from_micros(0);
        assert_eq!(sign(None, "a", now, b"").unwrap().signature, None);
        for bad in ["whsec_hunter2", "whsec_", ""] {
            let error = sign(Some(bad), "a", now, b"").err().unwrap();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
