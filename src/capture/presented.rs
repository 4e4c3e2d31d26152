//! The session that a request presents, found when it is first asked for.

use std::sync::{Arc, OnceLock};

use http::{HeaderMap, HeaderValue, header};

use super::{cookie::of_cookies, session::RawSession};

/// How many lines of cookies are looked at. HTTP/2 may send one for each cookie (RFC 9113, section
/// 8.2.3), and browsers keep 50 cookies or a few more for a site.
const MAX_LINES: usize = 200;

/// What a request presents as its session. Most requests leave no record, so nobody looks.
#[derive(Debug, Default)]
pub(super) struct Presented {
    found: OnceLock<Option<RawSession>>,
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
    /// It is known already.
    pub(super) fn found(session: Option<RawSession>) -> Self {
        Self {
            found: OnceLock::from(session),
            cookies: None,
        }
    }

    /// It is in the cookie of this name, if there is one.
    pub(super) fn cookies(name: Arc<str>, headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(header::COOKIE).iter().cloned();
        Self {
            found: OnceLock::new(),
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
            let lines = std::iter::once(&cookies.first).chain(&cookies.others);
            RawSession::new(of_cookies(lines, cookies.name.as_bytes())?)
        };
        self.found.get_or_init(find).as_ref()
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
