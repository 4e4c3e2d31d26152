//! The certificates in `tests/certificates`, and a server that speaks TLS with one of them.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::TlsAcceptor;

use super::project;

/// The path of one of the certificates in `tests/certificates`.
pub(crate) fn certificate(name: &str) -> String {
    let path = project::root().join("tests/certificates").join(name);
    path.to_str().unwrap().to_owned()
}

/// Speaks TLS as a server with one of `tests/certificates`.
pub(crate) fn acceptor(name: &str) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(certificate(&format!("{name}.pem"))).unwrap();
    let chain = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(certificate(&format!("{name}.key"))).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
