//! Where a receiver listens.

use super::OtlpSinkError;

/// How requests travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Grpc,
    Http,
}

impl Protocol {
    fn port(self) -> u16 {
        match self {
            Self::Grpc => 4317,
            Self::Http => 4318,
        }
    }
}

/// Whether the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    Plain,
    Tls,
}

impl Security {
    /// Of the URL.
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::Plain => "http",
            Self::Tls => "https",
        }
    }
}

/// Whether requests are made smaller before they are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Compression {
    /// With gzip, which every receiver must take. The default.
    #[default]
    Gzip,
    /// Not at all: for a receiver on the same machine.
    None,
}

/// Where a receiver listens, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) protocol: Protocol,
    pub(super) security: Security,
    /// An IPv6 address without its brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Of HTTP; empty for gRPC.
    pub(super) path: String,
}

/// The path of logs, where no other is given.
const PATH: &str = "/v1/logs";

impl Endpoint {
    /// An endpoint; a path that is empty or `/` is the usual one.
    pub(super) fn new(
        protocol: Protocol,
        security: Security,
        host: String,
        port: Option<u16>,
        path: &str,
    ) -> Self {
        let path = match (protocol, path) {
            (Protocol::Grpc, _) => "",
            (Protocol::Http, "" | "/") => PATH,
            (Protocol::Http, path) => path,
        };
        Self {
            protocol,
            security,
            host,
            port: port.unwrap_or_else(|| protocol.port()),
            path: path.to_owned(),
        }
    }

    /// Reads `http://host:port/path` or `https://…`; `part` names it in errors.
    pub(super) fn parse(protocol: Protocol, text: &str, part: &str) -> Result<Self, OtlpSinkError> {
        // Without what stands there: a password may stand before the host.
        let wrong = |expected: &str| OtlpSinkError::new(part, "", expected);
        let url: ::http::Uri = text
            .parse()
            .map_err(|_quotes_nothing| wrong("write it as http://host:port"))?;
        let security = match url.scheme_str() {
            Some("http") => Security::Plain,
            Some("https") => Security::Tls,
            _ => return Err(wrong("begin it with http:// or https://")),
        };
        let authority = url.authority().map(::http::uri::Authority::as_str);
        if authority.is_some_and(|authority| authority.contains('@')) {
            return Err(wrong(
                "a user and a password do not belong here: send a header",
            ));
        }
        if url.query().is_some() {
            return Err(wrong("it has no part after a ?"));
        }
        if protocol == Protocol::Grpc && url.path() != "/" {
            return Err(wrong("over gRPC it has no path"));
        }
        let host = url.host().unwrap_or_default();
        let host = host.strip_prefix('[').unwrap_or(host);
        let host = host.strip_suffix(']').unwrap_or(host);
        if host.is_empty() {
            return Err(wrong("name a host"));
        }
        let after_host = authority.and_then(|authority| authority.strip_prefix(url.host()?));
        if after_host != Some("") && url.port_u16().is_none_or(|port| port == 0) {
            return Err(wrong("a port is 1 to 65535"));
        }
        let (host, port) = (host.to_owned(), url.port_u16());
        Ok(Self::new(protocol, security, host, port, url.path()))
    }

    /// `host:port`.
    pub(super) fn host_port(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The URL that requests are posted to.
    pub(super) fn url(&self) -> String {
        format!(
            "{}://{}{}",
            self.security.scheme(),
            self.host_port(),
            self.path
        )
    }

    /// The address of the sink, without what could be secret: some services put a token into the
    /// path.
    pub(super) fn address(&self) -> String {
        let scheme = match (self.protocol, self.security) {
            (Protocol::Grpc, Security::Plain) => "otlp+grpc",
            (Protocol::Grpc, Security::Tls) => "otlp+grpcs",
            (Protocol::Http, Security::Plain) => "otlp+http",
            (Protocol::Http, Security::Tls) => "otlp+https",
        };
        let is_usual = self.path.is_empty() || self.path == PATH;
        let path = if is_usual { "" } else { "/…" };
        format!("{scheme}://{}{path}", self.host_port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_read_and_shown() {
        let cases = [
            (
                Protocol::Grpc,
                "http://collector",
                "otlp+grpc://collector:4317",
            ),
            (Protocol::Grpc, "https://[::1]:9", "otlp+grpcs://[::1]:9"),
            (
                Protocol::Http,
                "http://a.example/",
                "otlp+http://a.example:4318",
            ),
            (
                Protocol::Http,
                "https://a.example:443/receiver/hunter2/v1/logs",
                "otlp+https://a.example:443/…",
            ),
        ];
        for (protocol, text, address) in cases {
            let endpoint = Endpoint::parse(protocol, text, "endpoint").unwrap();
            assert_eq!(endpoint.address(), address, "{text}");
        }
        let http = Endpoint::parse(Protocol::Http, "http://h", "endpoint").unwrap();
        assert_eq!(http.url(), "http://h:4318/v1/logs");
    }

    #[test]
    fn a_wrong_endpoint_is_not_repeated() {
        for text in [
            "",
            "hunter2",
            "hunter2:4317",
            "ftp://hunter2",
            "http://user:hunter2@host",
            "http://host:0",
            "http://host:hunter2",
            "http://host/hunter2",
            "http://host?hunter2",
            "http://",
        ] {
            let error = Endpoint::parse(Protocol::Grpc, text, "endpoint").unwrap_err();
            assert_eq!(error.part, "endpoint", "{text}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
