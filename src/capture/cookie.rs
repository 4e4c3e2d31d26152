//! Cookies of a request and of a response (RFC 6265).

use http::{HeaderMap, HeaderValue, header};

use crate::clock::{Clock, SystemClock, Timestamp};

/// How much of a request's cookies is looked at. Servers allow less for all headers together.
pub(super) const MAX_COOKIE_BYTES: usize = 64 * 1024;

/// The first value of a cookie that is not empty (RFC 6265, section 5.4; HTTP/2 may split the
/// header into lines).
pub(super) fn of_cookies<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
    name: &[u8],
) -> Option<&'a [u8]> {
    all_of_cookies(lines, name).next()
}

/// All values of a cookie that are not empty: a browser may send several of one name, and which of
/// them a service takes is its own business.
pub(super) fn all_of_cookies<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
    name: &[u8],
) -> impl Iterator<Item = &'a [u8]> {
    let mut left = MAX_COOKIE_BYTES;
    let lines = lines.into_iter().map(move |line| {
        let line = line.as_bytes();
        let line = line.get(..left.min(line.len())).unwrap_or_default();
        left -= line.len();
        line
    });
    lines
        .flat_map(|line| line.split(|byte| *byte == b';'))
        .filter_map(pair_of)
        .filter(move |(found, value)| *found == name && !value.is_empty())
        .map(|(_, value)| value)
}

/// Name and value around the first `=`, without the blanks around them and the quotes of the value.
fn pair_of(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    let (name, value) = pair.split_at(equals);
    let value = match value.get(1..)?.trim_ascii() {
        [b'"', inner @ .., b'"'] => inner,
        bare => bare,
    };
    Some((name.trim_ascii(), value))
}

/// The value to which a response sets a cookie; `None` when it does not, or removes it.
pub(super) fn set_by<'a>(headers: &'a HeaderMap, name: &[u8]) -> Option<&'a [u8]> {
    // Of several for one name, the browser keeps the last.
    let lines = headers.get_all(header::SET_COOKIE).iter();
    let set = lines.rev().find_map(|line| SetCookie::parse(line, name))?;
    (!set.is_removal()).then_some(set.value)
}

/// What a `Set-Cookie` header says of one cookie (RFC 6265, section 5.2).
struct SetCookie<'a> {
    value: &'a [u8],
    max_age: Option<i64>,
    expires: Option<Timestamp>,
}

impl<'a> SetCookie<'a> {
    fn parse(line: &'a HeaderValue, name: &[u8]) -> Option<Self> {
        let mut parts = line.as_bytes().split(|byte| *byte == b';');
        let (found, value) = pair_of(parts.next()?)?;
        if found != name {
            return None;
        }
        let mut set = Self {
            value,
            max_age: None,
            expires: None,
        };
        for (attribute, value) in parts.filter_map(pair_of) {
            let text = std::str::from_utf8(value).unwrap_or_default();
            if attribute.eq_ignore_ascii_case(b"max-age") {
                set.max_age = text.parse().ok();
            } else if attribute.eq_ignore_ascii_case(b"expires") {
                set.expires = cookie_date(text);
            }
        }
        Some(set)
    }

    /// Whether the browser is told to forget the cookie. `Max-Age` wins over `Expires`.
    fn is_removal(&self) -> bool {
        let is_past = |at: Timestamp| at <= SystemClock::new().now();
        self.value.is_empty()
            || match self.max_age {
                Some(seconds) => seconds <= 0,
                None => self.expires.is_some_and(is_past),
            }
    }
}

/// A date of a cookie, in any of its forms: the parts are known by how they look, not by where
/// they stand (RFC 6265, section 5.1.1).
fn cookie_date(text: &str) -> Option<Timestamp> {
    let (mut day, mut month, mut year, mut time) = (None, None, None, None);
    let is_delimiter = |char: char| !char.is_ascii_alphanumeric() && char != ':';
    for token in text.split(is_delimiter).filter(|token| !token.is_empty()) {
        let number = token.parse::<u16>().ok();
        if time.is_none() && token.contains(':') {
            time = Some(token);
        } else if day.is_none() && token.len() <= 2 && number.is_some() {
            day = number;
        } else if month.is_none() && month_of(token).is_some() {
            month = month_of(token);
        } else if year.is_none() && number.is_some() {
            year = number.map(|year| match year {
                0..=69 => year + 2000,
                70..=99 => year + 1900,
                whole => whole,
            });
        }
    }
    let (day, month, year, time) = (day?, month?, year?, time?);
    if year < 1970 {
        return Some(Timestamp::MIN);
    }
    format!("{year:04}-{month:02}-{day:02}T{time}Z")
        .parse()
        .ok()
}

fn month_of(token: &str) -> Option<usize> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let start = token.get(..3)?;
    let is_it = |month: &str| start.eq_ignore_ascii_case(month);
    MONTHS
        .iter()
        .position(|month| is_it(month))
        .map(|index| index + 1)
}
