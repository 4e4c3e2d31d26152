//! The web viewer on a store: a tower service for any path of the host's router.

mod access;
mod destination;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the service that draws these is not built yet")
)]
mod model;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        unused_imports,
        reason = "the service that draws these is not built yet"
    )
)]
mod page;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        unused_imports,
        reason = "the service that draws these is not built yet"
    )
)]
mod words;

pub use access::Access;
pub use destination::{Destination, DestinationState};
