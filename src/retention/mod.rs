//! How long records are kept, and what may not be removed.
//!
//! - [`policy`]: rules, a default, a floor; [`file`] reads them from TOML.
//! - [`hold`]: what is kept whatever a policy says, and whether a record is among it.
//! - [`prune`]: a [`Pruner`] goes through a store from the oldest record on, judges each ([`walk`]),
//!   and removes in small steps ([`step`]) what may go. A [`Plan`] says what it would do.
//! - [`beside`]: dead letters and rotated files, which go as whole files.
//! - [`holding`]: placing and releasing holds.
//! - [`tables`] is what that asks of a database; [`texts`] and [`over`] are the same for all, and
//!   [`sqlite`], [`postgres`], [`mysql`] what is not.
//!
//! In doubt a record stays: when a hold cannot be read, when a clock cannot be believed, when a
//! record came into a part that was about to go.

mod beside;
mod error;
#[cfg(feature = "toml")]
mod file;
mod hold;
mod holding;
#[cfg(feature = "mysql")]
mod mysql;
mod over;
mod policy;
#[cfg(feature = "postgres")]
mod postgres;
mod prune;
mod report;
mod schedule;
#[cfg(feature = "sqlite")]
mod sqlite;
mod step;
mod tables;
mod texts;
mod walk;

pub(crate) use self::beside::Beside;
pub use self::{
    error::RetentionError,
    hold::{Filter, Hold},
    policy::{Retention, Rule},
    prune::Pruner,
    report::{Plan, Report, RuleCount},
    schedule::Schedule,
};

/// Who prunes, when nobody says.
const SYSTEM: &str = "system";
