//! What a request proves itself with: its session, found when it is first asked for, and its
//! credentials.

use std::sync::{Arc, OnceLock};

use http::{HeaderMap, HeaderValue, header};

use super::{
    cookie::{all_of_cookies, of_cookies},
    session::RawSession,
};

/// How many lines of cookies are looked at. HTTP/2 may send one for each cookie (RFC 9113, section
/// 8.2.3), and browsers keep 50 cookies or a few more for a site.
const MAX_LINES: usize = 200;

/// Cookies of the session's name that are secrets. A record is searched for as many values.
const MAX_SECRETS: usize = 64;

/// What a request presents as its session. Most requests leave no record, so nobody looks.
#[derive(Debug, Default)]
pub(super) struct Presented {
    found: OnceLock<Option<RawSession>>,
    /// Further ones that are known already.
    others: Vec<RawSession>,
    cookies: Option<Cookies>,
}

/// Lines of cookies, and the name to look for.
struct Cookies {
    name: Arc<str>,
    /// Nearly always the only one.
    first: HeaderValue,
    others: Vec<HeaderValue>,
}

impl Presented {
    /// It is known already, and so is what else stands where it was found.
    pub(super) fn found(session: Option<RawSession>, others: Vec<RawSession>) -> Self {
        Self {
            found: OnceLock::from(session),
            others,
            cookies: None,
        }
    }

    /// It is in the cookie of this name, if there is one.
    pub(super) fn cookies(name: Arc<str>, headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(header::COOKIE).iter().cloned();
        Self {
            found: OnceLock::new(),
            others: Vec::new(),
            cookies: lines.next().map(|first| Cookies {
                name,
                first,
                others: lines.take(MAX_LINES - 1).collect(),
            }),
        }
    }

    pub(super) fn get(&self) -> Option<&RawSession> {
        let find = || {
            let cookies = self.cookies.as_ref()?;
            RawSession::new(of_cookies(cookies.lines(), cookies.name.as_bytes())?)
        };
        self.found.get_or_init(find).as_ref()
    }

    /// All that may be taken for a session by somebody: none of it may be in a record.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        let cookies = self.cookies.iter().flat_map(|cookies| {
            // As many as will be searched for.
            all_of_cookies(cookies.lines(), cookies.name.as_bytes()).take(MAX_SECRETS)
        });
        let cookies = cookies.filter_map(|value| std::str::from_utf8(value).ok());
        // Of cookies, the one that counts is among the others.
        let found = self.found.get().filter(|_| self.cookies.is_none());
        let found = found.and_then(Option::as_ref).into_iter();
        let known = found.chain(&self.others).filter_map(RawSession::as_str);
        known.chain(cookies)
    }
}

impl Cookies {
    fn lines(&self) -> impl Iterator<Item = &HeaderValue> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// What a request presents in `authorization`. There should be one line (RFC 9110, section 11.6.2),
/// and which one of more counts is for the service to say.
#[derive(Default)]
pub(super) struct Authorization {
    first: Option<HeaderValue>,
    others: Vec<HeaderValue>,
}

impl Authorization {
    pub(super) fn take(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(header::AUTHORIZATION).iter().cloned();
        Self {
            first: lines.next(),
            others: lines.take(MAX_LINES - 1).collect(),
        }
    }

    /// The credentials.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.first.iter().chain(&self.others).filter_map(credential)
    }
}

/// What comes after the scheme: `Bearer x` is the token `x`.
fn credential(value: &HeaderValue) -> Option<&str> {
    let value = std::str::from_utf8(value.as_bytes()).ok()?.trim();
    let credential = value.split_once(' ').map_or(value, |(_, rest)| rest.trim());
    (!credential.is_empty()).then_some(credential)
}

impl std::fmt::Debug for Authorization {
    /// Never the credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authorization")
    }
}

impl std::fmt::Debug for Cookies {
    /// Never the cookies.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cookies")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::session::Session, *};

    fn parts(headers: &[(&'static str, &'static str)]) -> http::request::Parts {
        let mut parts = http::Request::new(()).into_parts().0;
        for (name, value) in headers {
            parts.headers.append(*name, HeaderValue::from_static(value));
        }
        parts
    }

    #[test]
    fn every_session_of_the_name_is_a_secret_and_the_first_is_the_session() {
        let cookies = [
            ("cookie", "sid=; sid=first; a=b; sid=second"),
            ("cookie", "sid=third"),
        ];
        let lines = [("x-session", "first"), ("x-session", "Bearer second")];
        let header = Session::header(http::HeaderName::from_static("x-session"));
        for (session, headers, expected) in [
            (
                Session::cookie("sid"),
                &cookies[..],
                &["first", "second", "third"][..],
            ),
            (header, &lines[..], &["first", "second"]),
            (Session::with(|_| Some("first".to_owned())), &[], &["first"]),
            (Session::cookie("other"), &cookies, &[]),
        ] {
            let presented = session.take(&parts(headers));
            let secrets: Vec<_> = presented.secrets().collect();
            assert_eq!(secrets, expected, "{session:?}");
            let first = presented.get().and_then(RawSession::as_str);
            assert_eq!(first, expected.first().copied(), "{session:?}");
        }
    }

    #[test]
    fn a_session_that_is_too_long_is_a_secret_all_the_same() {
        let long = format!("sid={}", "x".repeat(Session::MAX_BYTES + 1));
        let mut parts = parts(&[]);
        let value = HeaderValue::try_from(long).unwrap();
        parts.headers.append(header::COOKIE, value);
        let presented = Session::cookie("sid").take(&parts);
        assert!(presented.get().is_none());
        assert_eq!(presented.secrets().count(), 1);
    }

    #[test]
    fn the_credentials_of_every_line_are_secrets() {
        let headers = [
            ("authorization", "Bearer first"),
            ("authorization", ""),
            ("authorization", "second"),
        ];
        let authorization = Authorization::take(&parts(&headers).headers);
        let secrets: Vec<_> = authorization.secrets().collect();
        assert_eq!(secrets, ["first", "second"]);
        assert_eq!(format!("{authorization:?}"), "Authorization");
    }
}
