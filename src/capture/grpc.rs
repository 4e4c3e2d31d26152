//! gRPC: the status is not the response's, but `grpc-status`, in the head or in the trailers.
//!
//! <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>

use http::{HeaderMap, StatusCode, header};

use crate::record::{Fault, Outcome};

/// A word that gRPC ends a call with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(u8);

/// The names of the codes, and the HTTP status that stands for each (google.rpc.Code).
const CODES: [(&str, u16); 17] = [
    ("OK", 200),
    ("CANCELLED", 499),
    ("UNKNOWN", 500),
    ("INVALID_ARGUMENT", 400),
    ("DEADLINE_EXCEEDED", 504),
    ("NOT_FOUND", 404),
    ("ALREADY_EXISTS", 409),
    ("PERMISSION_DENIED", 403),
    ("RESOURCE_EXHAUSTED", 429),
    ("FAILED_PRECONDITION", 400),
    ("ABORTED", 409),
    ("OUT_OF_RANGE", 400),
    ("UNIMPLEMENTED", 501),
    ("INTERNAL", 500),
    ("UNAVAILABLE", 503),
    ("DATA_LOSS", 500),
    ("UNAUTHENTICATED", 401),
];

/// The longest name of a service or of a method that is believed, in bytes.
const MAX_NAME: usize = 200;

/// Whether a message is gRPC; gRPC-Web carries its trailers in the body, so it is not.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else {
        return false;
    };
    let rest = kind.as_bytes().strip_prefix(b"application/grpc");
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// Whether a path is the full name of a method: `/package.Service/Method`.
///
/// What has another form is no name that a server can have, but may be anything.
pub(super) fn is_method(path: &str) -> bool {
    let is_name = |name: &str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let parts = name.split('.');
        name.len() <= MAX_NAME
            && parts
                .into_iter()
                .all(|it| !it.is_empty() && it.bytes().all(is_part))
    };
    let names = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    names.is_some_and(|(service, method)| is_name(service) && is_name(method))
}

/// The code that headers or trailers carry.
pub(super) fn code(headers: &HeaderMap) -> Option<Code> {
    let value = headers.get("grpc-status")?.to_str().ok()?;
    let code: u8 = value.trim().parse().unwrap_or(Code::UNKNOWN.0);
    let known = usize::from(code) < CODES.len();
    Some(if known { Code(code) } else { Code::UNKNOWN })
}

impl Code {
    /// What a call ends with that does not say its end.
    pub(super) const UNKNOWN: Self = Self(2);
    /// What a call of a method that does not exist ends with.
    pub(super) const UNIMPLEMENTED: Self = Self(12);
    /// What our own refusal says.
    pub(super) const UNAVAILABLE: Self = Self(14);

    /// Whether an answer with this code shows that there is such a method: one that refuses may come
    /// from what stands before it.
    pub(super) const fn shows_the_method(self) -> bool {
        // PERMISSION_DENIED, UNIMPLEMENTED, UNAUTHENTICATED.
        !matches!(self.0, 7 | 12 | 16)
    }

    const fn entry(self) -> (&'static str, u16) {
        let index = self.0 as usize;
        match CODES.as_slice().split_at_checked(index) {
            Some((_, [entry, ..])) => *entry,
            _ => ("UNKNOWN", 500),
        }
    }

    /// The HTTP status by which a policy knows it.
    pub(super) fn status(self) -> Option<StatusCode> {
        StatusCode::from_u16(self.entry().1).ok()
    }

    pub(super) fn outcome(self) -> Outcome {
        match self.0 {
            1 => Outcome::Cancelled,
            _ => self
                .status()
                .map_or(Outcome::Error, super::classify::outcome_of),
        }
    }

    /// What the record says of an end that is not `OK`.
    pub(super) fn fault(self) -> Option<Fault> {
        let (name, _) = self.entry();
        (self.0 != 0).then(|| Fault::default().kind("grpc").code(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().unwrap())])
    }

    #[test]
    fn only_grpc_itself_counts_as_grpc() {
        for (kind, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web+proto", false),
            ("application/json", false),
        ] {
            assert_eq!(is_grpc(&headers("content-type", kind)), expected, "{kind}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn only_what_can_be_the_name_of_a_method_is_taken_for_one() {
        for (path, expected) in [
            ("/helloworld.Greeter/SayHello", true),
            ("/Greeter/say_hello2", true),
            ("/Greeter", false),
            ("/Greeter/", false),
            ("//SayHello", false),
            ("/a..b/c", false),
            ("/a/b/c", false),
            ("/reset/T0k%2Fen", false),
            ("/users/a@example.com", false),
            ("Greeter/SayHello", false),
        ] {
            assert_eq!(is_method(path), expected, "{path}");
        }
        assert!(!is_method(&format!("/{}/b", "a".repeat(MAX_NAME + 1))));
    }

    // Trap C6: a 200 hides it.
    #[test]
    fn every_code_has_its_outcome() {
        for (value, expected) in [
            ("0", Outcome::Success),
            ("1", Outcome::Cancelled),
            ("2", Outcome::Error),
            ("3", Outcome::Failure),
            ("4", Outcome::Error),
            ("5", Outcome::Failure),
            ("7", Outcome::Denied),
            ("8", Outcome::Failure),
            ("12", Outcome::Error),
            ("13", Outcome::Error),
            ("14", Outcome::Error),
            ("16", Outcome::Denied),
            ("17", Outcome::Error),
            ("999", Outcome::Error),
            ("x", Outcome::Error),
        ] {
            let code = code(&headers("grpc-status", value)).unwrap();
            assert_eq!(code.outcome(), expected, "{value}");
            assert_eq!(code.fault().is_none(), value == "0", "{value}");
        }
    }
}
