//! The HTTP client of all sinks: one address, no surprises.
//!
//! It follows no redirect, keeps no cookie, takes no proxy from the environment, and reads 64 KiB
//! of an answer at most. A connection is kept for the next request.

use std::{error::Error, time::Duration};

use http::{HeaderMap, Method, header::CONTENT_TYPE};
use percent_encoding::percent_decode_str;
use reqwest::{Url, redirect};

pub(in crate::sink) use super::answer::Answer;
#[cfg(feature = "otlp")]
pub(in crate::sink) use super::answer::without_secrets;
use crate::{
    address::UrlError,
    sink::{SinkError, tls, tls::TlsFiles},
};

/// How long it takes to connect at most, TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// How long an unused connection is kept: servers and balancers often close theirs after 60 s.
const IDLE: Duration = Duration::from_secs(30);

/// Posts to one server.
pub(in crate::sink) struct Client {
    url: Url,
    /// Without what could be secret: user, password, query.
    shown: String,
    peer: String,
    /// What of the path could be a token.
    hidden: Vec<String>,
    headers: HeaderMap,
    tls: TlsFiles,
    /// Not there during a request: one that failed or was dropped takes its connection along, and
    /// the next one begins with what the files of `tls` hold then.
    connected: Option<reqwest::Client>,
}

impl Client {
    /// A client of this `http` or `https` URL; `headers` go with every request.
    ///
    /// # Errors
    ///
    /// What is wrong with the URL; it is not repeated.
    pub(in crate::sink) fn new(
        url: &str,
        headers: HeaderMap,
        tls: TlsFiles,
    ) -> Result<Self, UrlError> {
        let wrong = |expected: &str| UrlError::new("location", "", expected);
        let url: Url = url.parse().map_err(|error| wrong(&format!("{error}")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "a user and a password do not belong here: send a header",
            ));
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(wrong("name a host: https://host/path"));
        };
        if let (false, Some(option)) = (url.scheme() == "https", tls.given()) {
            let part = format!("option {option}");
            return Err(UrlError::new(part, "", "it is for TLS: write https"));
        }
        Ok(Self {
            // Many services put their token into the path.
            shown: format!(
                "{}://{host}{}{}",
                url.scheme(),
                shown_port(&url),
                if url.path() == "/" { "/" } else { "/…" }
            ),
            peer: format!("{host}:{port}"),
            hidden: hidden(url.path()),
            url,
            headers,
            tls,
            connected: None,
        })
    }

    /// The URL without what could be secret.
    #[cfg(feature = "http")]
    pub(in crate::sink) fn address(&self) -> &str {
        &self.shown
    }

    /// The path of the URL.
    #[cfg(feature = "http")]
    pub(in crate::sink) fn path(&self) -> &str {
        self.url.path()
    }

    /// Posts a body, and waits for the answer as long as the caller does.
    ///
    /// # Errors
    ///
    /// `Retry` or `Blocked` when there was no answer at all; any answer is `Ok`, see
    /// [`Answer::judge`].
    pub(in crate::sink) async fn post(
        &mut self,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer, SinkError> {
        self.send(Method::POST, None, headers, body).await
    }

    /// Sends a request, to another `path` of the same server if one is given.
    ///
    /// # Errors
    ///
    /// As [`post`](Self::post).
    pub(in crate::sink) async fn send(
        &mut self,
        method: Method,
        path: Option<&str>,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer, SinkError> {
        let client = match self.connected.take() {
            Some(client) => client,
            None => self.connect()?,
        };
        let mut url = self.url.clone();
        if let Some(path) = path {
            url.set_path(path);
        }
        let mut all = self.headers.clone();
        all.extend(headers);
        let headers = all.values().filter(|value| value.is_sensitive());
        let headers = headers.filter_map(|value| value.to_str().ok());
        let secrets = self.hidden.iter().cloned();
        let secrets = secrets.chain(headers.map(str::to_owned)).collect();
        let request = client.request(method, url).headers(all).body(body);
        let sent = match request.send().await {
            Ok(response) => Answer::read(response, self.shown.clone(), secrets).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(answer) => {
                self.connected = Some(client);
                Ok(answer)
            }
            Err(error) => Err(self.explain(&error)),
        }
    }

    fn connect(&self) -> Result<reqwest::Client, SinkError> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("tower-audit/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1);
        // Plain HTTP needs no certificates, so it does not fail for want of them.
        let files = if self.url.scheme() == "https" {
            self.tls.client_config()?
        } else {
            tls::no_trust()?
        };
        builder
            .tls_backend_preconfigured(files)
            .build()
            .map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &reqwest::Error) -> SinkError {
        if error.is_connect() && error.is_timeout() {
            let seconds = CONNECT.as_secs();
            let peer = &self.peer;
            return SinkError::retry(format!("no connection to {peer} within {seconds} s"))
                .unsent();
        }
        // Its own text repeats the URL with its query; what it comes from does not.
        let explained = match error.source() {
            Some(source) => tls::trouble(&self.peer, source),
            None => SinkError::retry(format!("no answer from {}", self.peer)),
        };
        if error.is_connect() {
            explained.unsent()
        } else {
            explained
        }
    }
}

/// What of a path could be a token, and must not come back in an answer: the whole of it first, then
/// its parts that are no plain words.
fn hidden(path: &str) -> Vec<String> {
    let decoded = percent_decode_str(path).decode_utf8_lossy().into_owned();
    let mut hidden: Vec<String> = Vec::new();
    for path in [path, &decoded] {
        let parts = path.split('/').filter(|part| could_be_a_token(part));
        let parts: Vec<&str> = parts.collect();
        if !parts.is_empty() {
            hidden.extend([path].into_iter().chain(parts).map(str::to_owned));
        }
    }
    hidden
}

/// Whether a part of a path is more than a word such as `collector`.
fn could_be_a_token(part: &str) -> bool {
    let is_word = part
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'-' || byte == b'_');
    part.len() >= 16 || (part.len() >= 4 && !is_word)
}

fn shown_port(url: &Url) -> String {
    url.port()
        .map_or_else(String::new, |port| format!(":{port}"))
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.shown)
            .finish_non_exhaustive()
    }
}

/// Whether an answer is a page for people: a login, an error page of a proxy.
pub(super) fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    kind.is_some_and(|kind| {
        kind.get(..9)
            .is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/html"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_path_is_hidden_and_plain_words_are_not() {
        let hidden = |path: &str| hidden(path).join(" ");
        assert_eq!(hidden("/services/collector/event"), "");
        assert_eq!(hidden("/v1/logs"), "");
        assert_eq!(
            hidden("/services/T0AB/B1/x9Yz"),
            "/services/T0AB/B1/x9Yz T0AB x9Yz /services/T0AB/B1/x9Yz T0AB x9Yz"
        );
        assert!(hidden("/in/abcdefghijklmnop").contains(" abcdefghijklmnop"));
        assert!(hidden("/in/a%2Fb9c").contains(" b9c") || hidden("/in/a%2Fb9cd").contains(" b9cd"));
    }
}
