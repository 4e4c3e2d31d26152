//! What an OTLP sink is made from.

use std::{fmt, path::PathBuf, time::Duration};

use super::{
    OtlpSink,
    endpoint::{Compression, Endpoint, Protocol, Security},
    env::Environment,
    headers::Headers,
    resource::Resource,
};
use crate::{address::Secret, sink::tls::TlsFiles};

/// The longest time-out of a request.
pub(super) const MAX_TIMEOUT: Duration = Duration::from_secs(30);

/// What is wrong with the configuration of an OTLP sink, and what would be right.
///
/// Whoever wrote the configuration must correct it; nothing was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OtlpSinkError {
    /// The part that is wrong: `endpoint`, `header "x-key"`, `variable OTEL_EXPORTER_OTLP_TIMEOUT`.
    pub part: String,
    /// What stands there; empty where that could be a secret.
    pub value: String,
    /// What would be right.
    pub expected: String,
}

impl OtlpSinkError {
    pub(super) fn new(
        part: impl Into<String>,
        value: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            part: part.into(),
            value: value.into(),
            expected: expected.into(),
        }
    }
}

impl fmt::Display for OtlpSinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wrong {}", self.part)?;
        if !self.value.is_empty() {
            // `Debug` of a string escapes what could confuse a terminal.
            write!(f, " {:?}", self.value)?;
        }
        write!(f, ": {}", self.expected)
    }
}

impl std::error::Error for OtlpSinkError {}

/// What a sink needs to know.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) endpoint: Endpoint,
    pub(super) headers: Headers,
    pub(super) compression: Compression,
    pub(super) tls: TlsFiles,
    pub(super) timeout: Duration,
    pub(super) resource: Resource,
    pub(super) max_request_bytes: usize,
}

/// Where the receiver is.
#[derive(Clone)]
pub(super) enum Target {
    Text(Protocol, String),
    Known(Endpoint),
    Environment,
}

type Lookup = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Makes an [`OtlpSink`].
///
/// What is not set here is taken from the `OTEL_*` variables, and else has the default that stands
/// at each setter.
pub struct OtlpSinkBuilder {
    target: Target,
    headers: Vec<Header>,
    pub(super) compression: Option<Compression>,
    pub(super) tls: TlsFiles,
    pub(super) timeout: Option<Duration>,
    resource: Resource,
    max_request_bytes: usize,
    environment: Lookup,
}

enum Header {
    Pair(String, Secret),
    Bearer(Secret),
    File(PathBuf),
}

impl OtlpSinkBuilder {
    /// The default of [`timeout`](Self::timeout): 10 seconds.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// The default of [`max_request_bytes`](Self::max_request_bytes): 4 MiB.
    pub const MAX_REQUEST_BYTES: usize = 4 * 1024 * 1024;

    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            headers: Vec::new(),
            compression: None,
            tls: TlsFiles::default(),
            timeout: None,
            resource: Resource::default(),
            max_request_bytes: Self::MAX_REQUEST_BYTES,
            environment: Box::new(|name| std::env::var(name).ok()),
        }
    }

    /// Adds a header to every request; of two with one name the last counts. Default: those of
    /// `OTEL_EXPORTER_OTLP_HEADERS`, which stay beside others.
    ///
    /// The value counts as a secret: it is never shown.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let value = Secret::text(value.into());
        self.headers.push(Header::Pair(name.into(), value));
        self
    }

    /// Adds the headers in a file, one `name=value` in each line. It is read again for every batch.
    #[must_use]
    pub fn headers_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.headers.push(Header::File(path.into()));
        self
    }

    /// Sends `authorization: Bearer` with this token. Default: none.
    #[must_use]
    pub fn token(self, token: impl Into<String>) -> Self {
        self.bearer(Secret::text(token.into()))
    }

    /// Sends `authorization: Bearer` with the token in a file. It is read again for every batch.
    #[must_use]
    pub fn token_file(self, path: impl Into<PathBuf>) -> Self {
        self.bearer(Secret::file(path.into()))
    }

    pub(super) fn bearer(mut self, token: Secret) -> Self {
        self.headers.push(Header::Bearer(token));
        self
    }

    /// Whether requests are compressed. Default: `OTEL_EXPORTER_OTLP_COMPRESSION`, else gzip.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// A PEM file with certificates to trust beside those of the system.
    /// Default: `OTEL_EXPORTER_OTLP_CERTIFICATE`.
    #[must_use]
    pub fn ca(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls.ca = Some(path.into());
        self
    }

    /// PEM files with the certificate to show to the receiver, with its chain, and with its key.
    /// Default: `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE` and `OTEL_EXPORTER_OTLP_CLIENT_KEY`.
    #[must_use]
    pub fn client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.tls.cert = Some(certificate.into());
        self.tls.key = Some(key.into());
        self
    }

    /// How long one request may take, at most 10 minutes; then its batch is tried again.
    /// Default: `OTEL_EXPORTER_OTLP_TIMEOUT`, else [`TIMEOUT`](Self::TIMEOUT).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets an attribute of the resource, such as `deployment.environment.name`. Default: those of
    /// `OTEL_RESOURCE_ATTRIBUTES`, and `service.name` of `OTEL_SERVICE_NAME`.
    ///
    /// `service.name` stands before the name in the record, which then goes into
    /// `audit.service.name`. `service.version` and `service.instance.id` are used for records that
    /// do not say theirs.
    #[must_use]
    pub fn resource_attribute(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.resource.set(name.as_ref(), value.as_ref());
        self
    }

    /// The largest request, in bytes before it is compressed; a batch that needs more becomes
    /// several. Default: [`MAX_REQUEST_BYTES`](Self::MAX_REQUEST_BYTES), which is what most
    /// receivers take. One record that is larger is sent all the same.
    ///
    /// A receiver that says it takes less is believed.
    #[must_use]
    pub fn max_request_bytes(mut self, max_bytes: usize) -> Self {
        self.max_request_bytes = max_bytes;
        self
    }

    /// Where `OTEL_*` variables are looked up. Default: the environment of the process;
    /// `|_| None` ignores it.
    #[must_use]
    pub fn environment(
        mut self,
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.environment = Box::new(lookup);
        self
    }

    /// Makes the sink. Connects to nothing yet: what is wrong with the receiver shows at the first
    /// delivery.
    ///
    /// # Errors
    ///
    /// [`OtlpSinkError`] names the setting or the variable that is wrong.
    pub fn build(self) -> Result<OtlpSink, OtlpSinkError> {
        let environment = Environment(&*self.environment);
        let endpoint = match self.target {
            Target::Text(protocol, text) => Endpoint::parse(protocol, &text, "endpoint")?,
            Target::Known(endpoint) => endpoint,
            Target::Environment => environment.endpoint()?,
        };
        let mut headers = Headers::default();
        for header in self.headers {
            match header {
                Header::Pair(name, value) => headers.add(&name, value)?,
                Header::Bearer(token) => headers.add_bearer(token)?,
                Header::File(path) => headers.add_file(path),
            }
        }
        headers.complete(environment.headers()?);
        let mut tls = self.tls;
        match (endpoint.security, tls.given()) {
            (Security::Tls, _) => environment.tls(&mut tls)?,
            (Security::Plain, None) => {}
            (Security::Plain, Some(option)) => {
                let expected = "it is for TLS: write otlp+grpcs, otlp+https or https";
                return Err(OtlpSinkError::new(format!("option {option}"), "", expected));
            }
        }
        let timeout = match self.timeout {
            Some(timeout) if timeout.is_zero() || timeout > MAX_TIMEOUT => {
                let expected = "it is more than nothing and at most 10 minutes";
                return Err(OtlpSinkError::new(
                    "timeout",
                    format!("{timeout:?}"),
                    expected,
                ));
            }
            Some(timeout) => timeout,
            None => environment.timeout()?.unwrap_or(Self::TIMEOUT),
        };
        let compression = match self.compression {
            Some(compression) => compression,
            None => environment.compression()?.unwrap_or_default(),
        };
        let mut resource = self.resource;
        environment.resource(&mut resource)?;
        Ok(OtlpSink::new(Settings {
            endpoint,
            headers,
            compression,
            tls,
            timeout,
            resource,
            max_request_bytes: self.max_request_bytes,
        }))
    }
}

impl fmt::Debug for OtlpSinkBuilder {
    /// Without the target and the headers, which can hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpSinkBuilder")
            .field("compression", &self.compression)
            .field("timeout", &self.timeout)
            .field("max_request_bytes", &self.max_request_bytes)
            .finish_non_exhaustive()
    }
}
