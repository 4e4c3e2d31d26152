//! TLS as every sink on a network speaks it: the system's certificates and one's own, by `ring`.

#[cfg(feature = "syslog")]
mod connect;
mod trouble;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};

#[cfg(feature = "syslog")]
pub(in crate::sink) use self::connect::{Trusted, connect};
pub(in crate::sink) use self::trouble::trouble;
use super::SinkError;
use crate::address::{Address, UrlError};

/// The files that an address names for TLS; each is PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::sink) struct TlsFiles {
    /// Certificates to trust beside those of the system.
    pub(in crate::sink) ca: Option<PathBuf>,
    /// What we show a server that asks who we are, with its chain.
    pub(in crate::sink) cert: Option<PathBuf>,
    /// The private key of `cert`.
    pub(in crate::sink) key: Option<PathBuf>,
}

impl TlsFiles {
    /// Takes `ca=`, `cert=` and `key=` out of an address.
    pub(in crate::sink) fn from_address(address: &mut Address) -> Result<Self, UrlError> {
        let mut file = |name| {
            address.take(name, "name a PEM file", |text| {
                (!text.is_empty()).then(|| PathBuf::from(text))
            })
        };
        let files = Self {
            ca: file("ca")?,
            cert: file("cert")?,
            key: file("key")?,
        };
        let missing = match (&files.cert, &files.key) {
            (Some(_), None) => Some(("option cert", "give its private key with key=")),
            (None, Some(_)) => Some(("option key", "give its certificate with cert=")),
            _ => None,
        };
        match missing {
            Some((part, expected)) => Err(UrlError::new(part, "", expected)),
            None => Ok(files),
        }
    }

    /// The name of an option that was given, for a scheme without TLS, which takes none.
    pub(in crate::sink) fn given(&self) -> Option<&'static str> {
        match self {
            Self { ca: Some(_), .. } => Some("ca"),
            Self { cert: Some(_), .. } => Some("cert"),
            Self { key: Some(_), .. } => Some("key"),
            _ => None,
        }
    }

    /// What a connection is made with. Reads the files anew each time: a certificate that was
    /// renewed is taken up at the next connection, without a restart.
    ///
    /// # Errors
    ///
    /// `Blocked` with the file that cannot be used.
    pub(in crate::sink) fn client_config(&self) -> Result<ClientConfig, SinkError> {
        // Given explicitly: what the process chose as its default is none of our business.
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| SinkError::blocked(format!("no version of TLS: {error}")))?
            .with_root_certificates(self.roots()?);
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = certificates("cert", cert)?;
        let private =
            PrivateKeyDer::from_pem_file(key).map_err(|error| unusable("key", key, &pem(error)))?;
        builder
            .with_client_auth_cert(chain, private)
            .map_err(|error| unusable("cert", cert, &error.to_string()))
    }

    fn roots(&self) -> Result<RootCertStore, SinkError> {
        let mut roots = RootCertStore::empty();
        // A certificate that cannot be read is one that is not trusted; a connection that needs
        // it says so.
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        if let Some(ca) = &self.ca {
            for certificate in certificates("ca", ca)? {
                roots
                    .add(certificate)
                    .map_err(|error| unusable("ca", ca, &error.to_string()))?;
            }
        }
        if roots.is_empty() {
            return Err(SinkError::blocked(
                "the system has no certificates to trust: install ca-certificates, or name a PEM \
                 file with ca=",
            ));
        }
        Ok(roots)
    }
}

/// For a client that is to speak plain HTTP only, but cannot be made without.
#[cfg(feature = "_http")]
pub(in crate::sink) fn no_trust() -> Result<ClientConfig, SinkError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SinkError::blocked(format!("no version of TLS: {error}")))?;
    let nobody = RootCertStore::empty();
    Ok(builder.with_root_certificates(nobody).with_no_client_auth())
}

fn certificates(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, SinkError> {
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect());
    match found {
        Ok(found) if found.is_empty() => Err(unusable(option, path, "it holds no certificate")),
        Ok(found) => Ok(found),
        Err(error) => Err(unusable(option, path, &pem(error))),
    }
}

/// What is wrong with a PEM file. Most errors of its reader quote lines of the file, which may be
/// those of a private key, so none of their text is repeated.
fn pem(error: pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "it holds nothing of this kind".to_owned(),
        _ => "it is no PEM file: are its line breaks missing?".to_owned(),
    }
}

fn unusable(option: &str, path: &Path, cause: &str) -> SinkError {
    SinkError::blocked(format!(
        "the file of {option}= cannot be used: {}: {cause}",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(query: &str) -> Result<TlsFiles, UrlError> {
        let mut address = Address::parse(&format!("https://host?{query}"), &["https"])?;
        let files = TlsFiles::from_address(&mut address)?;
        address.finish(&[])?;
        Ok(files)
    }

    fn certificate(name: &str) -> PathBuf {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        root.join("tests/certificates").join(name)
    }

    #[test]
    fn an_address_names_the_files_and_a_half_pair_is_a_mistake() {
        let given = files("ca=/a&cert=/b&key=/c").unwrap();
        assert_eq!(given.ca, Some(PathBuf::from("/a")));
        assert_eq!(given.given(), Some("ca"));
        assert_eq!(files("cert=/b").unwrap_err().part, "option cert");
        assert_eq!(files("key=/c").unwrap_err().part, "option key");
        assert_eq!(files("ca=").unwrap_err().expected, "name a PEM file");
        assert_eq!(TlsFiles::default().given(), None);
    }

    #[test]
    fn a_key_that_lost_its_line_breaks_is_not_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("client.key");
        let key = std::fs::read_to_string(certificate("client.key")).unwrap();
        let secret = key.lines().nth(1).unwrap();
        for flat in [
            key.replace('\n', ""),
            key.replace('\n', "\\n"),
            key.replace('\n', " "),
            format!(
                "{}\n-----BEGIN {secret}",
                key.replace("-----END", "-----BEGIN")
            ),
        ] {
            std::fs::write(&path, flat).unwrap();
            let files = TlsFiles {
                ca: Some(certificate("ca.pem")),
                cert: Some(certificate("client.pem")),
                key: Some(path.clone()),
            };
            let told = files.client_config().unwrap_err().to_string();
            let bytes: Vec<String> = secret.bytes().take(8).map(|b| b.to_string()).collect();
            assert!(told.contains("client.key"), "{told}");
            assert!(!told.contains(&secret[..8]), "{told}");
            assert!(!told.contains(&bytes.join(", ")), "{told}");
        }
    }

    #[test]
    fn files_that_cannot_be_used_are_named_with_their_option() {
        for (ca, cert, key, expected) in [
            ("missing.pem", None, None, "ca= cannot be used"),
            ("server.key", None, None, "it holds no certificate"),
            ("ca.pem", Some("client.pem"), Some("client.pem"), "key="),
            ("ca.pem", Some("client.pem"), Some("server.key"), "cert="),
        ] {
            let files = TlsFiles {
                ca: Some(certificate(ca)),
                cert: cert.map(certificate),
                key: key.map(certificate),
            };
            let error = files.client_config().unwrap_err();
            assert!(matches!(error, SinkError::Blocked { .. }), "{error:?}");
            assert!(error.to_string().contains(expected), "{error}");
        }
        let files = TlsFiles {
            ca: Some(certificate("ca.pem")),
            cert: Some(certificate("client.pem")),
            key: Some(certificate("client.key")),
        };
        assert!(
            files
                .client_config()
                .unwrap()
                .client_auth_cert_resolver
                .has_certs()
        );
    }
}
