//! Where a database is, read from an address.
//!
//! - [`file`]: a path.
//! - [`network`]: a server, a database on it, a login, and how the connection is protected.

#[cfg(feature = "sqlite")]
pub(crate) mod file;
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) mod network;

use super::TablePrefix;
use crate::address::{Address, UrlError};

/// Takes the prefix of the tables out of an address.
fn take_prefix(address: &mut Address) -> Result<TablePrefix, UrlError> {
    let expected = "a prefix begins with a to z or _ and has at most 31 of a to z, 0 to 9 and _";
    let prefix = address.take("prefix", expected, |text| text.parse().ok())?;
    Ok(prefix.unwrap_or_default())
}
