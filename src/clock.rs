//! Time and ids, as values that a test can fix.

use serde::{Deserialize, Serialize};

/// A point in time: UTC, microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(i64);
