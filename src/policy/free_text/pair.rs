//! `name=value` in all its spellings, and `<name>value</name>`.

use super::{
    Scan,
    value::{Shape, Value},
};
use crate::policy::{
    elsewhere::looks_secret,
    keys::Hides,
    names::{Rule, Treatment},
};

/// How far back a name is looked for, and how long an element's may be.
const MAX_NAME_BYTES: usize = 64;

/// How much of a value is looked at to tell whether it looks like a secret.
const MAX_LOOK_BYTES: usize = 128;

/// What stands before `=` or `:`.
struct Name {
    rule: Rule,
    is_quoted: bool,
    /// It is a parameter of a URL.
    is_parameter: bool,
}

impl Scan<'_> {
    /// At a `=` or `:`. Masks the value behind it when the name before it asks for that; answers
    /// where to go on.
    pub(super) fn pair(&mut self, at: usize) -> Option<usize> {
        let read = self.read;
        let is_colon = read.byte(at) == Some(b':');
        if is_colon && read.rest(at).starts_with("://") {
            return self.url(at + 3);
        }
        // `path::to` and `a == b` say nothing of a value; `name => value` and `name := value` do.
        let mut start = at + 1;
        match (is_colon, read.byte(start)) {
            (true, Some(b':')) | (false, Some(b'=')) => return Some(start + 1),
            (true, Some(b'=')) | (false, Some(b'>')) => start += 1,
            _ => {}
        }
        let name = self.name_before(at)?;
        if !self.may_hide(&name, start) {
            return None;
        }
        let value = read.value(start, name.rule.hides)?;
        let text = read.part(value.span);
        if value.shape == Shape::Bare
            && !name.is_parameter
            && is_harmless(&name, &value, text, is_colon)
        {
            return None;
        }
        // A word of a sentence is masked, but not searched for elsewhere.
        if !(is_colon && value.shape == Shape::Bare && is_plain_word(text)) {
            self.found.add_from_text(text);
        }
        Some(self.hide(value.span, Some(name.rule)))
    }

    fn name_before(&self, at: usize) -> Option<Name> {
        let read = self.read;
        let mut end = at;
        for _ in 0..2 {
            if matches!(read.before(end), Some(b' ' | b'\t')) {
                end -= 1;
            }
        }
        let is_quoted = matches!(read.before(end), Some(b'"' | b'\'' | b'`'));
        if is_quoted {
            end -= 1;
            // In JSON within JSON the quote has backslashes before it.
            while read.before(end) == Some(b'\\') && at - end < 8 {
                end -= 1;
            }
        }
        let least = at.saturating_sub(MAX_NAME_BYTES);
        let mut from = end;
        while from > least && read.before(from).is_some_and(is_name_byte) {
            from -= 1;
        }
        let name = read.part((read.text.ceil_char_boundary(from), end));
        // `user[password]=x`, with its brackets as they are sent in a URL.
        let encoded = name
            .strip_suffix("%5D")
            .or_else(|| name.strip_suffix("%5d"));
        let rule = self.names.find(encoded.unwrap_or(name))?;
        let is_parameter = matches!(read.before(from), Some(b'?' | b'&' | b';' | b'#'));
        (rule.treatment != Treatment::Allow).then_some(Name {
            rule,
            is_quoted,
            is_parameter,
        })
    }

    /// Whether a value that begins here is hidden, as far as its name says. A name that says little
    /// is looked at closer, but not far: what is not hidden will be walked through once more.
    fn may_hide(&self, name: &Name, start: usize) -> bool {
        let looks_secret = || {
            let near = self.read.up_to(start, MAX_LOOK_BYTES);
            let value = near.value(start, Hides::Opaque);
            value.is_some_and(|value| looks_secret(near.part(value.span)))
        };
        match name.rule.hides {
            Hides::Query => name.is_parameter,
            Hides::Opaque => name.is_parameter || looks_secret(),
            Hides::Texts | Hides::Digits | Hides::Line | Hides::All => true,
        }
    }

    /// At a `<`. Masks the text of an element of a sensitive name.
    pub(super) fn element(&mut self, at: usize) -> Option<usize> {
        let read = self.read;
        let end = read.run(at + 1, |byte| {
            is_name_byte(byte) && byte != b' ' || byte == b':'
        });
        let name = read.part((at + 1, end));
        if read.byte(end) != Some(b'>') || name.len() > MAX_NAME_BYTES {
            return None;
        }
        let close = read.run(end + 1, |byte| byte != b'<');
        let span = (end + 1, close);
        if !read.rest(close).starts_with("</") || !read.is_secret(span) {
            return None;
        }
        let rule = self.names.find(name).filter(|rule| {
            rule.treatment != Treatment::Allow
                && !matches!(rule.hides, Hides::Query | Hides::Opaque)
        })?;
        self.found.add_from_text(read.part(span));
        Some(self.hide(span, Some(rule)))
    }
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'_' | b'-' | b'.' | b' ' | b'[' | b']' | b'%' | b'$' | b'@'
        )
        || byte >= 0x80
}

/// Whether a value without quotes is none at all, or no secret.
fn is_harmless(name: &Name, value: &Value, text: &str, is_colon: bool) -> bool {
    if matches!(
        text,
        "true" | "false" | "null" | "None" | "nil" | "undefined"
    ) {
        return true;
    }
    let hides = name.rule.hides;
    // `"tokens": 3` is JSON's number; `password=12345678` has no other way to be written.
    let is_number = || name.is_quoted && text.parse::<f64>().is_ok();
    if matches!(hides, Hides::Texts | Hides::Line) && is_number() {
        return true;
    }
    // "token: must not be empty" is a sentence, and so is "authorization: denied".
    let is_sentence = || is_of_sentence(text) || hides == Hides::Line && is_plain_word(text);
    is_colon && value.is_spaced && is_sentence()
}

/// A word as a sentence has it.
fn is_plain_word(text: &str) -> bool {
    text.len() < 16
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || b",.".contains(&byte))
}

/// Words that follow a colon when it is not a value that follows.
fn is_of_sentence(text: &str) -> bool {
    let word = text.trim_end_matches([',', '.', ';']);
    matches!(
        word,
        "a" | "an"
            | "are"
            | "at"
            | "but"
            | "cannot"
            | "could"
            | "does"
            | "expected"
            | "expired"
            | "failed"
            | "found"
            | "has"
            | "in"
            | "incorrect"
            | "invalid"
            | "is"
            | "it"
            | "malformed"
            | "may"
            | "mismatch"
            | "missing"
            | "must"
            | "no"
            | "not"
            | "of"
            | "only"
            | "required"
            | "should"
            | "the"
            | "this"
            | "to"
            | "too"
            | "unknown"
            | "was"
            | "wrong"
    )
}
