//! Where a value behind `=` or `:` ends.

use super::reader::{Reader, Span};
use crate::policy::{keys::Hides, redact::is_masked};

/// A value and how it is written.
pub(super) struct Value {
    pub(super) span: Span,
    pub(super) shape: Shape,
    /// There is a blank before it.
    pub(super) is_spaced: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Quoted,
    Bare,
}

/// Blanks that may stand before a value.
const MAX_BLANKS: usize = 8;

impl Reader<'_> {
    /// The value that begins here or behind a few blanks, unless it is empty or masked already.
    pub(super) fn value(self, start: usize, hides: Hides) -> Option<Value> {
        let from = self.run(start, |byte| matches!(byte, b' ' | b'\t'));
        if from - start > MAX_BLANKS {
            return None;
        }
        let is_spaced = from > start;
        let quoted = self.quoted(from);
        let (span, shape) = match quoted {
            Some(span) => (span, Shape::Quoted),
            None => ((from, self.bare_end(from, hides)), Shape::Bare),
        };
        self.is_secret(span).then_some(Value {
            span,
            shape,
            is_spaced,
        })
    }

    /// What stands between quotes that open here, also with backslashes before them, or as in
    /// `b"…"`, `r#"…"#`. A quote that is not closed goes up to the end.
    fn quoted(self, from: usize) -> Option<Span> {
        let letters = self
            .run(from, |byte| matches!(byte, b'b' | b'r' | b'u'))
            .min(from + 2);
        let open = self.run(letters, |byte| byte == b'#').min(letters + 4);
        let slashes = self.run(open, |byte| byte == b'\\').min(open + 7);
        let quote = self
            .byte(slashes)
            .filter(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
        let inner = slashes + 1;
        if slashes > open {
            // Within a text that is quoted itself: the same backslashes end it.
            let closing = self.part((open, inner));
            let length = self.rest(inner).find(closing);
            return Some((
                inner,
                length.map_or(self.text.len(), |length| inner + length),
            ));
        }
        let mut at = inner;
        while let Some(byte) = self.byte(at) {
            match byte {
                b'\\' => at += 1,
                _ if byte == quote => return Some((inner, at)),
                _ => {}
            }
            at += 1;
        }
        Some((inner, self.text.len()))
    }

    fn bare_end(self, from: usize, hides: Hides) -> usize {
        let mut at = from;
        while let Some(byte) = self.byte(at) {
            match byte {
                b'(' | b'[' | b'{' => at = self.balanced(at),
                _ if self.ends_value(at, byte) => break,
                _ => at += 1,
            }
        }
        let end = at.min(self.text.len());
        let first = self.part((from, end));
        if hides == Hides::Line && (is_scheme(first) || first.contains('=')) {
            let has_quotes = has_parameters(first);
            let ends = |byte| matches!(byte, b'\n' | b'\r') || byte == b'"' && !has_quotes;
            return self.run(end, |byte| !ends(byte));
        }
        // `Password { inner: "x" }`, as `Debug` writes it.
        let is_type = first.starts_with(|char: char| char.is_ascii_uppercase())
            && first.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match self.part((end, end + 2)) {
            " {" | " (" if is_type => self.balanced(end + 1),
            _ => end,
        }
    }

    /// Whether a value without quotes ends before this byte.
    fn ends_value(self, at: usize, byte: u8) -> bool {
        match byte {
            b'<' | b'&' | b';' => true,
            // Not the apostrophe within a word.
            b'"' | b'\'' | b'`' => !self
                .byte(at + 1)
                .is_some_and(|byte| byte.is_ascii_alphanumeric()),
            b'\\' => matches!(self.byte(at + 1), Some(b'"' | b'\'')),
            b',' => self.is_end(at + 1) || self.is_name_of_next(at + 1),
            b')' | b']' | b'}' => {
                self.is_end(at + 1)
                    || matches!(
                        self.byte(at + 1),
                        Some(b')' | b']' | b'}' | b',' | b';' | b'.' | b'"')
                    )
            }
            _ => byte.is_ascii_whitespace(),
        }
    }

    /// Whether there is something to mask that is not masked yet.
    pub(super) fn is_secret(self, span: Span) -> bool {
        let text = self.part(span);
        !text.trim().is_empty() && !is_masked(text)
    }

    fn is_end(self, at: usize) -> bool {
        self.byte(at).is_none_or(|byte| byte.is_ascii_whitespace())
    }

    /// Whether a short name with `=` or `:` behind it begins here, as in `password=x,user=y`.
    fn is_name_of_next(self, at: usize) -> bool {
        let is_name = |byte: u8| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'_' | b'-' | b'.' | b'"' | b'\'' | b'\\')
        };
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        let length = rest
            .iter()
            .take(32)
            .take_while(|byte| is_name(**byte))
            .count();
        length > 0 && matches!(rest.get(length), Some(b'=' | b':'))
    }

    /// Behind the bracket that closes the one here; the end if none does.
    fn balanced(self, from: usize) -> usize {
        let (mut at, mut depth, mut in_text) = (from, 0_usize, false);
        while let Some(byte) = self.byte(at) {
            at += 1;
            match byte {
                b'\\' => at += 1,
                b'"' => in_text = !in_text,
                b'(' | b'[' | b'{' if !in_text => depth += 1,
                b')' | b']' | b'}' if !in_text => {
                    depth -= 1;
                    if depth == 0 {
                        return at;
                    }
                }
                _ => {}
            }
        }
        self.text.len()
    }
}

/// Names of authentication schemes (IANA), and some that are common.
fn is_scheme(word: &str) -> bool {
    const SCHEMES: [&str; 13] = [
        "basic",
        "bearer",
        "digest",
        "dpop",
        "gnap",
        "hoba",
        "mutual",
        "negotiate",
        "ntlm",
        "token",
        "apikey",
        "hawk",
        "aws4-hmac-sha256",
    ];
    SCHEMES
        .iter()
        .any(|scheme| scheme.eq_ignore_ascii_case(word))
}

/// Schemes whose credentials are a list of parameters, some in quotes.
fn has_parameters(scheme: &str) -> bool {
    const SCHEMES: [&str; 4] = ["digest", "hawk", "mutual", "aws4-hmac-sha256"];
    SCHEMES
        .iter()
        .any(|other| other.eq_ignore_ascii_case(scheme))
}
