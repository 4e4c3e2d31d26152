//! Why there is no answer.

use std::{error::Error, time::Duration};

use super::ActionPatternError;
use crate::address::UrlError;

/// Why a store could not answer. There is never an empty answer in its place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The address is wrong; whoever wrote it must correct it.
    #[error(transparent)]
    Address(#[from] UrlError),
    /// The pattern of actions is wrong; whoever wrote it must correct it.
    #[error(transparent)]
    Pattern(#[from] ActionPatternError),
    /// There is no such store, or it cannot be used as it is; the reason says what to do.
    #[error("cannot use the store {address}: {reason}")]
    Unusable {
        /// The store.
        address: String,
        /// What is wrong, and the way out.
        reason: String,
    },
    /// The answer took too long and was given up; ask for less.
    #[error(
        "the store {address} did not answer within {limit:?}: narrow the time range or the filters"
    )]
    Timeout {
        /// The store.
        address: String,
        /// How long one statement may run.
        limit: Duration,
    },
    /// As many questions as may be asked at once were under way all that time; ask again later.
    #[error(
        "the store {address} is busy: {waited:?} passed before the question could be asked; ask again later"
    )]
    Busy {
        /// The store.
        address: String,
        /// How long the question waited for its turn.
        waited: Duration,
    },
    /// Nothing can have arrived behind there: the store has gone back, or it is another one. What
    /// was read before may no longer be in it.
    #[error(
        "the store {address} has not come to arrival {after} yet, only to {last}: it was restored from \
         a backup, or is another one; go on from {last}, or begin with 0"
    )]
    Ahead {
        /// The store.
        address: String,
        /// What was given as `after`.
        after: u64,
        /// The last arrival that the store gave away; go on from there.
        last: u64,
    },
    /// Reading failed; it may work again later.
    #[error("cannot read the store {address}")]
    Failed {
        /// The store.
        address: String,
        /// What failed.
        source: Box<dyn Error + Send + Sync>,
    },
}
