//! How a syslog sink is set up, in code and by address.

use std::path::PathBuf;

use super::{Confirm, SyslogSink};
use crate::{
    address::{Address, UrlError, suggest},
    format::{Format, FormatError},
    sink::{Sink, tls::TlsFiles},
};

/// Sets up a [`SyslogSink`].
#[derive(Debug, Clone)]
pub struct SyslogSinkBuilder {
    settings: Settings,
}

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) host: String,
    pub(super) port: u16,
    /// With TLS.
    pub(super) tls: Option<TlsFiles>,
    pub(super) facility: u8,
    pub(super) hostname: Option<String>,
    pub(super) app_name: Option<String>,
    pub(super) enterprise: u32,
    pub(super) format: Format,
    pub(super) max_bytes: usize,
    pub(super) confirm: Confirm,
}

impl Settings {
    pub(super) fn address(&self) -> String {
        let scheme = if self.tls.is_some() {
            "syslog+tls"
        } else {
            "syslog+tcp"
        };
        if self.host.contains(':') {
            format!("{scheme}://[{}]:{}", self.host, self.port)
        } else {
            format!("{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// Facilities by name, as RFC 5424 numbers them; those that a service may use.
const FACILITIES: [(&str, u8); 13] = [
    ("audit", 13),
    ("auth", 4),
    ("authpriv", 10),
    ("daemon", 3),
    ("user", 1),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// The number that RFC 5612 sets aside for examples: nobody's.
const ENTERPRISE: u32 = 32_473;

impl SyslogSinkBuilder {
    pub(super) fn new(host: String, port: u16, tls: Option<TlsFiles>) -> Self {
        let settings = Settings {
            host,
            port,
            tls,
            facility: 13,
            hostname: None,
            app_name: None,
            enterprise: ENTERPRISE,
            format: Format::default(),
            max_bytes: SyslogSink::MAX_BYTES,
            confirm: Confirm::default(),
        };
        Self { settings }
    }

    /// The facility, 0 to 23; a larger number is taken as 23. Default: 13, log audit.
    #[must_use]
    pub fn facility(mut self, facility: u8) -> Self {
        self.settings.facility = facility.min(23);
        self
    }

    /// The host name in each message. Default: the instance of the service that a record is from.
    #[must_use]
    pub fn hostname(mut self, hostname: impl Into<String>) -> Self {
        self.settings.hostname = Some(hostname.into());
        self
    }

    /// The name of the application in each message. Default: the service that a record is from.
    #[must_use]
    pub fn app_name(mut self, app_name: impl Into<String>) -> Self {
        self.settings.app_name = Some(app_name.into());
        self
    }

    /// The private enterprise number behind `audit@`. Default: 32473, the one for examples.
    #[must_use]
    pub fn enterprise(mut self, number: u32) -> Self {
        self.settings.enterprise = number;
        self
    }

    /// The words that records are written in. Default: [`Format::Native`].
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.settings.format = format;
        self
    }

    /// How long a message is at most, in bytes; at least
    /// [`LEAST_MAX_BYTES`](SyslogSink::LEAST_MAX_BYTES), which a smaller number is taken as.
    /// Default: [`MAX_BYTES`](SyslogSink::MAX_BYTES).
    #[must_use]
    pub fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.settings.max_bytes = max_bytes.max(SyslogSink::LEAST_MAX_BYTES);
        self
    }

    /// Keeps one connection open and counts as delivered what the system has taken; what the
    /// receiver has not read when it stops is lost. Default: a connection for each batch.
    #[must_use]
    pub fn unconfirmed(mut self) -> Self {
        self.settings.confirm = Confirm::Nothing;
        self
    }

    /// Trusts the certificates in this PEM file beside those of the system. Without TLS it has no
    /// meaning. Default: none.
    #[must_use]
    pub fn ca(mut self, path: impl Into<PathBuf>) -> Self {
        if let Some(tls) = &mut self.settings.tls {
            tls.ca = Some(path.into());
        }
        self
    }

    /// Shows this certificate (PEM, with its chain) and proves it with this key. Without TLS it
    /// has no meaning. Default: none.
    #[must_use]
    pub fn client_certificate(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        if let Some(tls) = &mut self.settings.tls {
            tls.cert = Some(cert.into());
            tls.key = Some(key.into());
        }
        self
    }

    /// Makes the sink; connects to nothing yet.
    #[must_use]
    pub fn build(self) -> SyslogSink {
        SyslogSink {
            settings: self.settings,
            kept: None,
            trust: None,
        }
    }
}

/// The options of a `syslog+tls://` address; the last three are for TLS.
const OPTIONS: [&str; 10] = [
    "facility",
    "hostname",
    "app_name",
    "enterprise",
    "format",
    "max_bytes",
    "confirm",
    "ca",
    "cert",
    "key",
];

/// Makes the sink of a `syslog+tcp://` or `syslog+tls://` address.
pub(in crate::sink) fn from_address(
    mut address: Address,
    _instance: Option<&str>,
) -> Result<Box<dyn Sink>, UrlError> {
    let network = address.network()?;
    let is_tls = address.scheme == "syslog+tls";
    if network.user.is_some() || !matches!(network.path.as_str(), "" | "/") {
        let expected = format!("write {}://host:port alone", address.scheme);
        return Err(UrlError::new("location", "", expected));
    }
    // RFC 5425 and RFC 6587.
    let port = network.port.unwrap_or(if is_tls { 6514 } else { 514 });
    let files = TlsFiles::from_address(&mut address)?;
    if let (false, Some(option)) = (is_tls, files.given()) {
        let expected = "it is for TLS: write syslog+tls";
        return Err(UrlError::new(format!("option {option}"), "", expected));
    }
    let mut builder = SyslogSinkBuilder::new(network.host, port, is_tls.then_some(files));
    let settings = &mut builder.settings;
    if let Some(facility) = take_facility(&mut address)? {
        settings.facility = facility;
    }
    let mut text = |name| {
        let read = |text: &str| is_name(text).then(|| text.to_owned());
        address.take(name, "write printable ASCII without spaces", read)
    };
    settings.hostname = text("hostname")?;
    settings.app_name = text("app_name")?;
    let number = "write a private enterprise number, such as 32473";
    if let Some(enterprise) = address.take("enterprise", number, |text| text.parse().ok())? {
        settings.enterprise = enterprise;
    }
    let formats = FormatError.to_string();
    let format = address.take("format", &formats, |text| text.parse().ok())?;
    settings.format = format.unwrap_or_default();
    let least = SyslogSink::LEAST_MAX_BYTES;
    let bytes = format!("write a number of bytes, at least {least}");
    let read = |text: &str| text.parse().ok().filter(|bytes| *bytes >= least);
    if let Some(max_bytes) = address.take("max_bytes", &bytes, read)? {
        settings.max_bytes = max_bytes;
    }
    let confirm = address.take("confirm", "write close or none", |text| match text {
        "close" => Some(Confirm::Close),
        "none" => Some(Confirm::Nothing),
        _ => None,
    })?;
    settings.confirm = confirm.unwrap_or_default();
    address.finish(&OPTIONS)?;
    Ok(Box::new(builder.build()))
}

fn take_facility(address: &mut Address) -> Result<Option<u8>, UrlError> {
    let names = FACILITIES.map(|(name, _)| name);
    let mut expected = String::new();
    let facility = address.take("facility", "", |text| {
        let found = FACILITIES.iter().find(|(name, _)| *name == text);
        expected = suggest(text, &names);
        Some(
            found
                .map(|(_, number)| *number)
                .ok_or_else(|| text.to_owned()),
        )
    })?;
    match facility {
        None => Ok(None),
        Some(Ok(facility)) => Ok(Some(facility)),
        Some(Err(text)) => Err(UrlError::new("option facility", text, expected)),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}
