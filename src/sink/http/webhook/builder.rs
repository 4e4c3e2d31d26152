//! How a sink that posts anywhere is set up, in code and by address.

use std::{fmt, path::PathBuf, sync::Arc};

use http::HeaderMap;

use super::{Shape, WebhookSink};
use crate::{
    address::{Address, Secret, UrlError},
    clock::{Clock, SystemClock},
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

/// Sets up a [`WebhookSink`].
pub struct WebhookSinkBuilder {
    url: String,
    settings: Settings,
    tls: TlsFiles,
    /// The first header that could not be read.
    wrong: Option<UrlError>,
}

pub(super) struct Settings {
    pub(super) format: Format,
    pub(super) shape: Shape,
    pub(super) packing: Packing,
    pub(super) secret: Option<Secret>,
    pub(super) headers: HeaderMap,
    pub(super) headers_file: Option<Secret>,
    pub(super) clock: Arc<dyn Clock>,
}

const HEADER: &str = "write Name: value, and no header that the sink itself sets";

impl WebhookSinkBuilder {
    pub(super) fn new(url: String) -> Self {
        let settings = Settings {
            format: Format::default(),
            shape: Shape::default(),
            packing: Packing::default(),
            secret: None,
            headers: HeaderMap::new(),
            headers_file: None,
            clock: Arc::new(SystemClock::new()),
        };
        Self {
            url,
            settings,
            tls: TlsFiles::default(),
            wrong: None,
        }
    }

    /// The words that records are written in. Default: [`Format::Native`].
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.settings.format = format;
        self
    }

    /// Sends JSON Lines. Default: a JSON array.
    #[must_use]
    pub fn lines(mut self) -> Self {
        self.settings.shape = Shape::Lines;
        self
    }

    /// Packs the body. Default: not packed.
    #[must_use]
    pub fn gzip(mut self) -> Self {
        self.settings.packing = Packing::Gzip;
        self
    }

    /// Signs with this secret. Default: not signed.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.settings.secret = Some(Secret::text(secret.into()));
        self
    }

    /// Signs with the secret in this file, which is read for each request. Default: not signed.
    #[must_use]
    pub fn secret_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.secret = Some(Secret::file(path));
        self
    }

    /// Sends this header with each request; its value is never shown. Default: none.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match options::header(&format!("{name}: {value}")) {
            Some((name, value)) => {
                self.settings.headers.append(name, value);
            }
            None => self.wrong = Some(UrlError::new("option header", "", HEADER)),
        }
        self
    }

    /// Sends the headers in this file, each line `Name: value`; it is read for each request.
    /// Default: none.
    #[must_use]
    pub fn headers_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.headers_file = Some(Secret::file(path));
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

    /// Where the time of sending comes from. Default: the machine's clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Makes the sink; connects to nothing yet.
    ///
    /// # Errors
    ///
    /// [`UrlError`] if the URL or a header cannot be used.
    pub fn build(self) -> Result<WebhookSink, UrlError> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let client = Client::new(&self.url, HeaderMap::new(), self.tls)?;
        Ok(WebhookSink {
            client,
            settings: self.settings,
        })
    }
}

impl fmt::Debug for WebhookSinkBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL can hold a token.
        f.debug_struct("WebhookSinkBuilder").finish_non_exhaustive()
    }
}

/// The options of an `https://` address, beside those of TLS.
const OPTIONS: [&str; 10] = [
    "format",
    "body",
    "gzip",
    "secret",
    "secret_file",
    "header",
    "headers_file",
    "ca",
    "cert",
    "key",
];

/// Makes the sink of an `http://` or `https://` address.
pub(in crate::sink) fn from_address(
    mut address: Address,
    _instance: Option<&str>,
) -> Result<Box<dyn Sink>, UrlError> {
    let network = address.network()?;
    let url = options::url(&address.scheme, &network, &network.path)?;
    let mut builder = WebhookSink::builder(url);
    let settings = &mut builder.settings;
    settings.format = options::format(&mut address)?;
    let shape = address.take("body", "write array or lines", |text| match text {
        "array" => Some(Shape::Array),
        "lines" => Some(Shape::Lines),
        _ => None,
    })?;
    settings.shape = shape.unwrap_or_default();
    settings.packing = options::packing(&mut address)?;
    settings.secret = address.take_secret("secret")?;
    let header = address.take("header", "", |line| Some(options::header(line)))?;
    match header {
        // Without what stands there: it may be a secret.
        Some(None) => return Err(UrlError::new("option header", "", HEADER)),
        Some(Some((name, value))) => {
            settings.headers.append(name, value);
        }
        None => {}
    }
    settings.headers_file = address.take("headers_file", "", |path| Some(Secret::file(path)))?;
    builder.tls = TlsFiles::from_address(&mut address)?;
    address.finish(&OPTIONS)?;
    Ok(Box::new(builder.build()?))
}
