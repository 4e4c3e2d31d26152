//! Why a connection failed, and whether somebody must act.

use std::{error::Error, io};

use rustls::{AlertDescription, CertificateError, Error as TlsError, InvalidMessage};

use crate::{sink::SinkError, text::clean};

/// How deep errors lie in each other at most.
const DEPTH: usize = 16;

/// What a person is told of a cause, in bytes.
const CAUSE_BYTES: usize = 256;

/// The answer of a sink whose connection to `peer` (`host:port`) failed.
///
/// What is wrong with a certificate must be repaired, so it blocks; all else may pass, also that
/// a name is not found or a connection refused: servers move and start again.
pub(in crate::sink) fn trouble(peer: &str, error: &(dyn Error + 'static)) -> SinkError {
    let mut deepest = String::new();
    let mut next = Some(error);
    for _ in 0..DEPTH {
        let Some(error) = next else { break };
        if let Some(tls) = error.downcast_ref::<TlsError>() {
            return tls_trouble(peer, tls);
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            // What an I/O error wraps is not its source, but stands in it.
            if let Some(inner) = error.get_ref() {
                deepest = inner.to_string();
                next = Some(inner);
                continue;
            }
            deepest = plain(error);
            break;
        }
        deepest = error.to_string();
        next = error.source();
    }
    let (cause, _) = clean(&deepest, CAUSE_BYTES);
    SinkError::retry(format!("no connection to {peer}: {cause}"))
}

/// In words that need no manual; without the numbers of the system.
fn plain(error: &io::Error) -> String {
    let words = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset => "the other side reset the connection",
        io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => "the connection broke",
        io::ErrorKind::UnexpectedEof => "the other side closed the connection",
        io::ErrorKind::TimedOut => "no answer in time",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "no route to it",
        _ => return error.to_string(),
    };
    words.to_owned()
}

fn tls_trouble(peer: &str, error: &TlsError) -> SinkError {
    let blocked = |what: String| SinkError::blocked(format!("no TLS with {peer}: {what}"));
    match error {
        TlsError::InvalidCertificate(error) => blocked(certificate(error)),
        TlsError::InvalidMessage(InvalidMessage::InvalidContentType) => {
            blocked("it does not speak TLS on this port".to_owned())
        }
        TlsError::AlertReceived(alert) if is_about_us(*alert) => blocked(format!(
            "it refuses our certificate ({alert:?}): give the one it asks for with cert= and key="
        )),
        TlsError::PeerIncompatible(_)
        | TlsError::AlertReceived(
            AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion,
        ) => blocked(format!("it speaks no version that we do ({error})")),
        error => SinkError::retry(format!("no TLS with {peer}: {error}")),
    }
}

fn certificate(error: &CertificateError) -> String {
    let what = match error {
        CertificateError::UnknownIssuer => {
            "its certificate is not trusted: name the certificate of who issued it with ca="
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name: write the name that it holds, or give the \
             server one for this name"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired: renew it on the server"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet: look at the clocks"
        }
        CertificateError::Revoked => "its certificate was revoked: renew it on the server",
        other => {
            let text = other.to_string();
            let (cause, _) = clean(&text, CAUSE_BYTES);
            return format!(
                "its certificate cannot be used ({cause}): ca= names who issued it, not itself"
            );
        }
    };
    what.to_owned()
}

fn is_about_us(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(error: impl Error + Send + Sync + 'static) -> io::Error {
        io::Error::other(io::Error::other(error))
    }

    #[test]
    fn what_is_wrong_with_a_certificate_blocks_and_says_what_to_do() {
        for (error, expected) in [
            (CertificateError::UnknownIssuer, "ca="),
            (CertificateError::NotValidForName, "another name"),
            (CertificateError::Expired, "renew it"),
            (CertificateError::NotValidYet, "clocks"),
            (CertificateError::Revoked, "revoked"),
            (CertificateError::BadEncoding, "cannot be used"),
        ] {
            let error = wrapped(TlsError::InvalidCertificate(error));
            let answer = trouble("db:1", &error);
            assert!(matches!(answer, SinkError::Blocked { .. }), "{answer:?}");
            let text = answer.to_string();
            assert!(text.contains(expected) && text.contains("db:1"), "{text}");
        }
        let required = wrapped(TlsError::AlertReceived(
            AlertDescription::CertificateRequired,
        ));
        assert!(trouble("db:1", &required).to_string().contains("cert="));
    }

    #[test]
    fn all_else_may_pass_and_is_told_in_plain_words() {
        for (error, expected) in [
            (
                io::Error::from(io::ErrorKind::ConnectionRefused),
                "no connection to db:1: connection refused",
            ),
            (
                io::Error::from_raw_os_error(111),
                "no connection to db:1: connection refused",
            ),
            (
                wrapped(io::Error::from(io::ErrorKind::TimedOut)),
                "no connection to db:1: no answer in time",
            ),
            (
                io::Error::other("name\nnot known"),
                "no connection to db:1: name\\nnot known",
            ),
            (
                wrapped(TlsError::DecryptError),
                "no TLS with db:1: cannot decrypt peer's message",
            ),
        ] {
            assert_eq!(trouble("db:1", &error), SinkError::retry(expected));
        }
    }
}
