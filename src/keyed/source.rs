//! Where a key comes from: a text, a file, the environment, chance.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{HashKey, derived_id, is_id};

/// Why there is no key. None of these says anything of the key itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The secret behind the id is too short to be one.
    #[error(
        "{place}: the secret has {bytes} bytes, at least {min} are needed; make one with `openssl rand -hex 32`",
        min = HashKey::MIN_SECRET_BYTES
    )]
    TooShort {
        /// The variable or file that it was read from; `the key` for a text.
        place: String,
        /// The bytes there are, the id not counted.
        bytes: usize,
    },
    /// It is longer than any key: the name of something else, as a rule.
    #[error("{place}: longer than {max} bytes, so it is no key; is the name right?", max = MAX_BYTES)]
    TooLong {
        /// The variable or file that it was read from; `the key` for a text.
        place: String,
    },
    /// The file cannot be read.
    #[error("{place}: cannot read the key file {}", path.display())]
    Unreadable {
        /// The variable that names the file, or `the key`.
        place: String,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Both variables are set, and only one of them can be meant.
    #[error("{VARIABLE} and {FILE_VARIABLE} are both set; unset one")]
    Both,
}

impl KeyError {
    /// The variable, file or text that is wrong.
    pub(crate) fn place(&self) -> Option<&str> {
        match self {
            Self::TooShort { place, .. }
            | Self::TooLong { place }
            | Self::Unreadable { place, .. } => Some(place),
            Self::Both => None,
        }
    }
}

/// The variable that holds a key.
pub(crate) const VARIABLE: &str = "AUDIT_SESSION_KEY";
/// The variable that names a file with a key.
pub(crate) const FILE_VARIABLE: &str = "AUDIT_SESSION_KEY_FILE";

/// What a text or file may have at most.
const MAX_BYTES: usize = 4096;

impl HashKey {
    /// Reads `<id>:<secret>`, or a secret alone, whose id is then derived from it.
    ///
    /// The id is 1 to 32 of `A-Z a-z 0-9 . _ -`. A secret has at least 16 bytes, which are taken as
    /// they are; one that holds a colon needs an id before it.
    ///
    /// # Errors
    ///
    /// [`KeyError::TooShort`], and [`KeyError::TooLong`] beyond 4096 bytes.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        of_bytes(text.as_bytes(), "the key")
    }

    /// Reads a key from a file, as [`parse`](Self::parse) does from a text; line ends behind it do
    /// not count. The secret may be any bytes.
    ///
    /// A file that others than its owner may read is used, with a warning in the log.
    ///
    /// # Errors
    ///
    /// [`KeyError`], which names the file, never what is in it.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        of_file(path.as_ref(), "the key")
    }

    /// The key of the environment: `AUDIT_SESSION_KEY` holds one, or `AUDIT_SESSION_KEY_FILE` names
    /// a file with one. `None` when neither is set.
    ///
    /// # Errors
    ///
    /// [`KeyError`], which names the variable. A variable that is set but empty is an error too: a
    /// secret that was not filled in must not pass for one that nobody wanted.
    pub fn from_env() -> Result<Option<Self>, KeyError> {
        Self::from_variables(std::env::var_os)
    }

    /// A key made up by chance. What it hashes cannot be searched for once it is dropped.
    #[must_use]
    pub fn generated() -> Self {
        // Two random UUIDs carry 244 bits of the system's randomness.
        let (one, two) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
        let secret = [*one.as_bytes(), *two.as_bytes()].concat();
        Self::new(derived_id(&secret), &secret)
    }

    pub(crate) fn from_variables(
        read: impl Fn(&'static str) -> Option<OsString>,
    ) -> Result<Option<Self>, KeyError> {
        match (read(VARIABLE), read(FILE_VARIABLE)) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(KeyError::Both),
            (Some(text), None) => of_bytes(text.as_encoded_bytes(), VARIABLE).map(Some),
            (None, Some(path)) => of_file(Path::new(&path), FILE_VARIABLE).map(Some),
        }
    }
}

fn of_file(path: &Path, place: &str) -> Result<HashKey, KeyError> {
    let unreadable = |source| KeyError::Unreadable {
        place: place.to_owned(),
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    warn_of_readers(&file, path);
    let mut bytes = Vec::new();
    // A device or a log is not read to its end to learn that it is no key.
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX) + 2;
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let end = bytes
        .iter()
        .rposition(|byte| !matches!(byte, b'\n' | b'\r'))
        .map_or(0, |last| last + 1);
    bytes.truncate(end);
    of_bytes(&bytes, &format!("{place} ({})", path.display()))
}

fn of_bytes(bytes: &[u8], place: &str) -> Result<HashKey, KeyError> {
    if bytes.len() > MAX_BYTES {
        let place = place.to_owned();
        return Err(KeyError::TooLong { place });
    }
    let (id, secret) = match bytes.iter().position(|byte| *byte == b':') {
        Some(colon) => match bytes.split_at(colon) {
            (id, [_, secret @ ..]) if is_id(id) => {
                (String::from_utf8_lossy(id).into_owned(), secret)
            }
            _ => (String::new(), bytes),
        },
        None => (String::new(), bytes),
    };
    if secret.len() < HashKey::MIN_SECRET_BYTES {
        return Err(KeyError::TooShort {
            place: place.to_owned(),
            bytes: secret.len(),
        });
    }
    Ok(HashKey::new(id, secret))
}

#[cfg(unix)]
fn warn_of_readers(file: &File, path: &Path) {
    use std::os::unix::fs::PermissionsExt;

    let mode = file.metadata().map(|about| about.permissions().mode());
    if let Ok(mode) = mode
        // A group may have to read it: that is how a pod gets a secret.
        && mode & 0o027 != 0
    {
        tracing::warn!(target: "tower_audit", file = %path.display(), mode = %format!("{:o}", mode & 0o777), "others can read or change the key file; chmod 600 it, or 640 where a group must read it");
    }
}

#[cfg(not(unix))]
fn warn_of_readers(_file: &File, _path: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyed::Purpose;

    const SECRET: &str = "0123456789abcdef";

    fn same(one: &HashKey, other: &HashKey) -> bool {
        one.hash(Purpose::Value, b"x") == other.hash(Purpose::Value, b"x")
    }

    #[test]
    fn a_key_is_read_with_or_without_an_id() {
        let derived = HashKey::parse(SECRET).unwrap();
        assert_eq!(derived.id().len(), 8);
        assert!(same(&derived, &HashKey::new("", SECRET.as_bytes())));
        for (text, id) in [
            (format!("k1:{SECRET}"), "k1"),
            (format!("k1:{SECRET}:more"), "k1"),
            (format!("K.1_-:{SECRET}"), "K.1_-"),
        ] {
            let key: HashKey = text.parse().unwrap();
            assert_eq!(key.id(), id, "{text}");
            let secret = text.split_once(':').unwrap().1;
            assert!(same(&key, &HashKey::new(id, secret.as_bytes())), "{text}");
        }
        // What stands before the colon is no id, so it is part of the secret.
        for text in [format!("two words:{SECRET}"), format!(":{SECRET}")] {
            let key = HashKey::parse(&text).unwrap();
            assert!(same(&key, &HashKey::new("", text.as_bytes())), "{text}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_being_shown() {
        let long = "x".repeat(MAX_BYTES + 1);
        for (text, expected) in [
            ("", "has 0 bytes, at least 16 are needed"),
            ("k1:hunter2", "has 7 bytes, at least 16 are needed"),
            ("hunter2", "has 7 bytes"),
            (long.as_str(), "longer than 4096 bytes"),
        ] {
            let error = HashKey::parse(text).unwrap_err();
            let said = format!("{error} {error:?}");
            assert!(said.contains(expected), "{said}");
            assert!(!said.contains("hunter2") && !said.contains("xx"), "{said}");
        }
    }

    #[test]
    fn a_file_holds_a_key_and_line_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let expected = HashKey::new("k1", SECRET.as_bytes());
        for end in ["", "\n", "\r\n", "\n\n"] {
            std::fs::write(&path, format!("k1:{SECRET}{end}")).unwrap();
            assert!(
                same(&HashKey::from_file(&path).unwrap(), &expected),
                "{end:?}"
            );
        }
        std::fs::write(&path, [0xff; 32]).unwrap();
        assert!(same(
            &HashKey::from_file(&path).unwrap(),
            &HashKey::new("", &[0xff; 32])
        ));
    }

    #[test]
    fn what_is_wrong_with_a_file_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("the-key");
        let error = HashKey::from_file(&path).unwrap_err();
        assert!(matches!(error, KeyError::Unreadable { .. }), "{error:?}");
        for content in ["\n", "k1:hunter2\n", &"hunter2".repeat(1000)] {
            std::fs::write(&path, content).unwrap();
            let said = HashKey::from_file(&path).unwrap_err().to_string();
            assert!(
                said.contains("the-key") && !said.contains("hunter2"),
                "{said}"
            );
        }
    }

    #[test]
    fn the_environment_holds_one_key_or_names_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, format!("file:{SECRET}\n")).unwrap();
        let path = path.into_os_string();
        let key = OsString::from(format!("text:{SECRET}"));
        let read = |text: Option<&OsString>, file: Option<&OsString>| {
            HashKey::from_variables(|name| if name == VARIABLE { text } else { file }.cloned())
        };
        let id = |key: Option<HashKey>| key.map(|key| key.id().to_owned());
        assert_eq!(id(read(None, None).unwrap()), None);
        assert_eq!(id(read(Some(&key), None).unwrap()).as_deref(), Some("text"));
        assert_eq!(
            id(read(None, Some(&path)).unwrap()).as_deref(),
            Some("file")
        );
        let both = read(Some(&key), Some(&path)).unwrap_err();
        assert!(matches!(both, KeyError::Both), "{both:?}");
        let empty = read(Some(&OsString::new()), None).unwrap_err().to_string();
        assert!(empty.starts_with("AUDIT_SESSION_KEY: "), "{empty}");
        let nowhere = read(None, Some(&OsString::from("/no/such/key"))).unwrap_err();
        let said = nowhere.to_string();
        assert!(
            said.starts_with("AUDIT_SESSION_KEY_FILE: ") && said.contains("/no/such/key"),
            "{said}"
        );
    }

    #[test]
    fn no_two_generated_keys_are_alike() {
        let (one, other) = (HashKey::generated(), HashKey::generated());
        assert!(one.id() != other.id() && !same(&one, &other));
    }
}
