//! A directory with a journal and the sinks beside it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tower_audit::{
    Audit, AuditBuilder,
    sink::{FileSink, SqliteSink},
};

/// A directory of its own for one check; removed at the end.
#[derive(Debug)]
pub(crate) struct Place {
    dir: TempDir,
}

impl Place {
    /// On the disk that the build uses: nothing is torn in memory.
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
        }
    }

    /// Leaves everything as it is, for somebody to look at.
    pub(crate) fn keep(self) -> PathBuf {
        self.dir.keep()
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The path as an argument of a program.
    pub(crate) fn arg(&self) -> &str {
        self.path().to_str().unwrap()
    }
}

/// The base directory of the journal.
pub(crate) fn journal(dir: &Path) -> PathBuf {
    dir.join("journal")
}

pub(crate) fn database(dir: &Path) -> PathBuf {
    dir.join("audit.db")
}

pub(crate) fn file(dir: &Path) -> PathBuf {
    dir.join("audit.jsonl")
}

/// A trail whose segments are so small that every run makes many.
pub(crate) fn trail(dir: &Path) -> AuditBuilder {
    Audit::builder("crash")
        .dir(journal(dir))
        .segment_bytes(16 * 1024)
        .reserve_bytes(64 * 1024)
}

/// The same with a database and a rotated file as sinks.
pub(crate) fn trail_with_sinks(dir: &Path) -> AuditBuilder {
    let lines = FileSink::builder(file(dir)).rotate_at_bytes(64 * 1024);
    trail(dir)
        .sink("sqlite", SqliteSink::new(database(dir)))
        .sink("file", lines.build().unwrap())
}

/// A trail that makes the same calls in every run, as far as threads let it.
pub(crate) fn small_trail(dir: &Path) -> AuditBuilder {
    let lines = FileSink::builder(file(dir)).rotate_at_bytes(4096);
    trail(dir)
        .segment_bytes(4096)
        .reserve_bytes(8192)
        // A group begins when somebody waits for it, not when it is late.
        .buffered_delay(Duration::from_secs(3600))
        .sink("file", lines.build().unwrap())
}
