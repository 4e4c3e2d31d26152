//! TLS, certificates, and servers that speak something else.

use std::{path::PathBuf, sync::Arc};

use tokio_rustls::{TlsAcceptor, rustls};
use tower_audit::sink::Sink;

use super::{
    WAYS, Way,
    answers::{blocked, retry},
    receiver::{Receiver, Reply},
};
use crate::support::batches::{origin, plain};

fn certificate(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/certificates").join(name)
}

/// A server with this certificate, which asks for one of a client of ours if it is told to.
fn acceptor(name: &str, client: Option<&str>) -> TlsAcceptor {
    use rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::WebPkiClientVerifier,
    };
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match client {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots
                .add(CertificateDer::from_pem_file(certificate(ca)).unwrap())
                .unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
    };
    let chain = CertificateDer::from_pem_file(certificate(&format!("{name}.pem"))).unwrap();
    let key = PrivateKeyDer::from_pem_file(certificate(&format!("{name}.key"))).unwrap();
    let mut config = builder.with_single_cert(vec![chain], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn tls_is_spoken_with_our_certificates() {
    for way in WAYS {
        let tls = acceptor("server", Some("ca.pem"));
        let receiver = Receiver::start(|_| Reply::Take(""), Some(tls));
        let url = format!("https://localhost:{}", receiver.address.port());
        let builder = || way.builder(url.clone()).ca(certificate("ca.pem"));
        let with =
            builder().client_certificate(certificate("client.pem"), certificate("client.key"));
        let mut sink = with.build().unwrap();
        sink.deliver(&plain(&origin(1), 0..10)).await.unwrap();
        assert_eq!(receiver.numbers().len(), 10);
        let mut sink = builder().build().unwrap();
        let reason = blocked(sink.deliver(&plain(&origin(1), 0..1)).await.unwrap_err());
        assert!(reason.contains("cert="), "{way:?} {reason}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_blocks_with_its_reason() {
    for (server, expected) in [
        ("foreign", "is not trusted"),
        ("expired", "has expired"),
        ("elsewhere", "for another name"),
    ] {
        for way in WAYS {
            let receiver = Receiver::start(|_| Reply::Take(""), Some(acceptor(server, None)));
            let url = format!("https://localhost:{}", receiver.address.port());
            let builder = way.builder(url).ca(certificate("ca.pem"));
            let mut sink = builder.build().unwrap();
            let reason = blocked(sink.probe().await.unwrap_err());
            assert!(reason.contains(expected), "{way:?} {reason}");
            let port = receiver.address.port().to_string();
            assert!(reason.contains(&port), "{way:?} {reason}");
        }
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_or_no_grpc_is_named() {
    let receiver = Receiver::new();
    for way in WAYS {
        let url = format!("https://localhost:{}", receiver.address.port());
        let mut sink = way.builder(url).ca(certificate("ca.pem")).build().unwrap();
        let reason = blocked(sink.probe().await.unwrap_err());
        assert!(reason.contains("TLS"), "{way:?} {reason}");
    }
}

/// A server that speaks one version of HTTP only.
async fn only(version: http::Version) -> std::net::SocketAddr {
    use hyper_util::{
        rt::{TokioExecutor, TokioIo},
        server::conn::auto,
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let builder = auto::Builder::new(TokioExecutor::new());
            let builder = match version {
                http::Version::HTTP_2 => builder.http2_only(),
                _ => builder.http1_only(),
            };
            let answer = hyper::service::service_fn(|_| async {
                Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
            });
            let _ended = builder.serve_connection(TokioIo::new(stream), answer).await;
        }
    });
    address
}

#[tokio::test]
async fn the_port_of_the_other_protocol_is_told_apart() {
    for (way, version, expected) in [
        (Way::Grpc, http::Version::HTTP_11, "usually is 4317"),
        (Way::Http, http::Version::HTTP_2, "usually is 4318"),
    ] {
        let address = only(version).await;
        let builder = way.builder(format!("http://{address}"));
        let mut sink = builder.build().unwrap();
        let error = sink.probe().await.unwrap_err();
        let (reason, _) = retry(error);
        assert!(reason.contains(expected), "{way:?} {reason}");
        assert!(reason.contains(&address.to_string()), "{way:?} {reason}");
    }
}
