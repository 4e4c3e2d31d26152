//! Finds secrets in text that a person, an error or `Debug` wrote.
//!
//! One walk from front to back: every byte is looked at a bounded number of times, whatever the
//! text. What is found:
//!
//! - `name=value`, `name: value`, `"name":"value"`, with names as in [`keys`](super::keys);
//! - `<name>value</name>`;
//! - `Bearer x`, `DPoP x`, `Basic x`;
//! - JSON Web Tokens (RFC 7519) and private keys in PEM (RFC 7468), whatever stands before them;
//! - `user:password@` in URLs.

mod credential;
mod pair;
mod reader;
mod value;

use super::{
    elsewhere::Found,
    names::{Names, Rule},
    redact::Mask,
};

use reader::{Reader, Span};

pub(super) use credential::basic_password;

/// Whether credentials are masked that no name announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credentials {
    Masked,
    Kept,
}

/// The text with secrets masked; `None` when there are none. What was masked is added to `found`.
pub(super) fn masked(
    text: &str,
    names: &Names,
    credentials: Credentials,
    mask: Mask<'_>,
    found: &mut Found,
) -> Option<String> {
    let mut scan = Scan {
        read: Reader { text },
        names,
        mask,
        found,
        out: String::new(),
        copied: 0,
    };
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at = match byte {
            b'=' | b':' => scan.pair(at),
            b'<' => scan.element(at),
            b'B' | b'b' | b'D' | b'd' | b'e' | b'-' if credentials == Credentials::Masked => {
                scan.credential(at)
            }
            _ => None,
        }
        .unwrap_or(at + 1);
    }
    scan.end()
}

/// One walk over a text. What is masked is written to `out` with all that comes before it.
struct Scan<'a> {
    read: Reader<'a>,
    names: &'a Names,
    mask: Mask<'a>,
    found: &'a mut Found,
    out: String,
    copied: usize,
}

impl Scan<'_> {
    /// Masks a part as its name asks for, or as a credential. Answers where to go on.
    fn hide(&mut self, span: Span, rule: Option<Rule>) -> usize {
        let (from, to) = span;
        let (before, secret) = (self.read.part((self.copied, from)), self.read.part(span));
        self.out.push_str(before);
        self.out.push_str(&self.mask.text(secret, rule));
        self.copied = to;
        to
    }

    fn end(mut self) -> Option<String> {
        if self.copied == 0 {
            return None;
        }
        self.out.push_str(self.read.rest(self.copied));
        (self.out != self.read.text).then_some(self.out)
    }
}

#[cfg(test)]
mod tests;
