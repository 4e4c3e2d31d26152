//! A sink that sends OpenTelemetry logs.

use crate::{
    address::{Address, UrlError},
    sink::Sink,
};

pub(in crate::sink) fn from_address(
    address: Address,
    _instance: Option<&str>,
) -> Result<Box<dyn Sink>, UrlError> {
    Err(UrlError::new("scheme", address.scheme, "not built yet"))
}
