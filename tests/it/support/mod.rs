//! What several subjects need.

#[cfg(any(feature = "file", feature = "sqlite"))]
pub(crate) mod batches;
pub(crate) mod namings;
pub(crate) mod project;
