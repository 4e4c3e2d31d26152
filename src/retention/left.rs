//! What a service that does not run left on its disk, and what may go of it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Beside, Hold, Retention, RetentionError,
    beside::{self, Deed},
};
use crate::{
    clock::Timestamp,
    disk::{SharedDisk, StdDisk},
    journal::trails,
    sink::url,
};

/// Dead letters and rotated files of a service that is stopped. One that runs sees to its own by
/// its [`Schedule`](super::Schedule).
///
/// Journal segments are not removed: which of them every sink has is told by the sinks, and the
/// record that declares them removed must be in their own trail, which its service writes.
///
/// ```
/// use tower_audit::retention::{LeftBehind, RetentionError};
///
/// fn left() -> Result<LeftBehind, RetentionError> {
///     LeftBehind::new("/var/lib/docs/audit").file_sink("file:///var/log/audit.jsonl", None)
/// }
/// # assert!(left().is_ok());
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct LeftBehind {
    dir: PathBuf,
    files: Vec<PathBuf>,
    disk: SharedDisk,
}

impl LeftBehind {
    /// Dead letters in the trails of a service's audit directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            files: Vec::new(),
            disk: Arc::new(StdDisk),
        }
    }

    /// Also the rotated files of the file sink with this address; `instance` is what `{instance}`
    /// in it stands for.
    ///
    /// # Errors
    ///
    /// [`RetentionError::Address`] when it is none, [`RetentionError::Files`] when it is that of
    /// another sink.
    pub fn file_sink(
        mut self,
        address: &str,
        instance: Option<&str>,
    ) -> Result<Self, RetentionError> {
        let sink = match instance {
            Some(instance) => url::parse_for(address, instance),
            None => url::parse(address),
        }?;
        let file = beside::file_of(&*sink).ok_or_else(|| RetentionError::Files {
            path: sink.address().into(),
            reason: "only a file sink has rotated files: name it as file:///path".to_owned(),
        })?;
        self.files.push(file);
        Ok(self)
    }

    /// What would go now. Changes nothing.
    ///
    /// `holds` are those of the service's store, released ones too; without a store there are none.
    ///
    /// # Errors
    ///
    /// [`RetentionError`]: a policy that is wrong, a directory that is none of a service.
    pub fn plan(
        &self,
        retention: &Retention,
        holds: &[Hold],
        now: Timestamp,
    ) -> Result<Beside, RetentionError> {
        self.look(retention, holds, now, Deed::Count)
    }

    /// Removes what may go. The dead letters of a trail that a running service holds stay; so does
    /// what cannot be judged. The clock is believed: nothing here shows that it is wrong.
    ///
    /// # Errors
    ///
    /// As [`plan`](Self::plan). What could not be removed is counted, and no error.
    pub fn remove(
        &self,
        retention: &Retention,
        holds: &[Hold],
        now: Timestamp,
    ) -> Result<Beside, RetentionError> {
        self.look(retention, holds, now, Deed::AtOnce)
    }

    fn look(
        &self,
        retention: &Retention,
        holds: &[Hold],
        now: Timestamp,
        deed: Deed,
    ) -> Result<Beside, RetentionError> {
        retention.check()?;
        let disk = &*self.disk;
        // All that can be wrong with what was named is told before anything goes.
        let ids = trails::list(disk, &self.dir).map_err(|error| cannot_read(&self.dir, &error))?;
        if ids.is_empty() {
            return Err(RetentionError::Files {
                path: self.dir.clone(),
                reason: "there is no trail-<uuid> in it: name the audit directory of a service"
                    .to_owned(),
            });
        }
        let mut rotated = Vec::new();
        for file in &self.files {
            let found = beside::rotated(file).map_err(|error| cannot_read(file, &error))?;
            rotated.extend(found);
        }
        let active: Vec<Hold> = holds
            .iter()
            .filter(|hold| hold.released.is_none())
            .cloned()
            .collect();
        let mut tidy = retention.tidy(disk, &active, now, deed);
        for id in ids {
            let dir = trails::dir_of(&self.dir, id);
            match trails::hold(disk, &self.dir, id) {
                Ok(Some(_held)) => tidy.letters(&dir),
                Ok(None) => tidy
                    .beside
                    .keep(&dir, "a service that runs holds it, and sees to it"),
                Err(error) => tidy.beside.keep(&dir, error),
            }
        }
        tidy.rotated(&rotated);
        Ok(tidy.beside)
    }
}

fn cannot_read(path: &Path, error: &io::Error) -> RetentionError {
    RetentionError::Files {
        path: path.into(),
        reason: format!("cannot be read: {error}"),
    }
}
