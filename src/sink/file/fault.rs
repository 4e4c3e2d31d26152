//! What goes wrong with a file, in words for a person.

use std::{io, path::Path};

use crate::sink::SinkError;

/// What an error of the disk means for a batch, and the way out.
pub(super) fn explain(path: &Path, doing: &str, error: &io::Error) -> SinkError {
    use io::ErrorKind;
    let what = format!("cannot {doing} {}: {error}", path.display());
    let way_out = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => "make its directory, or name another one",
        ErrorKind::PermissionDenied => "let the service's user write to it and to its directory",
        ErrorKind::ReadOnlyFilesystem => "mount the volume writable, or name another one",
        ErrorKind::IsADirectory | ErrorKind::InvalidFilename | ErrorKind::InvalidInput => {
            "name another file"
        }
        _ => return SinkError::retry(what),
    };
    SinkError::blocked(format!("{what}; {way_out}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Trap J2, for a file: what passes by itself is tried again, what does not waits for a person.
    #[test]
    fn errors_of_the_disk_are_retried_and_errors_of_the_set_up_block() {
        let path = Path::new("/var/log/audit.jsonl");
        let cases = [
            ("ENOSPC", 28, "retry"),
            ("EIO", 5, "retry"),
            ("EDQUOT", 122, "retry"),
            ("EMFILE", 24, "retry"),
            ("EACCES", 13, "let the service's user write"),
            ("ENOENT", 2, "make its directory"),
            ("EROFS", 30, "mount the volume writable"),
            ("EISDIR", 21, "name another file"),
        ];
        for (name, code, expected) in cases {
            let error = explain(path, "open", &io::Error::from_raw_os_error(code));
            let told = match &error {
                SinkError::Retry { .. } => "retry",
                SinkError::Blocked { reason } => reason,
                other => panic!("{name}: {other:?}"),
            };
            assert!(told.contains(expected), "{name}: {error:?}");
        }
    }
}
