//! The web viewer on a store: a tower service for any path of the host's router.

mod access;
mod destination;
mod model;
mod page;
mod words;

pub use access::Access;
pub use destination::{Destination, DestinationState};
