//! What several subjects need.

pub(crate) mod batches;
pub(crate) mod namings;
pub(crate) mod project;
