//! Why nothing was, or could be, removed or held.

use std::{io, path::PathBuf, time::Duration};

use super::policy::Age;
use crate::{address::UrlError, clock::Timestamp};

/// Why nothing was removed or held, or no more than the report says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetentionError {
    /// The policy is wrong; whoever wrote it must correct it.
    #[error("retention: {key}: {reason}")]
    Rule {
        /// What it is about: `rule`, `keep`, `floor`.
        key: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// The policy's file is wrong; says line and key.
    #[error("{reason}")]
    File {
        /// The file, if it is from one.
        file: Option<PathBuf>,
        /// The line in it, from 1 on.
        line: Option<usize>,
        /// Place, key, what is wrong, and what would be right.
        reason: String,
        /// Why the file could not be read.
        source: Option<io::Error>,
    },
    /// The address is wrong; whoever wrote it must correct it.
    #[error(transparent)]
    Address(#[from] UrlError),
    /// The filter of a hold is wrong.
    #[error("{parameter}: {reason}")]
    Filter {
        /// The parameter.
        parameter: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// There is no such hold, or it was released before.
    #[error("there is no hold {id} that could be released: list them to see which there are")]
    NoHold {
        /// The id that was given.
        id: String,
    },
    /// Another prune is running on this store.
    #[error("another prune is running on {address}: wait until it has ended")]
    Busy {
        /// The store.
        address: String,
    },
    /// There is no store there yet.
    #[error(
        "there are no audit tables at {address}: check the address and the prefix, or let a service \
         deliver to it first"
    )]
    NoStore {
        /// The store.
        address: String,
    },
    /// The clock may be wrong: for long nothing was recorded.
    #[error(
        "nothing was recorded in {address} between {} and {until}, which is longer than {}: \
         if the clock is right ({now}) and the service was off, say so (`idle`)",
        .newest.map_or_else(|| "its beginning".to_owned(), |at| at.to_string()), Age(*.idle)
    )]
    Clock {
        /// The store.
        address: String,
        /// The time that was given.
        now: Timestamp,
        /// The end of the time in which nothing was recorded, as far as it was looked at.
        until: Timestamp,
        /// The newest record before that.
        newest: Option<Timestamp>,
        /// How long nothing may have been recorded.
        idle: Duration,
    },
    /// A file or directory is not what it should be; whoever named it must name another.
    #[error("{}: {reason}", .path.display())]
    Files {
        /// What was named.
        path: PathBuf,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// The database cannot be used for this; the reason says what to do.
    #[error("cannot prune {address}: {reason}")]
    Unusable {
        /// The store.
        address: String,
        /// What is wrong, and the way out; no secrets.
        reason: String,
        /// Whether a person must act; otherwise it may work later.
        is_lasting: bool,
    },
}
