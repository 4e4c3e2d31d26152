#![doc = include_str!("../README.md")]

#[cfg_attr(
    not(feature = "sinks"),
    allow(dead_code, reason = "each sink reads its own parts of an address")
)]
mod address;
mod audit;
pub mod capture;
pub mod clock;
mod delivery;
pub mod disk;
pub mod evidence;
#[cfg(feature = "export")]
pub mod export;
pub mod format;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod journal;
mod keyed;
pub mod offline;
#[cfg(feature = "_sql")]
pub mod outbox;
pub mod policy;
pub mod record;
#[cfg(feature = "_sql")]
pub mod retention;
pub mod sink;
#[cfg(feature = "_sql")]
mod sql;
pub mod stats;
#[cfg(feature = "_sql")]
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod text;
pub mod verify;
#[cfg(feature = "viewer")]
pub mod viewer;

pub use audit::{
    Audit, AuditBuilder, Commit, Health, OnDamage, ShutdownReport, SinkAnswer, SinkOptions,
    SinkReport, SinkTestError, Sinks, StartError,
};
pub use capture::{AuditLayer, AuditScope};
#[cfg(feature = "tracing")]
pub use capture::{AuditTracing, TracingCounts};
pub use journal::{CommitError, Receipt, Rejected};
pub use keyed::{HashKey, KeyError, Purpose};
pub use policy::Policy;
pub use record::{Actor, Outcome, Record, Target};
