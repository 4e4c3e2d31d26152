//! A sink that posts signed JSON anywhere.

mod builder;

use std::fmt;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT, CONTENT_TYPE},
};

use self::builder::Settings;
pub use self::builder::WebhookSinkBuilder;
pub(in crate::sink) use self::builder::from_address;
use super::{
    body::{event, gzip, name},
    client::Client,
    options,
    options::Packing,
    signature::sign,
};
use crate::{
    format::Format,
    sink::{Batch, Limits, Sink, SinkError, SinkFuture},
};

/// Posts records as JSON to an HTTP server, signed as [Standard Webhooks] describes it.
///
/// One batch is one `POST`: a JSON array, or JSON Lines (`body=lines`).
///
/// | header | is |
/// |---|---|
/// | `webhook-id` | `audit_<trail>_<first number>_<last number>_<how many>`: the same whenever the same batch is sent |
/// | `webhook-timestamp` | when it was sent, in seconds since 1970 |
/// | `webhook-signature` | `v1,` and the base 64 of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`; only with a secret |
/// | `idempotency-key` | the same as `webhook-id` |
/// | `content-type` | `application/json`, or `application/x-ndjson` for lines |
/// | `content-encoding` | `gzip`, if asked for; the signature is over the packed bytes |
///
/// A secret that begins with `whsec_` is base 64 behind that; any other is taken as it is. It is
/// read anew for each request when it is in a file, so it can be changed at any time.
///
/// # What a receiver does
///
/// It takes the body as it came, before it is unpacked or parsed; computes the HMAC and compares it
/// in constant time; refuses a time stamp more than 5 minutes away; stores the batch, and only
/// then answers with a status from 200 to 299. It may pass over a batch whose `webhook-id` it has
/// stored. In Python:
///
/// ```python
/// import base64, hashlib, hmac, time
///
/// def is_genuine(secret: bytes, headers, body: bytes) -> bool:
///     if abs(time.time() - int(headers["webhook-timestamp"])) > 300:
///         return False
///     signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
///     expected = b"v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest())
///     return hmac.compare_digest(expected, headers["webhook-signature"].encode())
/// ```
///
/// # What holds
///
/// At least once. A batch is delivered when the server said so; when its answer was lost, the same
/// batch comes again with the same `webhook-id`.
///
/// # What an answer means
///
/// | answer | is taken as |
/// |---|---|
/// | 200 to 299 | stored |
/// | 400, 413, 422 | about these records: the batch is halved until those that are refused are found |
/// | 408, 425, 429, 500 to 599 | later, after `Retry-After` if it is given |
/// | 401, 403, 404, 405, any other from 300 to 499, 501, 505 | blocked until somebody acts; a redirect is not followed |
/// | a web page (`text/html`) with 400 or 422 | blocked: it is another service than was meant |
/// | a web page with 200 to 299 | tried again every 5 minutes: it may have taken the records, or be a login |
///
/// [Standard Webhooks]: https://www.standardwebhooks.com
pub struct WebhookSink {
    client: Client,
    settings: Settings,
}

impl WebhookSink {
    /// The largest batch: 1000 records and 512 KiB of JSON, which leaves room for what a format adds
    /// below the 1 MiB that many servers take.
    pub const LIMITS: (usize, usize) = (1000, 512 * 1024);

    /// A sink on this `http` or `https` URL.
    #[must_use]
    pub fn builder(url: impl Into<String>) -> WebhookSinkBuilder {
        WebhookSinkBuilder::new(url.into())
    }

    fn request(&self, batch: &Batch) -> Result<(HeaderMap, Vec<u8>), SinkError> {
        let settings = &self.settings;
        let mut headers = self.own_headers()?;
        let mut body = settings.shape.encode(settings.format, batch)?;
        if settings.packing == Packing::Gzip {
            body = gzip(&body, &mut headers)?;
        }
        let secret = self.secret()?;
        let (trail, first, last, count) = name(batch);
        let id = format!("audit_{trail}_{first}_{last}_{count}");
        let signed = sign(secret.as_deref(), &id, settings.clock.now(), &body)
            .map_err(|what| SinkError::blocked(format!("option secret: {what}")))?;
        set(&mut headers, "webhook-id", &id);
        set(&mut headers, "idempotency-key", &id);
        set(&mut headers, "webhook-timestamp", &signed.timestamp);
        if let Some(signature) = signed.signature {
            set(&mut headers, "webhook-signature", &signature);
        }
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static(settings.shape.content_type()),
        );
        Ok((headers, body))
    }

    fn secret(&self) -> Result<Option<String>, SinkError> {
        let secret = self.settings.secret.as_ref();
        let secret = secret.map(|secret| secret.read()).transpose();
        secret.map_err(|error| SinkError::blocked(error.to_string()))
    }

    fn own_headers(&self) -> Result<HeaderMap, SinkError> {
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, */*;q=0.5"),
        );
        headers.extend(self.settings.headers.clone());
        if let Some(file) = &self.settings.headers_file {
            headers.extend(options::headers_in(file)?);
        }
        Ok(headers)
    }
}

impl fmt::Debug for WebhookSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSink")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl Sink for WebhookSink {
    fn kind(&self) -> &'static str {
        "http"
    }

    fn address(&self) -> String {
        self.client.address().to_owned()
    }

    fn limits(&self) -> Limits {
        let (records, bytes) = Self::LIMITS;
        Limits::new(records, bytes)
    }

    /// Reaches the server. A place that takes signed posts may know nothing else, so most answers
    /// say nothing; a redirect, or that the credentials are wrong, would be the answer to a post too.
    fn probe(&mut self) -> SinkFuture<'_, ()> {
        Box::pin(async {
            self.secret()?;
            let headers = self.own_headers()?;
            let answer = self.client.send(Method::HEAD, None, headers, Vec::new());
            let answer = answer.await?;
            match answer.status.as_u16() {
                300..=399 | 401 | 403 | 407 => Err(answer.judge()),
                _ => Ok(()),
            }
        })
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        Box::pin(async {
            let (headers, body) = self.request(batch)?;
            let answer = self.client.post(headers, body).await?;
            if answer.is_success() {
                Ok(())
            } else {
                Err(answer.judge())
            }
        })
    }
}

/// How the records of a batch make one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Shape {
    #[default]
    Array,
    Lines,
}

impl Shape {
    fn content_type(self) -> &'static str {
        match self {
            Self::Array => "application/json",
            Self::Lines => "application/x-ndjson",
        }
    }

    fn encode(self, format: Format, batch: &Batch) -> Result<Vec<u8>, SinkError> {
        let (open, between, close) = match self {
            Self::Array => ("[", ",\n", "]"),
            Self::Lines => ("", "\n", "\n"),
        };
        let mut body = Vec::from(open);
        let mut broken = Vec::new();
        for (index, record) in batch.records.iter().enumerate() {
            if index > 0 {
                body.extend_from_slice(between.as_bytes());
            }
            let from = body.len();
            format.write(&mut body, &event(batch, record));
            let is_broken = body.get(from..).is_some_and(|event| event.contains(&b'\n'));
            if self == Self::Lines && is_broken {
                broken.push(record.number);
            }
        }
        body.extend_from_slice(close.as_bytes());
        if broken.is_empty() {
            return Ok(body);
        }
        let reason = "a line break inside a record would break the lines of the body";
        Err(SinkError::refused(broken, reason))
    }
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // Digits, base 64 and our own words: all of it may stand in a header.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
