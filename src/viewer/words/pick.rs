//! Which language a reader gets.

use super::{Words, de::GERMAN, en::ENGLISH, es::SPANISH, fr::FRENCH};

/// Every language, in the order of the switch.
pub(in crate::viewer) static ALL: [&Words; 4] = [&ENGLISH, &FRENCH, &GERMAN, &SPANISH];

/// The cookie that keeps the language a reader chose.
pub(in crate::viewer) const COOKIE: &str = "tower-audit-lang";

/// The entries of an `Accept-Language` that are looked at; what stands behind them is not.
const MAX_WANTED: usize = 16;

/// The language that the address says, else the cookie, else the browser; English when none is known.
pub(in crate::viewer) fn pick(
    param: Option<&str>,
    cookie: Option<&str>,
    accept_language: Option<&str>,
) -> &'static Words {
    if let Some(param) = param.filter(|param| !param.is_empty()) {
        return named(param).unwrap_or(&ENGLISH);
    }
    cookie
        .and_then(named)
        .or_else(|| accept_language.and_then(accepted))
        .unwrap_or(&ENGLISH)
}

/// The language of a tag: `de`, `de-CH`, `DE_at`.
fn named(tag: &str) -> Option<&'static Words> {
    let primary = tag.trim().split(['-', '_']).next()?;
    ALL.into_iter()
        .find(|words| words.code.eq_ignore_ascii_case(primary))
}

/// The language that a header prefers among those there are.
fn accepted(header: &str) -> Option<&'static Words> {
    let mut best: Option<(f32, &'static Words)> = None;
    for entry in header.split(',').take(MAX_WANTED) {
        let (tag, parameters) = entry.split_once(';').unwrap_or((entry, ""));
        let weight = parameters
            .split_once("q=")
            .map_or(Some(1.0), |(_, q)| q.trim().parse::<f32>().ok())
            .filter(|weight| *weight > 0.0);
        let (Some(weight), Some(words)) = (weight, named(tag)) else {
            continue;
        };
        if best.is_none_or(|(least, _)| weight > least) {
            best = Some((weight, words));
        }
    }
    best.map(|(_, words)| words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_goes_before_the_cookie_and_the_cookie_before_the_browser() {
        for (param, cookie, header, expected) in [
            (None, None, None, "en"),
            (Some("fr"), Some("de"), Some("es"), "fr"),
            (Some("FR-ca"), None, None, "fr"),
            (None, Some("de"), Some("es"), "de"),
            (None, Some("tlh"), Some("es"), "es"),
            (Some("tlh"), Some("de"), Some("es"), "en"),
            (Some(""), Some("de"), None, "de"),
            (None, None, Some("da, de;q=0.7, es;q=0.9"), "es"),
            (None, None, Some("fr;q=0, de-CH;q=0.1"), "de"),
            (None, None, Some("fr;q=x, *;q=0.5"), "en"),
            (None, None, Some(";;,,q=;\u{0}"), "en"),
        ] {
            let picked = pick(param, cookie, header).code;
            assert_eq!(picked, expected, "{param:?} {cookie:?} {header:?}");
        }
    }
}
