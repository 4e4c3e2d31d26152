//! What the browser says of the reader: the language and the zone that were chosen before.

use http::{HeaderMap, header};

/// The longest value that is looked at, in bytes; names of languages and zones are shorter.
const MAX_BYTES: usize = 64;

/// The value of a cookie, if it is there and is short.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    Some(value).filter(|value| !value.is_empty() && value.len() <= MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=1; tz=Europe/Paris".parse().unwrap());
        headers.append(header::COOKIE, "lang=fr;x=".parse().unwrap());
        headers.append(header::COOKIE, "long=".parse().unwrap());
        for (name, expected) in [
            ("tz", Some("Europe/Paris")),
            ("lang", Some("fr")),
            ("x", None),
            ("t", None),
        ] {
            assert_eq!(cookie(&headers, name), expected, "{name}");
        }
    }
}
