//! A location on a network: `user:password@host:port/path`.

use super::{Secret, UrlError, decode};

/// A host, and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    /// A name, an IPv4 address, or an IPv6 address without its brackets.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    /// As it was written, with its escapes and the `/` it begins with; empty when there is none.
    pub(crate) path: String,
}

impl Network {
    /// No error repeats what stands before the `@`.
    pub(super) fn parse(scheme: &str, location: &str) -> Result<Self, UrlError> {
        let (authority, path) = match location.find('/') {
            Some(slash) => location.split_at(slash),
            None => (location, ""),
        };
        let (login, host_port) = match authority.rsplit_once('@') {
            Some((login, host_port)) => (Some(login), host_port),
            None => (None, authority),
        };
        let (user, password) = match login.map(|login| login.split_once(':').ok_or(login)) {
            None => (None, None),
            Some(Err(user)) => (Some(user), None),
            Some(Ok((user, password))) => (Some(user), Some(password)),
        };
        let (host, port) = host_and_port(host_port)?;
        if host.is_empty() {
            let expected = format!("name a host: {scheme}://host:port");
            return Err(UrlError::new("location", "", expected));
        }
        let decoded = |text: &str, part| decode(text, part);
        Ok(Self {
            user: user.map(|user| decoded(user, "user")).transpose()?,
            password: password
                .map(|password| decoded(password, "password").map(Secret::text))
                .transpose()?,
            host: host.to_owned(),
            port,
            path: path.to_owned(),
        })
    }

    /// The path without the `/` it begins with, decoded.
    pub(crate) fn name(&self) -> Result<String, UrlError> {
        decode(self.path.strip_prefix('/').unwrap_or_default(), "location")
    }

    /// `host:port`, as it stands in an address; without what could be secret.
    pub(crate) fn host_port(&self, default_port: u16) -> String {
        let port = self.port.unwrap_or(default_port);
        if self.host.contains(':') {
            format!("[{}]:{port}", self.host)
        } else {
            format!("{}:{port}", self.host)
        }
    }
}

// Without what stands there, which could be a password without its host.
const PORT: &str = "a port is 1 to 65535";

fn host_and_port(text: &str) -> Result<(&str, Option<u16>), UrlError> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(text) => text.split_once(']').ok_or_else(|| {
            UrlError::new("location", "", "an IPv6 address stands between [ and ]")
        })?,
        None => match text.find(':') {
            Some(colon) => text.split_at(colon),
            None => (text, ""),
        },
    };
    let is_host = |next: char| next.is_ascii_alphanumeric() || ".-_:".contains(next);
    if !host.chars().all(is_host) {
        let expected =
            "a host is a name or an address; escape / ? # @ in a password as %2F %3F %23 %40";
        return Err(UrlError::new("location", "", expected));
    }
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Ok((host, None)),
        Some(port) if port.bytes().all(|digit| digit.is_ascii_digit()) => match port.parse() {
            Ok(0) | Err(_) => Err(UrlError::new("port", "", PORT)),
            Ok(port) => Ok((host, Some(port))),
        },
        _ => Err(UrlError::new("port", "", PORT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(location: &str) -> Result<Network, UrlError> {
        Network::parse("postgres", location)
    }

    #[test]
    fn every_part_is_read_and_decoded() {
        let network = read("a%40b:p%2Fw%3A@db.example:5432/aud%20it").unwrap();
        assert_eq!(network.user.as_deref(), Some("a@b"));
        assert_eq!(network.password, Some(Secret::text("p/w:")));
        assert_eq!(network.host_port(1), "db.example:5432");
        assert_eq!(network.name().unwrap(), "aud it");

        let bare = read("[::1]").unwrap();
        assert_eq!(
            (bare.user, bare.password, bare.path.as_str()),
            (None, None, "")
        );
        assert_eq!(read("[::1]").unwrap().host_port(514), "[::1]:514");
        assert_eq!(read("u@h").unwrap().user.as_deref(), Some("u"));
        assert_eq!(read("h:1/").unwrap().name().unwrap(), "");
    }

    #[test]
    fn mistakes_are_named_without_what_could_be_secret() {
        let cases = [
            ("", "location"),
            ("user:hunter2@", "location"),
            ("user:hunter2@h:0", "port"),
            ("user:hunter2@h:66000", "port"),
            ("user:hunter2@h:x", "port"),
            ("user:hunter2", "port"),
            ("[::1", "location"),
            ("user:%zzhunter2@h", "password"),
            ("h ost", "location"),
        ];
        for (location, part) in cases {
            let error = read(location).unwrap_err();
            assert_eq!(error.part, part, "{location}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
