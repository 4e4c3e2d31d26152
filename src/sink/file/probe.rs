//! Whether a file can be written, found out without making one.

use std::{fs, io};

use super::{FileSink, directory_of};
use crate::sink::SinkError;

impl FileSink {
    /// Opens the file as for a batch when it is there; else looks for its directory. A file made by
    /// a person's probe would belong to that person, and the service could not write it.
    pub(super) fn look(&mut self) -> Result<(), SinkError> {
        match fs::metadata(&self.path) {
            Ok(_) => {
                self.hold_lock()?;
                self.open()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let directory = fs::metadata(directory_of(&self.path));
                let directory = directory.map_err(|error| self.explain("open", &error))?;
                if directory.is_dir() {
                    return Ok(());
                }
                let error = io::Error::from(io::ErrorKind::NotADirectory);
                Err(self.explain("open", &error))
            }
            Err(error) => Err(self.explain("look at", &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sink::{FileSink, Sink, SinkError};

    #[tokio::test]
    async fn a_probe_makes_no_file_and_says_what_would_keep_one_from_being_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let probe = async |path| FileSink::builder(path).build().unwrap().probe().await;
        assert_eq!(probe(path.clone()).await, Ok(()));
        assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none());

        let notes = dir.path().join("notes");
        std::fs::write(&notes, "not ours").unwrap();
        for (path, expected) in [
            (dir.path().join("missing/audit.jsonl"), "missing"),
            (notes.join("audit.jsonl"), "notes"),
            (notes.clone(), "not a file that this sink wrote"),
        ] {
            let answer = probe(path).await;
            let Err(SinkError::Blocked { reason }) = &answer else {
                panic!("{expected}: {answer:?}")
            };
            assert!(reason.contains(expected), "{reason}");
        }

        let mut writer = FileSink::builder(&path).build().unwrap();
        std::fs::write(&path, "").unwrap();
        assert_eq!(writer.probe().await, Ok(()));
        let second = probe(path).await;
        assert!(
            matches!(second, Err(SinkError::Blocked { .. })),
            "{second:?}"
        );
    }
}
