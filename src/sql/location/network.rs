//! A database on a server: `postgres://user:password@host:port/database?sslmode=verify-full`.

use std::{net::IpAddr, path::PathBuf};

use super::take_prefix;
use crate::{
    address::{Address, Network, Secret, UrlError},
    sql::TablePrefix,
};

/// A server, a database on it, and how to get there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NetworkLocation {
    pub(crate) scheme: &'static str,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Option<Secret>,
    pub(crate) database: String,
    pub(crate) prefix: TablePrefix,
    pub(crate) tls: Tls,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// What a connection must prove; the words are PostgreSQL's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    /// No TLS.
    Disable,
    /// TLS if the server has it; the certificate is not looked at.
    Prefer,
    /// TLS; the certificate is not looked at.
    Require,
    /// TLS, with a certificate of a trusted authority.
    VerifyCa,
    /// TLS, with a certificate of a trusted authority for this host.
    VerifyFull,
}

impl NetworkLocation {
    /// The options that every database on a server has.
    pub(crate) const OPTIONS: [&'static str; 6] =
        ["prefix", "sslmode", "ca", "cert", "key", "password_file"];

    /// Takes these parts out of an address; the caller takes its own and finishes it.
    pub(crate) fn take(
        address: &mut Address,
        scheme: &'static str,
        default_port: u16,
    ) -> Result<Self, UrlError> {
        let network = address.network()?;
        let database = network.name()?;
        if database.is_empty() || database.contains('/') {
            let expected = format!("name a database: {scheme}://user@host/database");
            return Err(UrlError::new("location", "", expected));
        }
        let password = take_password(address, &network)?;
        let Network {
            user, host, port, ..
        } = network;
        let Some(user) = user.filter(|user| !user.is_empty()) else {
            let expected = format!("name a user: {scheme}://user@host/database");
            return Err(UrlError::new("location", "", expected));
        };
        let tls = take_tls(address)?;
        let [ca, cert, key] = ["ca", "cert", "key"].map(|name| take_path(address, name));
        let (ca, cert, key) = (ca?, cert?, key?);
        if cert.is_some() != key.is_some() {
            let expected = "a certificate and its key go together: give cert and key";
            return Err(UrlError::new("option cert", "", expected));
        }
        let tls = match tls {
            Some(tls) => tls,
            // Nobody listens between a program and its own machine.
            None if ca.is_none() && is_loopback(&host) => Tls::Prefer,
            None => Tls::VerifyFull,
        };
        if ca.is_some() && !matches!(tls, Tls::VerifyCa | Tls::VerifyFull) {
            let expected = "an authority is only asked with sslmode=verify-ca or verify-full";
            return Err(UrlError::new("option ca", "", expected));
        }
        Ok(Self {
            scheme,
            host,
            port: port.unwrap_or(default_port),
            user,
            password,
            database,
            prefix: take_prefix(address)?,
            tls,
            ca,
            cert,
            key,
        })
    }

    /// Whether it is this machine.
    #[cfg(feature = "mysql")]
    pub(crate) fn is_local(&self) -> bool {
        is_loopback(&self.host)
    }

    /// The address for a person: no login, and no options.
    pub(crate) fn display(&self) -> String {
        let Self { scheme, port, .. } = self;
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        // A line feed that was escaped in the address must not be one here.
        let database = self.database.escape_debug();
        format!("{scheme}://{host}:{port}/{database}")
    }
}

fn take_password(address: &mut Address, network: &Network) -> Result<Option<Secret>, UrlError> {
    let file = address.take("password_file", "name the file with the password", |path| {
        (!path.is_empty()).then(|| Secret::file(path))
    })?;
    match (network.password.clone(), file) {
        (Some(_), Some(_)) => {
            let expected = "give the password either before the @ or in the file";
            Err(UrlError::new("option password_file", "", expected))
        }
        (text, file) => Ok(text.or(file)),
    }
}

fn take_tls(address: &mut Address) -> Result<Option<Tls>, UrlError> {
    let expected = "one of disable, prefer, require, verify-ca, verify-full";
    address.take("sslmode", expected, |mode| match mode {
        "disable" => Some(Tls::Disable),
        "prefer" => Some(Tls::Prefer),
        "require" => Some(Tls::Require),
        "verify-ca" => Some(Tls::VerifyCa),
        // The second is MySQL's word for it.
        "verify-full" | "verify-identity" => Some(Tls::VerifyFull),
        _ => None,
    })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

fn take_path(address: &mut Address, name: &str) -> Result<Option<PathBuf>, UrlError> {
    address.take(name, "name a file", |path| {
        (!path.is_empty()).then(|| PathBuf::from(path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<NetworkLocation, UrlError> {
        let mut address = Address::parse(text, &["postgres"])?;
        let location = NetworkLocation::take(&mut address, "postgres", 5432)?;
        address.finish(&NetworkLocation::OPTIONS)?;
        Ok(location)
    }

    #[test]
    fn every_part_is_read_and_the_password_is_not_shown() {
        let location = read(
            "postgres://a%40b:hunter2@db.example:6000/audit?prefix=a_&sslmode=verify-ca&ca=/ca&cert=/c&key=/k",
        )
        .unwrap();
        assert_eq!(location.user, "a@b");
        assert_eq!(location.password, Some(Secret::text("hunter2")));
        assert_eq!(location.tls, Tls::VerifyCa);
        assert_eq!(location.key, Some(PathBuf::from("/k")));
        assert_eq!(location.display(), "postgres://db.example:6000/audit");
        assert!(!format!("{location:?}").contains("hunter2"));
    }

    #[test]
    fn a_connection_that_leaves_the_machine_is_verified_unless_told_otherwise() {
        for (host, expected) in [
            ("db.example", Tls::VerifyFull),
            ("10.0.0.1", Tls::VerifyFull),
            ("localhost", Tls::Prefer),
            ("127.0.0.1", Tls::Prefer),
            ("[::1]", Tls::Prefer),
        ] {
            let location = read(&format!("postgres://u@{host}/d")).unwrap();
            assert_eq!(location.tls, expected, "{host}");
        }
        let told = read("postgres://u@db.example/d?sslmode=disable").unwrap();
        assert_eq!(told.tls, Tls::Disable);
        let own = read("postgres://u@localhost/d?ca=/ca").unwrap();
        assert_eq!(own.tls, Tls::VerifyFull, "who names an authority asks it");
    }

    #[test]
    fn mistakes_are_named_without_the_password() {
        for (text, part) in [
            ("postgres://u:hunter2@h", "location"),
            ("postgres://u:hunter2@h/", "location"),
            ("postgres://u:hunter2@h/a/b", "location"),
            ("postgres://h/d", "location"),
            (
                "postgres://u:hunter2@h/d?password_file=/p",
                "option password_file",
            ),
            ("postgres://u:hunter2@h/d?sslmode=on", "option sslmode"),
            ("postgres://u:hunter2@h/d?cert=/c", "option cert"),
            (
                "postgres://u:hunter2@h/d?sslmode=require&ca=/c",
                "option ca",
            ),
            ("postgres://u:hunter2@h/d?prefix=A-", "option prefix"),
            ("postgres://u:hunter2@h/d?sslmod=disable", "option"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.part, part, "{text}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
