//! A secret that is planted, and searched for in everything that was written.

use std::{collections::HashSet, io, path::Path};

use crate::text::clean;

/// A planted secret.
///
/// Give [`text`](Self::text) to the code under test wherever a client could put a password, then
/// search what was written. It is found
///
/// - as it is, and inside a text of JSON: escaped as little or as much as JSON allows;
/// - as a record writes it, with control and invisible characters as visible escapes;
/// - percent-encoded, with digits of either case, and with `+` for a space;
/// - in base64 and base64url, wherever in the encoded bytes it begins; in hexadecimal.
///
/// # What is not searched
///
/// Only bytes that stand together are found, in one of these forms:
///
/// - a compressed file (`.zst`) hides everything: unpack it first, or test without compression;
/// - a database splits a long text over pages, and keeps removed rows: search what a query or an
///   export gives, not only the database's file;
/// - a hash, another encoding, or a form within another (base64 of JSON) is not known here.
///
/// ```
/// use tower_audit::{Record, testing::{Canary, TestTrail}};
///
/// let (trail, canary) = (TestTrail::start(), Canary::new("login"));
/// trail.audit().record(Record::new("user.login").failure("wrong password")).unwrap();
/// for line in trail.lines() {
///     assert_eq!(canary.find_in(line.as_bytes()), None);
/// }
/// assert!(canary.find_in(canary.text().as_bytes()).is_some());
/// ```
#[derive(Debug, Clone)]
pub struct Canary {
    text: String,
    forms: Vec<Form>,
}

impl Canary {
    /// The fewest bytes a secret may have. In base64 only its inner bytes are certain, and fewer
    /// than these stand in anything by chance.
    pub const MIN_BYTES: usize = 8;

    /// A secret that occurs nowhere else; `label` tells several of one test apart.
    #[must_use]
    pub fn new(label: &str) -> Self {
        let unique = uuid::Uuid::new_v4().simple();
        Self::of(format!("canary/{label}+{unique}"))
    }

    /// A secret of your own; long enough to occur nowhere by chance.
    ///
    /// # Panics
    ///
    /// When it has fewer than [`MIN_BYTES`](Self::MIN_BYTES): a search for it would prove nothing.
    #[must_use]
    pub fn of(text: impl Into<String>) -> Self {
        let text = text.into();
        assert!(
            text.len() >= Self::MIN_BYTES,
            "a planted secret of {} bytes stands in other data by chance; take at least {}",
            text.len(),
            Self::MIN_BYTES
        );
        let mut forms = vec![("plain", text.clone().into_bytes())];
        json_forms("JSON", &text, &mut forms);
        let (visible, _) = clean(&text, usize::MAX);
        forms.push(("visible escapes", visible.clone().into_owned().into_bytes()));
        json_forms("visible escapes in JSON", &visible, &mut forms);
        encoded_forms(text.as_bytes(), &mut forms);
        // Most secrets need no escape, and look the same in several forms.
        let mut seen = HashSet::new();
        forms.retain(|(_, form)| seen.insert(form.clone()));
        Self { text, forms }
    }

    /// The secret to plant.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The form in which the secret stands in `bytes`, if it does.
    #[must_use]
    pub fn find_in(&self, bytes: &[u8]) -> Option<&'static str> {
        let stands = |form: &[u8]| bytes.windows(form.len()).any(|window| window == form);
        self.forms
            .iter()
            .find(|(_, form)| stands(form))
            .map(|(name, _)| *name)
    }

    /// Every file below a directory in which the secret stands, and in which form.
    ///
    /// # Errors
    ///
    /// A file or directory that cannot be read: a search that saw less than everything is none.
    pub fn find_below(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                found.append(&mut self.find_below(&path)?);
            } else if let Some(form) = self.find_in(&std::fs::read(&path)?) {
                found.push(format!("{}: {form}", path.display()));
            }
        }
        Ok(found)
    }
}

type Form = (&'static str, Vec<u8>);

/// A text inside a text of JSON: as serde writes it, and as writers do that escape slashes, or all
/// that is not ASCII.
fn json_forms(name: &'static str, text: &str, forms: &mut Vec<Form>) {
    let Ok(quoted) = serde_json::to_string(text) else {
        return;
    };
    let inner = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    let units = |hex: fn(u16) -> String| {
        let mut ascii = String::new();
        for character in inner.chars() {
            if character.is_ascii() {
                ascii.push(character);
            } else {
                let mut buffer = [0; 2];
                ascii.extend(
                    character
                        .encode_utf16(&mut buffer)
                        .iter()
                        .map(|it| hex(*it)),
                );
            }
        }
        ascii
    };
    let lower = units(|unit| format!("\\u{unit:04x}"));
    let upper = units(|unit| format!("\\u{unit:04X}"));
    for form in [inner, &lower, &upper] {
        forms.push((name, form.into()));
        forms.push((name, form.replace('/', "\\/").into_bytes()));
    }
}

fn encoded_forms(bytes: &[u8], forms: &mut Vec<Form>) {
    let upper = |byte: u8| format!("%{byte:02X}");
    let lower = |byte: u8| format!("%{byte:02x}");
    for percent in [percent(bytes, upper), percent(bytes, lower)] {
        forms.push(("percent-encoded", percent.replace("%20", "+").into_bytes()));
        forms.push(("percent-encoded", percent.into_bytes()));
    }
    let mut hex = Vec::new();
    crate::evidence::write_hex(bytes, &mut hex);
    forms.push(("hexadecimal", hex.to_ascii_uppercase()));
    forms.push(("hexadecimal", hex));
    // In base64 the text may begin at any of three places; the edges depend on what is around.
    for skip in 0..3 {
        let whole = bytes.get(skip..).unwrap_or_default();
        let inner = whole.get(..whole.len() / 3 * 3).unwrap_or_default();
        forms.push(("base64", base64(inner, *b"+/")));
        forms.push(("base64url", base64(inner, *b"-_")));
    }
}

fn percent(bytes: &[u8], encode: impl Fn(u8) -> String) -> String {
    let piece = |byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(*byte).to_string()
        }
        other => encode(*other),
    };
    bytes.iter().map(piece).collect()
}

/// Whole groups of three bytes only, so that no padding is needed.
fn base64(bytes: &[u8], last: [u8; 2]) -> Vec<u8> {
    let digit = |value: u8| match value {
        0..=25 => b'A' + value,
        26..=51 => b'a' + value - 26,
        52..=61 => b'0' + value - 52,
        62 => last[0],
        _ => last[1],
    };
    let (groups, _) = bytes.as_chunks::<3>();
    groups
        .iter()
        .flat_map(|[a, b, c]| {
            [
                a >> 2,
                (a & 3) << 4 | b >> 4,
                (b & 15) << 2 | c >> 6,
                c & 63,
            ]
        })
        .map(digit)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_form() {
        let canary = Canary::of("canary/a+b=c0123456789");
        for (name, bytes) in [
            ("plain", "xx canary/a+b=c0123456789 yy"),
            ("JSON", r"canary\/a+b=c0123456789"),
            ("percent-encoded", "?q=canary%2Fa%2Bb%3Dc0123456789"),
            ("percent-encoded", "?q=canary%2fa%2bb%3dc0123456789"),
            (
                "hexadecimal",
                "63616e6172792f612b623d6330313233343536373839",
            ),
            // `printf 'canary/a+b=c0123456789' | base64`, and after one and two other bytes.
            ("base64", "Y2FuYXJ5L2ErYj1jMDEyMzQ1Njc4OQ=="),
            ("base64", "eGNhbmFyeS9hK2I9YzAxMjM0NTY3ODk="),
            ("base64", "eHhjYW5hcnkvYStiPWMwMTIzNDU2Nzg5"),
        ] {
            assert_eq!(canary.find_in(bytes.as_bytes()), Some(name), "{bytes}");
        }
        assert_eq!(canary.find_in(b"canary/a+b=c012345678"), None);
    }

    #[test]
    fn a_secret_with_special_characters_is_found_escaped() {
        let canary = Canary::of("Pa \"ss\\w\nörd\u{202e}😀/X");
        for (name, bytes) in [
            ("JSON", "Pa \\\"ss\\\\w\\nörd\u{202e}😀/X"),
            ("JSON", r#""Pa \"ss\\w\n\u00f6rd\u202e\ud83d\ude00\/X""#),
            ("JSON", r#"Pa \"ss\\w\n\u00F6rd\u202E\uD83D\uDE00/X"#),
            ("visible escapes", r#"Pa "ss\w\nörd\u{202e}😀/X"#),
            (
                "visible escapes in JSON",
                r#"Pa \"ss\\w\\nörd\\u{202e}😀/X"#,
            ),
            (
                "percent-encoded",
                "Pa%20%22ss%5cw%0a%c3%b6rd%e2%80%ae%f0%9f%98%80%2fX",
            ),
            (
                "percent-encoded",
                "Pa+%22ss%5Cw%0A%C3%B6rd%E2%80%AE%F0%9F%98%80%2FX",
            ),
        ] {
            assert_eq!(canary.find_in(bytes.as_bytes()), Some(name), "{bytes}");
        }
    }

    #[test]
    fn a_secret_is_found_in_a_record_that_carries_it() {
        let canary = Canary::of("tab\there \"and\" nul\0 end");
        let trail = crate::testing::TestTrail::start();
        let record = crate::Record::new("user.login").failure(canary.text());
        trail.audit().record(record).unwrap();
        let found: Vec<_> = trail
            .lines()
            .iter()
            .filter_map(|line| canary.find_in(line.as_bytes()))
            .collect();
        assert_eq!(found, ["visible escapes in JSON"]);
    }

    #[test]
    #[should_panic(expected = "of 7 bytes stands in other data by chance; take at least 8")]
    fn a_secret_that_is_too_short_proves_nothing() {
        let _ = Canary::of("hunter2");
    }
}
