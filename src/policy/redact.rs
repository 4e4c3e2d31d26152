//! Masking, at the last point before a record is written.

use crate::{keyed::HashKey, record::Record};

/// Which values are masked, dropped or hashed, by the name of their key.
#[derive(Debug, Clone, Default)]
pub struct Redaction {}

impl Redaction {
    /// Masks a record in place. `secrets` are texts that must not be in it anywhere, such as the
    /// request's own session id and authorization.
    pub(crate) fn apply(&self, _record: &mut Record, _key: &HashKey, _secrets: &[&str]) {}
}
