//! How a Splunk sink is set up, in code and by address.

use std::{fmt, path::PathBuf, time::Duration};

use http::HeaderMap;

use super::{
    SplunkSink,
    ack::{Acks, LOST},
};
use crate::{
    address::{Address, Secret, UrlError},
    format::Format,
    sink::{
        Sink,
        http::{
            client::Client,
            options::{self, Packing},
        },
        tls::TlsFiles,
    },
};

/// Where the collector listens unless it is told otherwise.
const PORT: u16 = 8088;

/// The collector's place on its server.
const COLLECTOR: &str = "/services/collector";

/// Sets up a [`SplunkSink`].
pub struct SplunkSinkBuilder {
    url: String,
    settings: Settings,
    tls: TlsFiles,
}

pub(super) struct Settings {
    /// For a person: without secrets.
    pub(super) address: String,
    /// What stands before [`COLLECTOR`] in the path.
    prefix: String,
    pub(super) token: Option<Secret>,
    pub(super) index: Option<String>,
    pub(super) source: Option<String>,
    pub(super) sourcetype: String,
    pub(super) host: Option<String>,
    pub(super) format: Format,
    pub(super) packing: Packing,
    pub(super) acknowledged: bool,
    pub(super) acknowledged_within: Duration,
}

impl Settings {
    pub(super) fn path(&self, end: &str) -> String {
        format!("{}{COLLECTOR}{end}", self.prefix)
    }
}

impl SplunkSinkBuilder {
    pub(super) fn new(url: String) -> Self {
        let settings = Settings {
            address: String::new(),
            prefix: String::new(),
            token: None,
            index: None,
            source: None,
            sourcetype: "tower_audit".to_owned(),
            host: None,
            format: Format::default(),
            packing: Packing::default(),
            acknowledged: false,
            acknowledged_within: LOST,
        };
        Self {
            url,
            settings,
            tls: TlsFiles::default(),
        }
    }

    /// The token of the collector. One of this and [`token_file`](Self::token_file) is needed.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.settings.token = Some(Secret::text(token.into()));
        self
    }

    /// The file with the token, which is read for each request.
    #[must_use]
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.token = Some(Secret::file(path));
        self
    }

    /// The index. Default: the token's own.
    #[must_use]
    pub fn index(mut self, index: impl Into<String>) -> Self {
        self.settings.index = Some(index.into());
        self
    }

    /// The source. Default: the name of the service that a record is from.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.settings.source = Some(source.into());
        self
    }

    /// The source type. Default: `tower_audit`.
    #[must_use]
    pub fn sourcetype(mut self, sourcetype: impl Into<String>) -> Self {
        self.settings.sourcetype = sourcetype.into();
        self
    }

    /// The host. Default: the instance of the service that a record is from.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.settings.host = Some(host.into());
        self
    }

    /// The words that records are written in. Default: [`Format::Native`].
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.settings.format = format;
        self
    }

    /// Packs the body. Default: not packed.
    #[must_use]
    pub fn gzip(mut self) -> Self {
        self.settings.packing = Packing::Gzip;
        self
    }

    /// Waits until Splunk says that a batch is indexed; the token must have that turned on.
    /// Default: a batch is delivered when Splunk has taken it.
    #[must_use]
    pub fn acknowledged(mut self) -> Self {
        self.settings.acknowledged = true;
        self
    }

    /// How long a batch may wait to be indexed; after that it counts as lost and is sent again.
    /// Default: 5 minutes, as Splunk advises.
    #[must_use]
    pub fn acknowledged_within(mut self, limit: Duration) -> Self {
        self.settings.acknowledged_within = limit;
        self
    }

    /// Trusts the certificates in this PEM file beside those of the system. Default: none.
    #[must_use]
    pub fn ca(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls.ca = Some(path.into());
        self
    }

    /// Shows this certificate (PEM, with its chain) and proves it with this key. Default: none.
    #[must_use]
    pub fn client_certificate(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls.cert = Some(cert.into());
        self.tls.key = Some(key.into());
        self
    }

    /// Makes the sink; connects to nothing yet.
    ///
    /// # Errors
    ///
    /// [`UrlError`] if the URL cannot be used, or there is no token.
    pub fn build(mut self) -> Result<SplunkSink, UrlError> {
        if self.settings.token.is_none() {
            let expected = "name the file that holds it: token_file=/run/secrets/splunk";
            return Err(UrlError::new("option token", "", expected));
        }
        let base = self.url.trim_end_matches('/');
        if base.contains(COLLECTOR) {
            let expected = format!("leave out {COLLECTOR} and what follows");
            return Err(UrlError::new("location", "", expected));
        }
        let client = Client::new(
            &format!("{base}{COLLECTOR}/event"),
            HeaderMap::new(),
            self.tls,
        )?;
        let (address, path) = (client.address(), client.path());
        let end = format!("{COLLECTOR}/event");
        self.settings.address = format!("splunk+{}", address.trim_end_matches(['…', '/']));
        self.settings.prefix = path.strip_suffix(&end).unwrap_or_default().to_owned();
        Ok(SplunkSink {
            client,
            settings: self.settings,
            acks: Acks::new(),
        })
    }
}

impl fmt::Debug for SplunkSinkBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SplunkSinkBuilder").finish_non_exhaustive()
    }
}

/// The options of a `splunk+https://` address.
const OPTIONS: [&str; 12] = [
    "token",
    "token_file",
    "index",
    "source",
    "sourcetype",
    "host",
    "format",
    "gzip",
    "ack",
    "ca",
    "cert",
    "key",
];

/// Makes the sink of a `splunk+http://` or `splunk+https://` address.
pub(in crate::sink) fn from_address(
    mut address: Address,
    _instance: Option<&str>,
) -> Result<Box<dyn Sink>, UrlError> {
    let mut network = address.network()?;
    network.port.get_or_insert(PORT);
    let scheme = address.scheme.strip_prefix("splunk+").unwrap_or_default();
    let url = options::url(scheme, &network, &network.path)?;
    let mut builder = SplunkSink::builder(url);
    let settings = &mut builder.settings;
    settings.token = address.take_secret("token")?;
    let mut text = |name| {
        address.take(name, "write a name", |text| {
            (!text.is_empty()).then(|| text.to_owned())
        })
    };
    settings.index = text("index")?;
    settings.source = text("source")?;
    settings.host = text("host")?;
    if let Some(sourcetype) = text("sourcetype")? {
        settings.sourcetype = sourcetype;
    }
    settings.format = options::format(&mut address)?;
    settings.packing = options::packing(&mut address)?;
    let acknowledged = address.take("ack", "write on or off", options::on_or_off)?;
    settings.acknowledged = acknowledged.unwrap_or_default();
    builder.tls = TlsFiles::from_address(&mut address)?;
    address.finish(&OPTIONS)?;
    Ok(Box::new(builder.build()?))
}
