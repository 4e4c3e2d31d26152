//! The sink of an `otlp…://` address.

use std::{path::PathBuf, time::Duration};

use super::{
    OtlpSinkError,
    builder::{OtlpSinkBuilder, Target},
    endpoint::{Compression, Endpoint, Protocol, Security},
};
use crate::{
    address::{Address, UrlError},
    sink::{Sink, tls::TlsFiles},
};

/// The options of an address.
const OPTIONS: [&str; 8] = [
    "gzip",
    "timeout",
    "token",
    "token_file",
    "headers_file",
    "ca",
    "cert",
    "key",
];

/// Makes the sink of an `otlp+grpc://`, `otlp+grpcs://`, `otlp+http://` or `otlp+https://`
/// address, or of `otlp://`, which leaves the receiver to the environment.
pub(in crate::sink) fn from_address(
    address: Address,
    _instance: Option<&str>,
) -> Result<Box<dyn Sink>, UrlError> {
    Ok(Box::new(builder(address)?.build()?))
}

fn builder(mut address: Address) -> Result<OtlpSinkBuilder, UrlError> {
    let mut builder = OtlpSinkBuilder::new(target(&address)?);
    builder.compression = address.take("gzip", "write on or off", |text| match text {
        "on" => Some(Compression::Gzip),
        "off" => Some(Compression::None),
        _ => None,
    })?;
    builder.timeout = address.take("timeout", "write seconds, such as 10s", |text| {
        let seconds = text.strip_suffix('s').unwrap_or(text);
        seconds.parse().ok().map(Duration::from_secs)
    })?;
    if let Some(token) = address.take_secret("token")? {
        builder = builder.bearer(token);
    }
    let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
    if let Some(path) = address.take("headers_file", "name a file", path)? {
        builder = builder.headers_file(path);
    }
    builder.tls = TlsFiles::from_address(&mut address)?;
    address.finish(&OPTIONS)?;
    Ok(builder)
}

fn target(address: &Address) -> Result<Target, UrlError> {
    let (protocol, security) = match address.scheme.as_str() {
        "otlp" => {
            address.nowhere()?;
            return Ok(Target::Environment);
        }
        "otlp+grpc" => (Protocol::Grpc, Security::Plain),
        "otlp+grpcs" => (Protocol::Grpc, Security::Tls),
        "otlp+http" => (Protocol::Http, Security::Plain),
        _ => (Protocol::Http, Security::Tls),
    };
    let network = address.network()?;
    if network.user.is_some() {
        let expected = "a user does not belong here: give token_file= or headers_file=";
        return Err(UrlError::new("location", "", expected));
    }
    if protocol == Protocol::Grpc && !matches!(network.path.as_str(), "" | "/") {
        return Err(UrlError::new("location", "", "over gRPC it has no path"));
    }
    Ok(Target::Known(Endpoint::new(
        protocol,
        security,
        network.host,
        network.port,
        &network.path,
    )))
}

impl From<OtlpSinkError> for UrlError {
    fn from(error: OtlpSinkError) -> Self {
        Self::new(error.part, error.value, error.expected)
    }
}
