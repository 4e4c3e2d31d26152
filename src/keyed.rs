//! Keyed hashes: a value can be searched for, but neither read nor used.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::text::Text;

/// The key behind every keyed hash of a trail: sessions, addresses, masked values.
///
/// All instances of a service need the same one, or the same session has another hash in each.
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

impl HashKey {
    /// A key of this id and these bytes.
    #[must_use]
    pub fn new(id: impl Into<Text>, secret: &[u8]) -> Self {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mac = Hmac::new_from_slice(secret).expect("a key of any length");
        Self { id: id.into(), mac }
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
        let mut text = format!("hmac-sha256:{}:", self.id);
        for byte in mac.finalize().into_bytes() {
            use fmt::Write as _;
            let _ = write!(text, "{byte:02x}");
        }
        Text::from(text)
    }
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

impl fmt::Debug for HashKey {
    /// Never the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
