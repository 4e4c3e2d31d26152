//! Who may read what.

use crate::{record::Actor, store::Reach};

/// What a request may read, as the authoriser of the service decides.
///
/// A reader has a name: what is read is recorded with it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Access {
    /// Nothing.
    Denied,
    /// Everything.
    All(Actor),
    /// What is in reach, and nothing else: nothing outside is counted, offered, exported or found.
    Within(Actor, Reach),
}
