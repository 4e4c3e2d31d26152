//! A database in a file: `sqlite://audit.db?prefix=audit_`.

use std::path::{Path, PathBuf};

use crate::{
    address::{Address, UrlError},
    sql::{TablePrefix, location::take_prefix},
};

/// The options of a store's address.
const OPTIONS: &[&str] = &["prefix"];

/// A database file and the prefix of the tables in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileLocation {
    pub(crate) path: PathBuf,
    pub(crate) prefix: TablePrefix,
}

impl FileLocation {
    /// Reads the rest of an address whose scheme is already known.
    pub(crate) fn from_address(mut address: Address) -> Result<Self, UrlError> {
        let path = address.path()?;
        if path.as_os_str().as_encoded_bytes().starts_with(b":memory:") {
            let expected = "a database in memory keeps nothing: name a file";
            return Err(UrlError::new("location", ":memory:", expected));
        }
        let prefix = take_prefix(&mut address)?;
        address.finish(OPTIONS)?;
        Ok(Self { path, prefix })
    }
}

/// The address of a database file, for a person.
pub(crate) fn display(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<FileLocation, UrlError> {
        FileLocation::from_address(Address::parse(text, &["sqlite"])?)
    }

    #[test]
    fn relative_and_absolute_paths_and_a_prefix_are_read() {
        let relative = read("sqlite://audit.db").unwrap();
        assert_eq!(relative.path, Path::new("audit.db"));
        assert_eq!(relative.prefix, TablePrefix::default());
        let absolute = read("sqlite:///var/audit.db?prefix=a_").unwrap();
        assert_eq!(absolute.path, Path::new("/var/audit.db"));
        assert_eq!(absolute.prefix.as_str(), "a_");
    }

    #[test]
    fn memory_wrong_prefixes_and_unknown_options_are_refused() {
        for (text, part) in [
            ("sqlite://:memory:", "location"),
            ("sqlite://a.db?prefix=a-", "option prefix"),
            ("sqlite://a.db?mode=ro", "option"),
        ] {
            assert_eq!(
                read(text).map_err(|error| error.part),
                Err(part.to_owned()),
                "{text}"
            );
        }
    }
}
