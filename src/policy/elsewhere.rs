//! A secret that was masked in one place stands in no other place of the same record either.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

use super::{free_text::basic_password, redact::MASKED};
use crate::keyed::is_keyed_hash;

/// The shortest value that is searched for, in characters; fewer stand in anything by chance.
pub(super) const MIN_CHARS: usize = 4;

/// A shorter value, in bytes, is only found as a whole word: `test` stays in `latest`.
pub(super) const WORD_BYTES: usize = 8;

/// Different values of one record that are searched for; each costs a look at every text.
pub(super) const MAX_VALUES: usize = 64;

/// The longest value that has its encoded forms searched for too.
const MAX_ENCODED_BYTES: usize = 4096;

/// The values that were masked in a record.
#[derive(Debug, Default)]
pub(super) struct Found {
    values: Vec<String>,
}

/// Whether numbers are secrets as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    Not,
    Too,
}

impl Found {
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(String::as_str)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Adds a value with all it is made of.
    pub(super) fn add(&mut self, value: &str) {
        let value = value.trim();
        self.add_forms(value);
        // A header is a scheme and the credential, or a list of cookies.
        if let Some((scheme, rest)) = value.split_once(' ')
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !rest.trim().contains(' ')
        {
            self.add_forms(rest.trim());
        }
        if value.contains('=') {
            let values = value.split(';').filter_map(|pair| pair.split_once('='));
            for (_, value) in values
                .take(MAX_VALUES)
                .filter(|(_, value)| is_random(value))
            {
                self.add_forms(value.trim_matches('"'));
            }
        }
    }

    /// Adds a value from a sentence, whose punctuation is no part of it.
    pub(super) fn add_from_text(&mut self, value: &str) {
        let inner = value.trim_end_matches(['.', ',', '!', '?', ':', ')', ']', '}']);
        self.add(inner);
    }

    /// Adds every text in a value of JSON, and its numbers where they are secrets.
    pub(super) fn add_json(&mut self, value: &Value, numbers: Numbers) {
        // Not by recursion: a value may be nested as deep as memory allows.
        let mut left = vec![value];
        while let Some(value) = left.pop() {
            match value {
                Value::String(text) => self.add(text),
                Value::Number(number) if numbers == Numbers::Too => {
                    self.add_one(&number.to_string())
                }
                Value::Array(values) => left.extend(values),
                Value::Object(map) => left.extend(map.values()),
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
            if self.values.len() >= MAX_VALUES {
                return;
            }
        }
    }

    fn add_forms(&mut self, value: &str) {
        self.add_one(value);
        if value.len() > MAX_ENCODED_BYTES {
            return;
        }
        for form in other_forms(value) {
            self.add_one(&form);
        }
    }

    fn add_one(&mut self, value: &str) {
        if self.values.len() < MAX_VALUES
            && is_searched(value)
            && !self.values.iter().any(|other| other == value)
        {
            self.values.push(value.to_owned());
        }
    }
}

/// The same value as it may be written elsewhere: in a URL, in JSON, in clear behind base64.
fn other_forms(value: &str) -> Vec<String> {
    let mut forms = Vec::new();
    if value.contains('%')
        && let Ok(Cow::Owned(decoded)) = percent_decode_str(value).decode_utf8()
    {
        forms.push(decoded);
    }
    if value.bytes().any(|byte| !is_unreserved(byte)) {
        forms.push(utf8_percent_encode(value, RESERVED).to_string());
    }
    if value
        .bytes()
        .any(|byte| matches!(byte, b'"' | b'\\') || byte < b' ')
    {
        let json = Value::from(value).to_string();
        forms.push(json.get(1..json.len() - 1).unwrap_or_default().to_owned());
    }
    forms.extend(basic_password(value));
    forms
}

/// Needs no other form: the usual session id costs no allocation.
pub(super) fn is_plain(value: &str) -> bool {
    value.bytes().all(is_unreserved) && basic_password(value).is_none()
}

/// What a URL cannot hold as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Unreserved characters (RFC 3986, section 2.3).
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Whether a value is searched for: long enough, and not a word that says there is none.
pub(super) fn is_searched(value: &str) -> bool {
    const NO_VALUE: [&str; 29] = [
        "absent",
        "basic",
        "bearer",
        "changed",
        "deleted",
        "denied",
        "digest",
        "empty",
        "expired",
        "false",
        "hidden",
        "invalid",
        "masked",
        "missing",
        "none",
        "null",
        "password",
        "present",
        "removed",
        "required",
        "secret",
        "string",
        "text",
        "token",
        "true",
        "unchanged",
        "undefined",
        "unknown",
        "unset",
    ];
    let is_it = |word: &str| word.eq_ignore_ascii_case(value);
    let is_mark = || MASKED.contains(value) || NO_VALUE.iter().any(|word| is_it(word));
    // No word and no part of the mark is longer than the mark.
    (value.len() > MASKED.len() || value.chars().nth(MIN_CHARS - 1).is_some() && !is_mark())
        && value.chars().any(char::is_alphanumeric)
        && !is_keyed_hash(value)
}

/// Whether some part of a text looks as if chance had made it: sixteen letters, digits, `_` and `-`
/// together, two of them digits.
pub(super) fn is_random(text: &str) -> bool {
    let (mut length, mut digits) = (0_u32, 0_u32);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') {
            length += 1;
            digits += u32::from(byte.is_ascii_digit());
        } else {
            (length, digits) = (0, 0);
        }
        if length >= 16 && digits >= 2 {
            return true;
        }
    }
    false
}

/// Whether a value looks like a secret although its name says little: a one-time code of six to
/// eight digits, or something random.
pub(super) fn looks_secret(value: &str) -> bool {
    let is_code = (6..=8).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
    is_code || is_random(value)
}
