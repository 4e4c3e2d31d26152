//! Secrets of a configuration: in an address, or in a file that it names.

use std::{
    fmt, fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

/// What a file with a secret may have at most.
const MAX_BYTES: u64 = 16 * 1024;

/// A password or a token, never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Secret {
    /// As it stood in the address.
    Text(Box<str>),
    /// In a file, which is read whenever the secret is needed: it may be changed at any time.
    File(PathBuf),
}

/// Why a secret cannot be read; never holds any of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("the secret in {} cannot be read: {source}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the secret in {} is empty", .path.display())]
    Empty { path: PathBuf },
    #[error("the secret in {} is longer than 16 KiB, or is no text", .path.display())]
    NoText { path: PathBuf },
}

impl Secret {
    pub(crate) fn text(text: impl Into<Box<str>>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn file(path: impl Into<PathBuf>) -> Self {
        Self::File(path.into())
    }

    /// The secret; line ends behind it in a file do not count.
    pub(crate) fn read(&self) -> Result<String, SecretError> {
        match self {
            Self::Text(text) => Ok(text.to_string()),
            Self::File(path) => read_file(path),
        }
    }
}

fn read_file(path: &Path) -> Result<String, SecretError> {
    let path_buf = || path.to_owned();
    let unreadable = |source| SecretError::Unreadable {
        path: path_buf(),
        source,
    };
    // Whoever opens a named pipe waits for its writer, without an end.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(unreadable(io::Error::other("it is no file")));
    }
    let mut bytes = Vec::new();
    // A device or a log is not read to its end to learn that it is no secret.
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BYTES) {
        return Err(SecretError::NoText { path: path_buf() });
    }
    let text = String::from_utf8(bytes)
        .map_err(|_quotes_the_bytes| SecretError::NoText { path: path_buf() })?;
    match text.trim_end_matches(['\n', '\r']) {
        "" => Err(SecretError::Empty { path: path_buf() }),
        secret => Ok(secret.to_owned()),
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Secret(..)"),
            Self::File(path) => f.debug_tuple("Secret").field(path).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_anew_each_time_without_its_line_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let secret = Secret::file(&path);
        assert!(matches!(secret.read(), Err(SecretError::Unreadable { .. })));
        for (content, expected) in [("one\n", "one"), (" two \r\n", " two "), ("three", "three")] {
            fs::write(&path, content).unwrap();
            assert_eq!(secret.read().unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_file_is_not_opened() {
        for path in ["/dev/zero", "/"] {
            let error = Secret::file(path).read().unwrap_err().to_string();
            assert!(error.contains("it is no file"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_a_secret_is_an_error_that_names_the_file_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let long = "x".repeat(16 * 1024 + 1);
        for content in [b"\n".as_slice(), b"hunter\xff", long.as_bytes()] {
            fs::write(&path, content).unwrap();
            let error = Secret::file(&path).read().unwrap_err().to_string();
            assert!(
                error.contains("token") && !error.contains("hunter"),
                "{error}"
            );
        }
    }
}
