//! An audit trail for Rust services.

mod address;
pub mod clock;
mod delivery;
pub mod disk;
pub mod evidence;
mod journal;
pub mod record;
pub mod sink;
#[cfg(feature = "sqlite")]
mod sql;
pub mod stats;
#[cfg(feature = "sqlite")]
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod text;
