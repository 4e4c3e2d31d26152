//! `OTEL_*` variables, which complete a sink that was asked for.

use std::{path::PathBuf, time::Duration};

use percent_encoding::percent_decode_str;

use super::{
    OtlpSinkError,
    builder::MAX_TIMEOUT,
    endpoint::{Compression, Endpoint, Protocol},
    headers::Headers,
    resource::Resource,
};
use crate::{address::Secret, sink::tls::TlsFiles};

/// Where variables are looked up.
pub(super) struct Environment<'a>(pub(super) &'a dyn Fn(&str) -> Option<String>);

/// A variable that is set, and its value.
struct Variable {
    name: String,
    value: String,
}

impl Variable {
    /// An error that shows the value, which is no secret.
    fn wrong(&self, expected: &str) -> OtlpSinkError {
        OtlpSinkError::new(self.part(), &*self.value, expected)
    }

    /// An error that does not show the value.
    fn wrong_secret(&self, expected: &str) -> OtlpSinkError {
        OtlpSinkError::new(self.part(), "", expected)
    }

    fn part(&self) -> String {
        format!("variable {}", self.name)
    }
}

impl Environment<'_> {
    /// A variable; one that is empty counts as not set.
    fn get(&self, name: &str) -> Option<Variable> {
        let value = (self.0)(name)?;
        let name = name.to_owned();
        (!value.trim().is_empty()).then_some(Variable { name, value })
    }

    /// `OTEL_EXPORTER_OTLP_LOGS_…`, else `OTEL_EXPORTER_OTLP_…`.
    fn exporter(&self, name: &str) -> Option<Variable> {
        self.get(&format!("OTEL_EXPORTER_OTLP_LOGS_{name}"))
            .or_else(|| self.get(&format!("OTEL_EXPORTER_OTLP_{name}")))
    }

    /// Where the receiver listens, for a sink that leaves that to the environment.
    pub(super) fn endpoint(&self) -> Result<Endpoint, OtlpSinkError> {
        let protocol = self.protocol()?;
        let own = self.get("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT");
        let Some(variable) = own.or_else(|| self.get("OTEL_EXPORTER_OTLP_ENDPOINT")) else {
            return Err(OtlpSinkError::new(
                "variable OTEL_EXPORTER_OTLP_ENDPOINT",
                "",
                "set it, or name the receiver in the address: otlp+grpc://host:4317",
            ));
        };
        let text = match (protocol, variable.value.contains("://")) {
            (Protocol::Grpc, false) => {
                let scheme = if self.insecure()? { "http" } else { "https" };
                format!("{scheme}://{}", variable.value.trim())
            }
            _ => variable.value.trim().to_owned(),
        };
        let mut endpoint = Endpoint::parse(protocol, &text, &variable.part())?;
        // The general one is the base of all signals, the other is for logs as it stands there.
        if protocol == Protocol::Http && !variable.name.contains("LOGS") {
            let base = endpoint.path.trim_end_matches('/');
            if !base.ends_with("/v1/logs") {
                endpoint.path = format!("{base}/v1/logs");
            }
        }
        Ok(endpoint)
    }

    fn protocol(&self) -> Result<Protocol, OtlpSinkError> {
        match self.exporter("PROTOCOL") {
            None => Ok(Protocol::Http),
            Some(variable) => match variable.value.trim() {
                "grpc" => Ok(Protocol::Grpc),
                "http/protobuf" => Ok(Protocol::Http),
                _ => Err(variable.wrong("write grpc or http/protobuf")),
            },
        }
    }

    fn insecure(&self) -> Result<bool, OtlpSinkError> {
        match self.exporter("INSECURE") {
            None => Ok(false),
            Some(variable) => match variable.value.trim().to_ascii_lowercase().as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(variable.wrong("write true or false")),
            },
        }
    }

    pub(super) fn headers(&self) -> Result<Headers, OtlpSinkError> {
        let mut headers = Headers::default();
        let Some(variable) = self.exporter("HEADERS") else {
            return Ok(headers);
        };
        for (name, value) in pairs(&variable)? {
            headers
                .add(&name, Secret::text(value))
                .map_err(|error| variable.wrong_secret(&error.expected))?;
        }
        Ok(headers)
    }

    pub(super) fn timeout(&self) -> Result<Option<Duration>, OtlpSinkError> {
        let Some(variable) = self.exporter("TIMEOUT") else {
            return Ok(None);
        };
        let millis = variable.value.trim().parse().ok();
        let timeout = millis.map(Duration::from_millis);
        match timeout.filter(|timeout| !timeout.is_zero() && *timeout <= MAX_TIMEOUT) {
            Some(timeout) => Ok(Some(timeout)),
            None => Err(variable.wrong("write milliseconds from 1 to 30000")),
        }
    }

    pub(super) fn compression(&self) -> Result<Option<Compression>, OtlpSinkError> {
        match self.exporter("COMPRESSION") {
            None => Ok(None),
            Some(variable) => match variable.value.trim() {
                "gzip" => Ok(Some(Compression::Gzip)),
                "none" => Ok(Some(Compression::None)),
                _ => Err(variable.wrong("write gzip or none")),
            },
        }
    }

    /// The files that are not named yet.
    pub(super) fn tls(&self, files: &mut TlsFiles) -> Result<(), OtlpSinkError> {
        let path = |name| {
            let found = self.exporter(name);
            found.map(|variable| (PathBuf::from(variable.value.trim()), variable))
        };
        if files.ca.is_none() {
            files.ca = path("CERTIFICATE").map(|(path, _)| path);
        }
        if files.cert.is_none() && files.key.is_none() {
            match (path("CLIENT_CERTIFICATE"), path("CLIENT_KEY")) {
                (None, None) => {}
                (Some((cert, _)), Some((key, _))) => {
                    files.cert = Some(cert);
                    files.key = Some(key);
                }
                (Some((_, variable)), None) => {
                    return Err(variable.wrong("name its key with OTEL_EXPORTER_OTLP_CLIENT_KEY"));
                }
                (None, Some((_, variable))) => {
                    return Err(variable
                        .wrong("name its certificate with OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"));
                }
            }
        }
        Ok(())
    }

    pub(super) fn resource(&self, resource: &mut Resource) -> Result<(), OtlpSinkError> {
        if let Some(variable) = self.get("OTEL_SERVICE_NAME") {
            resource.complete("service.name", variable.value.trim());
        }
        if let Some(variable) = self.get("OTEL_RESOURCE_ATTRIBUTES") {
            for (name, value) in pairs(&variable)? {
                resource.complete(&name, &value);
            }
        }
        Ok(())
    }
}

/// `name=value,name=value`, with `%` escapes.
fn pairs(variable: &Variable) -> Result<Vec<(String, String)>, OtlpSinkError> {
    const EXPECTED: &str =
        "write name=value,name=value, with a comma that belongs to a value as %2C";
    let decode = |text: &str| {
        let text = percent_decode_str(text.trim()).decode_utf8();
        text.map_or_else(
            |_quotes_the_value| Err(variable.wrong_secret(EXPECTED)),
            |text| Ok(text.into_owned()),
        )
    };
    let parts = variable.value.split(',').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => Ok((decode(name)?, decode(value)?)),
            _ => Err(variable.wrong_secret(EXPECTED)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_general_endpoint_is_a_base_and_that_of_logs_stands_as_it_is() {
        for (name, value, url) in [
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "https://c/base/",
                "https://c:4318/base/v1/logs",
            ),
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "http://c/v1/logs",
                "http://c:4318/v1/logs",
            ),
            (
                "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
                "http://c/own",
                "http://c:4318/own",
            ),
        ] {
            let look_up = |asked: &str| (asked == name).then(|| value.to_owned());
            let endpoint = Environment(&look_up).endpoint().unwrap();
            assert_eq!(endpoint.url(), url, "{name}={value}");
        }
    }
}
