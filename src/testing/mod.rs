//! For tests: of this crate, and of services that use it.

pub mod disk;
pub mod sinks;
