//! How long records are kept, and what may not be removed.
//!
//! - A [`Retention`] is a policy: rules, a default, a floor; in code or in TOML.
//! - A [`Hold`] is what is kept whatever a policy says.
//! - A [`Pruner`] goes through a store from the oldest record on and removes in small steps what may
//!   go; a [`Plan`] says what it would do. It also places and releases holds.
//! - A [`Schedule`] says when a service does so by itself, with its dead letters and rotated files,
//!   which go as whole files. [`LeftBehind`] does that for a service that is stopped.
//!
//! In doubt a record stays: when a hold cannot be read, when a clock cannot be believed, when a
//! record came into a part that was about to go.

// `tables` is what is asked of a database; `texts` and `over` are the same for all, `sqlite`,
// `postgres` and `mysql` what is not. `walk` judges, `step` removes in steps, `months` whole parts.
mod beside;
mod error;
#[cfg(feature = "toml")]
mod file;
mod hold;
mod holding;
mod left;
mod months;
#[cfg(feature = "mysql")]
mod mysql;
mod over;
mod policy;
#[cfg(feature = "postgres")]
mod postgres;
mod prune;
mod report;
mod runs;
mod schedule;
#[cfg(feature = "sqlite")]
mod sqlite;
mod step;
mod tables;
mod texts;
mod walk;

pub(crate) use self::beside::{file_of, rotated};
pub use self::{
    beside::Beside,
    error::RetentionError,
    hold::{Filter, Hold},
    left::LeftBehind,
    policy::{Retention, Rule},
    prune::Pruner,
    report::{Plan, Report, RuleCount},
    schedule::Schedule,
};

/// Who prunes, when nobody says.
pub(crate) const SYSTEM: &str = "system";
