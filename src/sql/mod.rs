//! The tables of a store: what writing (`sink::sql`) and reading (`store`) have in common.
//!
//! - [`location`]: where a database is, read from an address.
//! - [`schema`]: which migrations there are, and whether a program may use what it finds.
//! - [`rows`], [`group`]: a record's searchable columns, read from its JSON, and the records that
//!   are stored together.
//! - [`fault`]: what an error means for whoever called.
//! - [`database`]: what a database must be able to do, as a trait, in the order in which it is
//!   needed: connect, migrate, check, position, write. [`migrate`] and [`write`] are the parts of
//!   it that are the same for all.
//! - [`inserts`]: statements for many rows at a time, for databases that take no arrays.
//! - [`sqlite`], [`postgres`], [`mysql`]: everything that is only true of one of them, in the same
//!   order.
//!
//! The tables themselves are plain SQL in `migrations/`, under names that begin with a
//! [`TablePrefix`], so that they can share a database with the service's own.

pub(crate) mod database;
pub(crate) mod fault;
pub(crate) mod group;
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(crate) mod inserts;
pub(crate) mod location;
pub(crate) mod migrate;
#[cfg(feature = "mysql")]
pub(crate) mod mysql;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod rows;
pub(crate) mod schema;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod write;

use std::{fmt, str::FromStr};

/// What the names of a store's tables begin with; `audit_` unless told otherwise.
///
/// Begins with a letter from `a` to `z` or an underscore; up to 30 more of these or digits follow.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TablePrefix(Box<str>);

/// A text that cannot be a [`TablePrefix`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a table prefix begins with a to z or _ and has at most 31 of a to z, 0 to 9 and _, such as audit_"
)]
#[non_exhaustive]
pub struct TablePrefixError;

impl TablePrefix {
    const MAX_BYTES: usize = 31;

    /// The prefix as it stands in SQL. Invariant: needs no quoting and no escaping.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TablePrefix {
    fn default() -> Self {
        Self("audit_".into())
    }
}

impl FromStr for TablePrefix {
    type Err = TablePrefixError;

    fn from_str(text: &str) -> Result<Self, TablePrefixError> {
        let starts_well =
            text.starts_with(|first: char| first == '_' || first.is_ascii_lowercase());
        let goes_on_well = text
            .chars()
            .all(|next| next == '_' || next.is_ascii_lowercase() || next.is_ascii_digit());
        if starts_well && goes_on_well && text.len() <= Self::MAX_BYTES {
            Ok(Self(text.into()))
        } else {
            Err(TablePrefixError)
        }
    }
}

impl fmt::Display for TablePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_that_would_need_quoting_is_refused() {
        let longest = "a".repeat(31);
        for good in ["audit_", "_", "a", "app2_audit_", &longest] {
            assert_eq!(
                good.parse::<TablePrefix>().map(|p| p.to_string()),
                Ok(good.to_owned())
            );
        }
        let too_long = "a".repeat(32);
        for bad in [
            "",
            "2a",
            "Audit_",
            "audit-",
            "a;drop table x",
            "a\"",
            "a ",
            "ä_",
            "a\0",
            &too_long,
        ] {
            assert_eq!(bad.parse::<TablePrefix>(), Err(TablePrefixError), "{bad:?}");
        }
    }
}
