//! Stands in for the database sinks where its feature is off.

use super::{Sink, url::UrlError};
use crate::address::Address;

pub(super) fn from_address(
    address: Address,
    _instance: Option<&str>,
) -> Result<Box<dyn Sink>, UrlError> {
    Err(UrlError::new(
        "scheme",
        address.scheme,
        "this program was built without it: turn on the feature `sqlite` of tower-audit",
    ))
}
