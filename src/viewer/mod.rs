//! The web viewer on a store: a tower service for any path of the host's router.

mod access;
mod model;
mod page;
mod words;

pub use access::Access;
