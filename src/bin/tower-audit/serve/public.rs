//! The address that people open when a proxy is in front.

use axum::http::Uri;

/// `https://audit.example`: a scheme and a host, nothing behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicUrl {
    is_https: bool,
    /// In small letters, with its port unless it is that of the scheme.
    host: String,
}

impl PublicUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "write a scheme and a host, such as https://audit.example".to_owned();
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let host = uri
            .authority()
            .map(|host| host.as_str())
            .unwrap_or_default();
        // Links lead to `/`, so that it cannot be below a path.
        if host.is_empty() || host.contains('@') || uri.path() != "/" || uri.query().is_some() {
            return Err(wrong());
        }
        let host = host.to_ascii_lowercase();
        let host = host
            .strip_suffix(port(is_https))
            .unwrap_or(&host)
            .to_owned();
        Ok(Self { is_https, host })
    }

    /// Whether browsers come by TLS, so that a cookie must not go without.
    pub(super) fn is_https(&self) -> bool {
        self.is_https
    }

    /// Whether a request names it; in small letters.
    pub(super) fn is(&self, host: &str) -> bool {
        host.strip_suffix(port(self.is_https)).unwrap_or(host) == self.host
    }

    /// Without a slash at its end.
    pub(super) fn address(&self) -> String {
        let scheme = if self.is_https { "https" } else { "http" };
        format!("{scheme}://{}", self.host)
    }
}

/// What browsers leave out.
fn port(is_https: bool) -> &'static str {
    if is_https { ":443" } else { ":80" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_address_is_a_scheme_and_a_host() {
        for (text, expected) in [
            ("https://audit.example", "https://audit.example"),
            ("https://Audit.Example:443/", "https://audit.example"),
            ("http://audit.example:8080", "http://audit.example:8080"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(PublicUrl::parse(text).unwrap().address(), expected);
        }
        for wrong in [
            "",
            "audit.example",
            "ftp://audit.example",
            "https://",
            "https://audit.example/logs",
            "https://audit.example?x=1",
            "https://ann@audit.example",
        ] {
            let said = PublicUrl::parse(wrong).unwrap_err();
            assert!(said.contains("https://audit.example"), "{wrong}: {said}");
        }
        let public = PublicUrl::parse("https://audit.example").unwrap();
        for (host, expected) in [
            ("audit.example", true),
            ("audit.example:443", true),
            ("audit.example:80", false),
            ("audit.example.evil", false),
        ] {
            assert_eq!(public.is(host), expected, "{host}");
        }
    }
}
