//! One element of `Forwarded` (RFC 7239, section 4).

use std::borrow::Cow;

/// The value of `for` in an element such as `for="[2001:db8::1]:47011";proto=https`, without quotes
/// and escapes.
///
/// `None` when there is none, or two, or the element is malformed. Two liberties, which real proxies
/// need: white space around `;`, and unquoted values with `[`, `]` and `:`.
pub(super) fn client(element: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut found = None;
    let mut rest = element.trim_ascii();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(b";") {
            rest = after.trim_ascii_start();
            continue;
        }
        let (name, value, after) = pair(rest)?;
        if name.eq_ignore_ascii_case(b"for") && found.replace(value).is_some() {
            return None;
        }
        rest = after.trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b";") {
            return None;
        }
    }
    found
}

/// A name, its value, and what follows.
type Pair<'a> = (&'a [u8], Cow<'a, [u8]>, &'a [u8]);

fn pair(text: &[u8]) -> Option<Pair<'_>> {
    let (name, after) = text.split_at_checked(text.iter().position(|byte| *byte == b'=')?)?;
    let after = after.strip_prefix(b"=")?;
    if name.is_empty() || !name.iter().all(is_token_byte) {
        return None;
    }
    if let Some(quoted) = after.strip_prefix(b"\"") {
        let (value, rest) = unquote(quoted)?;
        return Some((name, value, rest));
    }
    let is_bare = |byte: &u8| is_token_byte(byte) || matches!(byte, b'[' | b']' | b':');
    let end = after.iter().position(|byte| !is_bare(byte));
    let (value, rest) = after.split_at(end.unwrap_or(after.len()));
    (!value.is_empty()).then_some((name, Cow::Borrowed(value), rest))
}

/// The text up to the closing quote, and what follows the quote.
fn unquote(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let plain = text.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    let (head, tail) = text.split_at(plain);
    if let Some(rest) = tail.strip_prefix(b"\"") {
        return Some((Cow::Borrowed(head), rest));
    }
    let mut value = head.to_vec();
    let mut bytes = tail.iter();
    loop {
        match bytes.next()? {
            b'"' => return Some((Cow::Owned(value), bytes.as_slice())),
            b'\\' => value.push(*bytes.next()?),
            other => value.push(*other),
        }
    }
}

/// RFC 9110, section 5.6.2.
const fn is_token_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_of_an_element_is_found() {
        for (given, expected) in [
            ("for=192.0.2.60", Some("192.0.2.60")),
            ("For=192.0.2.60", Some("192.0.2.60")),
            (
                "for=192.0.2.60;proto=http;by=203.0.113.43",
                Some("192.0.2.60"),
            ),
            ("by=203.0.113.43;FOR=\"_gazonk\"", Some("_gazonk")),
            (
                "for=\"[2001:db8:cafe::17]:4711\"",
                Some("[2001:db8:cafe::17]:4711"),
            ),
            ("for=[2001:db8::1]:4711", Some("[2001:db8::1]:4711")),
            ("for=\"\\1\\92.0.2.60\"", Some("192.0.2.60")),
            ("host=\"a;for=x\\\"\" ; for=unknown ;", Some("unknown")),
            (";;for=a", Some("a")),
            ("for=\"\"", Some("")),
            ("", None),
            (";", None),
            ("by=203.0.113.43", None),
            ("for=", None),
            ("for", None),
            ("for =a", None),
            ("for= a", None),
            ("for=a;for=b", None),
            ("for=\"a", None),
            ("for=\"a\\", None),
            ("for=\"a\"b", None),
            ("for=a b", None),
            ("for=a\"b\"", None),
            ("f\"or=a", None),
            ("=a", None),
        ] {
            let found = client(given.as_bytes());
            let found = found.map(|value| String::from_utf8(value.into_owned()).unwrap());
            assert_eq!(found.as_deref(), expected, "{given}");
        }
    }
}
