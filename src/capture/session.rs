//! The session of a request: where its id is, and its keyed hash.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};

use super::{cookie, presented::Presented};

/// Where the id of a session is found. It is only ever written as a keyed hash.
///
/// An id is taken as the client sends it, without the quotes of a cookie and without `Bearer`
/// before it in a header; what `tower-audit session-hash` is given must be the same. One longer
/// than [`MAX_BYTES`](Self::MAX_BYTES) is none.
///
/// ```
/// use tower_audit::capture::Session;
///
/// let by_cookie = Session::cookie("sid");
/// let by_header = Session::header(http::header::AUTHORIZATION);
/// let by_closure = Session::with(|parts| {
///     let signed = parts.headers.get("x-session")?.to_str().ok()?;
///     Some(signed.split('.').next()?.to_owned())
/// });
/// # let _ = (by_cookie, by_header, by_closure);
/// ```
#[derive(Clone)]
#[must_use]
pub struct Session {
    from: From,
}

#[derive(Clone)]
enum From {
    Cookie(Arc<str>),
    Header(HeaderName),
    Closure(Arc<Find>),
}

/// Lines of a header after the first that are looked at.
const MAX_FURTHER: usize = 63;

type Find = dyn Fn(&Parts) -> Option<String> + Send + Sync;

/// The id of a session as the client presents it: a live credential.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RawSession(Bytes);

impl Session {
    /// The longest id of a session: 4096 bytes, the longest cookie that browsers keep (RFC 6265,
    /// section 6.1).
    pub const MAX_BYTES: usize = 4096;

    /// The value of the cookie of this name, the first that is not empty.
    ///
    /// When the response sets the cookie, the record takes the new session and keeps the old one as
    /// `previous_session_id`.
    pub fn cookie(name: impl Into<String>) -> Self {
        let name: String = name.into();
        Self {
            from: From::Cookie(name.into()),
        }
    }

    /// The value of the header of this name, the first if there are several; of `Bearer x`, the `x`.
    pub const fn header(name: HeaderName) -> Self {
        Self {
            from: From::Header(name),
        }
    }

    /// What a closure finds in the request. It is called once for each request, on its arrival.
    pub fn with(find: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        Self {
            from: From::Closure(Arc::new(find)),
        }
    }

    /// Takes what a request presents; of cookies only the lines are shared, and read for a record.
    pub(super) fn take(&self, parts: &Parts) -> Presented {
        match &self.from {
            From::Cookie(name) => Presented::cookies(Arc::clone(name), &parts.headers),
            From::Header(name) => {
                let mut lines = parts.headers.get_all(name).iter();
                let first = lines.next().and_then(of_header);
                let others = lines.take(MAX_FURTHER).filter_map(of_header);
                Presented::found(first, others.collect())
            }
            From::Closure(_) => Presented::found(self.of_request(parts), Vec::new()),
        }
    }

    /// The session that a request presents.
    pub(crate) fn of_request(&self, parts: &Parts) -> Option<RawSession> {
        match &self.from {
            From::Cookie(name) => {
                let lines = parts.headers.get_all(header::COOKIE);
                RawSession::new(cookie::of_cookies(lines, name.as_bytes())?)
            }
            From::Header(name) => of_header(parts.headers.get(name)?),
            From::Closure(find) => RawSession::new(find(parts)?.as_bytes()),
        }
    }

    /// The session that a response sets, if it sets one. A cookie that is removed is none.
    pub(crate) fn of_response(&self, headers: &HeaderMap) -> Option<RawSession> {
        let From::Cookie(name) = &self.from else {
            return None;
        };
        RawSession::new(cookie::set_by(headers, name.as_bytes())?)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.from {
            From::Cookie(name) => f.debug_tuple("Session::cookie").field(name).finish(),
            From::Header(name) => f.debug_tuple("Session::header").field(name).finish(),
            From::Closure(_) => f.write_str("Session::with"),
        }
    }
}

impl RawSession {
    pub(super) fn new(id: &[u8]) -> Option<Self> {
        let fits = (1..=Session::MAX_BYTES).contains(&id.len());
        fits.then(|| Self(Bytes::copy_from_slice(id)))
    }

    /// The bytes to hash, and to look for in the record.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same as text, if it is one.
    pub(crate) fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for RawSession {
    /// Never the id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawSession")
    }
}

fn of_header(value: &HeaderValue) -> Option<RawSession> {
    RawSession::new(without_bearer(value.as_bytes().trim_ascii()))
}

fn without_bearer(value: &[u8]) -> &[u8] {
    match value.split_at_checked(6) {
        Some((scheme, rest @ [b' ' | b'\t', ..])) if scheme.eq_ignore_ascii_case(b"bearer") => {
            rest.trim_ascii_start()
        }
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::new(());
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request
                .headers_mut()
                .append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        request.into_parts().0
    }

    fn text(session: Option<RawSession>) -> Option<String> {
        session.map(|session| session.as_str().unwrap().to_owned())
    }

    #[test]
    fn a_cookie_is_found_by_its_exact_name_on_any_line() {
        for (lines, expected) in [
            (&["sid=abc"][..], Some("abc")),
            (&["a=b; sid=abc; c=d"], Some("abc")),
            (&["a=b;sid = abc ;c=d"], Some("abc")),
            (&[r#"sid="abc""#], Some("abc")),
            (&["a=b", "c=d; sid=abc"], Some("abc")),
            (&["sid=a=b=="], Some("a=b==")),
            (&["sid=first; sid=second"], Some("first")),
            (&["sid=; sid=second"], Some("second")),
            (&["SID=abc; xsid=1; sidx=2; sid"], None),
            (&["", ";;;", "=", "=x", r#"sid="""#], None),
            (&[r#"sid=""#], Some("\"")),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| ("cookie", *line)).collect();
            let found = text(Session::cookie("sid").of_request(&parts(&lines)));
            assert_eq!(found.as_deref(), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_header_is_taken_without_its_scheme() {
        let session = Session::header(header::AUTHORIZATION);
        for (value, expected) in [
            ("Bearer abc", Some("abc")),
            ("bEARER   abc", Some("abc")),
            ("abc", Some("abc")),
            ("Bearerabc", Some("Bearerabc")),
            ("Bearer", Some("Bearer")),
            ("Basic abc", Some("Basic abc")),
            ("", None),
        ] {
            let found = text(session.of_request(&parts(&[("authorization", value)])));
            assert_eq!(found.as_deref(), expected, "{value}");
        }
        assert_eq!(text(session.of_request(&parts(&[]))), None);
    }

    #[test]
    fn a_closure_finds_what_no_rule_can() {
        let session = Session::with(|parts| {
            let value = parts.headers.get("x-session")?.to_str().ok()?;
            Some(value.split('.').next()?.to_owned())
        });
        let found = session.of_request(&parts(&[("x-session", "abc.signature")]));
        assert_eq!(text(found).as_deref(), Some("abc"));
        assert_eq!(text(session.of_request(&parts(&[]))), None);
    }

    #[test]
    fn an_id_that_is_too_long_is_none_and_work_is_bounded() {
        // Trap C15: whatever a client sends, the work has an end.
        let session = Session::cookie("sid");
        let longest = "x".repeat(Session::MAX_BYTES);
        let cookie = format!("sid={longest}");
        assert_eq!(
            text(session.of_request(&parts(&[("cookie", &cookie)]))),
            Some(longest)
        );
        let cookie = format!("{cookie}x");
        assert_eq!(
            text(session.of_request(&parts(&[("cookie", &cookie)]))),
            None
        );
        let much = format!("{}; sid=abc", "a=b;".repeat(cookie::MAX_COOKIE_BYTES / 4));
        assert_eq!(text(session.of_request(&parts(&[("cookie", &much)]))), None);
        let lines = vec![("cookie", "a=b; c=d"); 10_000];
        assert_eq!(text(session.of_request(&parts(&lines))), None);
    }

    #[test]
    fn a_response_sets_a_session_or_removes_it() {
        for (lines, expected) in [
            (&["sid=new; Path=/; HttpOnly"][..], Some("new")),
            (&["other=x", r#"sid="new"; Max-Age=3600"#], Some("new")),
            (&["sid=old", "sid=new"], Some("new")),
            (
                &["sid=new; Expires=Wed, 21 Oct 2099 07:28:00 GMT"],
                Some("new"),
            ),
            (&["sid=new; Expires=nonsense; Max-Age=x"], Some("new")),
            (
                &["sid=new; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"],
                Some("new"),
            ),
            (&["sid=; Path=/"], None),
            (&["sid=deleted; Max-Age=0"], None),
            (&["sid=deleted; max-age=-1"], None),
            (
                &["sid=deleted; Expires=Thu, 01 Jan 1970 00:00:00 GMT"],
                None,
            ),
            (
                &["sid=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT"],
                None,
            ),
            (
                &["sid=deleted; expires=Thursday, 01-Jan-70 00:00:01 GMT"],
                None,
            ),
            (&["sid=deleted; expires=Thu Jan  1 00:00:01 1970"], None),
            (
                &["sid=deleted; expires=Mon, 01-Jan-1601 00:00:00 GMT"],
                None,
            ),
            (&["sid=new", "sid=; Max-Age=0"], None),
            (&["SID=new", "xsid=new"], None),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| ("set-cookie", *line)).collect();
            let headers = parts(&lines).headers;
            let found = text(Session::cookie("sid").of_response(&headers));
            assert_eq!(found.as_deref(), expected, "{lines:?}");
            let by_header = Session::header(HeaderName::from_static("sid"));
            assert_eq!(text(by_header.of_response(&headers)), None);
        }
    }

    #[test]
    fn what_is_printed_of_a_session_is_where_it_is() {
        // Trap C14: an id in a log is a live credential.
        let session = Session::cookie("sid");
        let raw = session.of_request(&parts(&[("cookie", "sid=planted")]));
        assert_eq!(format!("{raw:?}"), "Some(RawSession)");
        assert_eq!(format!("{session:?}"), r#"Session::cookie("sid")"#);
        let by_closure = Session::with(|_| Some("planted".to_owned()));
        assert_eq!(format!("{by_closure:?}"), "Session::with");
    }
}
