//! For tests: of this crate, and of services that use it.

mod assert;
mod canary;
mod clock;
pub mod conformance;
mod coverage;
pub mod disk;
pub mod sinks;
mod trail;

pub use assert::{expect_catalogued, expect_recorded};
pub use canary::Canary;
pub use clock::{FixedClock, FixedIds};
pub use coverage::expect_named_routes;
pub use serde_json::json;
pub use trail::TestTrail;
