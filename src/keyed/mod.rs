//! Keyed hashes: a value can be searched for, but neither read nor used.

mod source;

use std::{fmt, str::FromStr};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

pub use source::KeyError;
pub(crate) use source::{FILE_VARIABLE, VARIABLE};

use crate::text::Text;

/// The key behind every keyed hash of a trail: sessions, addresses, masked values.
///
/// All instances of a service need the same one, or the same session has another hash in each. Make
/// one with `openssl rand -hex 32`, give it a name, and hand it to the service as
/// `AUDIT_SESSION_KEY=k1:<the 64 digits>`, or in a file that `AUDIT_SESSION_KEY_FILE` names.
///
/// A hash is `hmac-sha256:<key id>:<64 hex digits>`: HMAC (RFC 2104) with SHA-256, over the
/// [purpose](Purpose) and the value. The id tells which key it was after the key was changed. It
/// stands in every such hash, so it must not be secret.
///
/// ```
/// use tower_audit::{HashKey, Purpose};
///
/// let key: HashKey = "k1:2f1c5b0e9a7d4438".parse()?;
/// assert_eq!(key.id(), "k1");
/// let hash = key.hash(Purpose::Session, b"the value of a cookie");
/// assert!(hash.starts_with("hmac-sha256:k1:"));
/// # Ok::<(), tower_audit::KeyError>(())
/// ```
#[derive(Clone)]
pub struct HashKey {
    id: Text,
    mac: Hmac<Sha256>,
}

/// What is hashed. The same text has another hash for each, so that one cannot be looked up as
/// the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// The id of a session.
    Session,
    /// An IP address.
    Address,
    /// A value that a redaction rule hashes.
    Value,
}

/// What every keyed hash begins with.
const SCHEME: &str = "hmac-sha256:";

impl HashKey {
    /// The fewest bytes of a secret that [`parse`](Self::parse) and the others take: 16.
    pub const MIN_SECRET_BYTES: usize = 16;

    /// The longest id: 32 bytes.
    pub const MAX_ID_BYTES: usize = 32;

    /// A key of this id and these bytes, which are taken as they are, however few.
    ///
    /// Of the id, characters other than `A-Z a-z 0-9 . _ -` become `_`, and what is beyond
    /// [`MAX_ID_BYTES`](Self::MAX_ID_BYTES) is left out; without an id, one is derived from the
    /// key. What a person configures is better [parsed](Self::parse): that refuses mistakes.
    #[must_use]
    pub fn new(id: impl Into<Text>, secret: &[u8]) -> Self {
        let id: Text = id.into();
        let id = if id.is_empty() {
            derived_id(secret)
        } else if is_id(id.as_bytes()) {
            id
        } else {
            let safe = id
                .chars()
                .map(|char| if is_id_char(char) { char } else { '_' });
            Text::from(safe.take(Self::MAX_ID_BYTES).collect::<String>())
        };
        let mac = mac_of(secret);
        Self { id, mac }
    }

    /// The name of the key in what it hashed.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `hmac-sha256:<key id>:<64 hex digits>`.
    #[must_use]
    pub fn hash(&self, purpose: Purpose, value: &[u8]) -> Text {
        let mut mac = self.mac.clone();
        mac.update(purpose.label());
        mac.update(value);
        let mut text = String::with_capacity(SCHEME.len() + self.id.len() + 1 + 64);
        text.push_str(SCHEME);
        text.push_str(&self.id);
        text.push(':');
        push_hex(&mut text, &mac.finalize().into_bytes());
        Text::from(text)
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn mac_of(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("a key of any length")
}

/// Whether a text is a keyed hash, of whatever key: nothing that could be used.
pub(crate) fn is_keyed_hash(text: &str) -> bool {
    let Some((id, digits)) = text
        .strip_prefix(SCHEME)
        .and_then(|rest| rest.split_once(':'))
    else {
        return false;
    };
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    is_id(id.as_bytes()) && digits.len() == 64 && digits.bytes().all(is_hex)
}

/// The same for the same key on every instance, and of no use to find the key.
fn derived_id(secret: &[u8]) -> Text {
    let mut digest = Sha256::new();
    digest.update(b"tower-audit key id\0");
    digest.update(secret);
    let mut id = String::with_capacity(8);
    push_hex(&mut id, digest.finalize().get(..4).unwrap_or_default());
    Text::from(id)
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
}

fn is_id(id: &[u8]) -> bool {
    (1..=HashKey::MAX_ID_BYTES).contains(&id.len())
        && id.iter().all(|byte| is_id_char(char::from(*byte)))
}

const fn is_id_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-')
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Session => b"session\0",
            Self::Address => b"address\0",
            Self::Value => b"value\0",
        }
    }
}

impl FromStr for HashKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::parse(text)
    }
}

impl fmt::Debug for HashKey {
    /// Never the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_hmac_sha256_over_purpose_and_value() {
        // printf 'session\0abc' | openssl dgst -sha256 -hmac 0123456789abcdef
        let key = HashKey::new("k1", b"0123456789abcdef");
        let hash = key.hash(Purpose::Session, b"abc");
        assert_eq!(
            hash,
            "hmac-sha256:k1:f545ee377ad091b47db26eca0c39f48b54cf591e89eaa49dcd6783c5f87efa16"
        );
        assert_ne!(hash, key.hash(Purpose::Value, b"abc"));
        assert_ne!(hash, key.hash(Purpose::Address, b"abc"));
    }

    #[test]
    fn a_keyed_hash_is_known_by_its_form() {
        let hash = HashKey::new("k1", b"secret").hash(Purpose::Value, b"x");
        assert!(is_keyed_hash(&hash));
        for other in [
            "",
            "hmac-sha256:",
            "hmac-sha256:k1:9f",
            &hash.to_uppercase(),
            &format!("{hash}0"),
            &format!("x{}", hash.as_str()),
            &hash.replace("k1", "k 1"),
        ] {
            assert!(!is_keyed_hash(other), "{other}");
        }
    }

    #[test]
    fn an_id_never_breaks_the_form_of_a_hash() {
        for (given, expected) in [
            ("k1", "k1"),
            ("a:b c", "a_b_c"),
            ("ü", "_"),
            (
                "0123456789012345678901234567890123",
                "01234567890123456789012345678901",
            ),
        ] {
            let key = HashKey::new(given, b"0123456789abcdef");
            assert_eq!(key.id(), expected);
            assert!(is_keyed_hash(&key.hash(Purpose::Value, b"x")), "{given}");
        }
    }

    #[test]
    fn what_is_printed_of_a_key_is_its_id() {
        let key = HashKey::new("k1", b"never-shown-0123");
        assert_eq!(format!("{key:?}"), r#"HashKey { id: "k1", .. }"#);
    }
}
