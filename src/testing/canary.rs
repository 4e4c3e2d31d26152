//! A secret that is planted, and searched for in everything that was written.

use std::{io, path::Path};

/// A planted secret.
///
/// Give [`text`](Self::text) to the code under test wherever a client could put a password, then
/// search what was written. It is found in plain, JSON-escaped, percent-encoded, base64 and
/// hexadecimal form.
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
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Canary {
    /// A secret that occurs nowhere else; `label` tells several of one test apart.
    #[must_use]
    pub fn new(label: &str) -> Self {
        let unique = uuid::Uuid::new_v4().simple();
        Self::of(format!("canary/{label}+{unique}"))
    }

    /// A secret of your own; long enough to occur nowhere by chance.
    #[must_use]
    pub fn of(text: impl Into<String>) -> Self {
        let text = text.into();
        let bytes = text.as_bytes();
        let mut hex = Vec::new();
        crate::evidence::write_hex(bytes, &mut hex);
        let percent: String = bytes.iter().map(|byte| percent(*byte)).collect();
        let mut forms = vec![
            ("plain", bytes.to_vec()),
            (
                "JSON with escaped slashes",
                text.replace('/', "\\/").into_bytes(),
            ),
            ("percent-encoded", percent.clone().into_bytes()),
            ("percent-encoded", percent.to_lowercase().into_bytes()),
            ("hexadecimal", hex.clone()),
            ("hexadecimal", hex.to_ascii_uppercase()),
        ];
        // In base64 the text may begin at any of three places; the edges depend on what is around.
        for skip in 0..3 {
            let whole = bytes.get(skip..).unwrap_or_default();
            let inner = whole.get(..whole.len() / 3 * 3).unwrap_or_default();
            forms.push(("base64", base64(inner, *b"+/")));
            forms.push(("base64url", base64(inner, *b"-_")));
        }
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

fn percent(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    }
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
            ("JSON with escaped slashes", r"canary\/a+b=c0123456789"),
            ("percent-encoded", "?q=canary%2Fa%2Bb%3Dc0123456789"),
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
}
