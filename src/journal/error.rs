//! What can go wrong at the front door, and when a trail is opened.

use std::{io, path::PathBuf, time::Duration};

/// Why a record was not taken. It is counted, and it is not in the trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// More than the queue limit waits for the disk. Try again, or treat the trail as failing.
    #[error("the audit queue is full: the disk does not keep up, or is failing; see health()")]
    Full,
    /// The trail was shut down. A caller that still has work should have been waited for.
    #[error("the audit trail is shut down")]
    Closed,
    /// The record of this piece of work is written already.
    #[error("the audit record of this work is written already")]
    Finished,
    /// Even the memory kept for admitted work is used up; the loss will be written down.
    #[error(
        "the audit trail is out of memory for waiting records; this record is lost and counted"
    )]
    Lost,
}

/// Why a record is not known to be durable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The record was not taken at all.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The record waits in memory; its sync did not return in time. It is written when the disk
    /// answers, unless the process ends before.
    #[error("the record is not durable yet: no sync returned within {after:?}")]
    TimedOut {
        /// The commit time-out that passed.
        after: Duration,
    },
    /// The trail is failing and the record waits in memory until writing works again, unless the
    /// process ends before.
    #[error("the record is not durable yet: the trail is failing: {cause}")]
    Failing {
        /// What failed first, with the file.
        cause: String,
    },
}

/// Why a trail could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("cannot {what} {}", path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Sealed data is not what was written; the trail must be left as it is.
    #[error("the trail is damaged: {0}")]
    Damaged(Damage),
    #[error("{} was written by a newer version (format {format}); this one reads format {} and older", path.display(), super::line::FORMAT)]
    Newer { path: PathBuf, format: u32 },
}

impl OpenError {
    /// What is wrong, without the path: where a trail lies is nobody's business downstream.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Io { what, source, .. } => format!("cannot {what}: {source}"),
            Self::Damaged(damage) => damage.reason.clone(),
            Self::Newer { format, .. } => format!("written by a newer version (format {format})"),
        }
    }

    /// Whether trying again cannot help: the files themselves are not what they should be.
    pub(crate) const fn is_final(&self) -> bool {
        !matches!(self, Self::Io { .. })
    }

    pub(crate) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}

/// A place in sealed data that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} at byte {offset}: {reason}", file.display())]
pub(crate) struct Damage {
    pub(crate) file: PathBuf,
    /// Where the line that does not hold begins.
    pub(crate) offset: u64,
    pub(crate) reason: String,
    /// How many records below it are proven by a good root, and that root.
    pub(crate) last_good: Option<crate::evidence::TreeHead>,
}
