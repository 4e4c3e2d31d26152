//! A journal from outside its service: what is in it, and how to deliver it once more.
//!
//! Everything here works on a journal that nobody holds as well as on one that a service writes,
//! and moves no cursor of that service's sinks. A directory is the base directory that a
//! service gives to its builder, or one `trail-<uuid>` in it.
//!
//! ```no_run
//! use tower_audit::{offline, sink::url};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     for trail in offline::trails("/var/lib/docs/audit")? {
//!         println!("{}: {} records, {} bytes", trail.dir.display(), trail.records, trail.bytes);
//!     }
//!     let sink = || url::parse("file:///backup/audit.jsonl");
//!     for replayed in offline::Replay::new("/var/lib/docs/audit").run(sink, |_, _| {})? {
//!         println!("{} of {} delivered", replayed.delivered, replayed.records);
//!     }
//!     Ok(())
//! }
//! ```

mod overview;
mod replay;
mod trial;

use std::{error::Error, io, path::PathBuf};

use uuid::Uuid;

pub use self::{
    overview::{SinkOverview, TrailOverview, trails},
    replay::{Replay, Replayed},
    trial::{Trial, TrialError},
};
use crate::sink::url::UrlError;

/// Why a journal could not be looked at, or not be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfflineError {
    /// The operating system refused: a wrong path, missing rights, a disk that fails.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The directory is neither one trail nor the base directory of trails.
    #[error(
        "{} is not an audit journal: there is no segment (*.jsonl) and no trail-<uuid> in it; \
         name the base directory of a service's audit, or one trail in it",
        dir.display()
    )]
    NotAJournal {
        /// The directory.
        dir: PathBuf,
    },
    /// The sink's address is wrong.
    #[error(transparent)]
    Address(#[from] UrlError),
    /// That cannot be the name of a sink.
    #[error("{reason}")]
    SinkName {
        /// What is wrong with it.
        reason: String,
    },
    /// No trail has dead letters of this sink.
    #[error("there are no dead letters of a sink named {sink}")]
    NoDeadLetters {
        /// The sink.
        sink: String,
    },
    /// The sink did not take everything; the source says why.
    #[error("trail {trail} is not delivered to its end")]
    Undelivered {
        /// The trail.
        trail: Uuid,
        /// How many of its records were delivered.
        delivered: u64,
        /// Why no more.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl OfflineError {
    fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
