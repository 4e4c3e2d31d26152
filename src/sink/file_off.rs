//! Stands in for the file sink where its feature is off.

use super::{Sink, url::UrlError};
use crate::address::Address;

pub(super) fn from_address(
    address: Address,
    _instance: Option<&str>,
) -> Result<Box<dyn Sink>, UrlError> {
    Err(UrlError::new(
        "scheme",
        address.scheme,
        "this program was built without it: turn on the feature `file` of tower-audit",
    ))
}
