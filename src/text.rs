//! Text from outside, made safe for every format and bounded.
//!
//! # What is neutralised, and how
//!
//! A text in a record is one line of characters that can be seen. Whatever could break a line,
//! command a terminal, reorder what a person reads or hide from them is written out as the
//! escape a programmer would write: `\n`, `\r` and `\t` for the common three, else the code point
//! (`\u{1b}`, `\u{202e}`). That covers
//!
//! - control characters (C0 with NUL and ESC, DEL, C1) and the line separators U+2028, U+2029;
//! - bidirectional marks, embeddings, overrides and isolates;
//! - characters that take no room: zero width space, word joiner and invisible operators, byte
//!   order mark, soft hyphen, Mongolian vowel separator, annotation marks, tags;
//! - noncharacters, which XML and some databases refuse.
//!
//! The joiners U+200C and U+200D stay: Persian, Indic scripts and emoji need them.
//!
//! Escapes, not a replacement character: an auditor must see *what* was planted, and two names that
//! differ only in a hidden character must stay different. Not left to each format: one that forgets
//! is enough for an injection, and a NUL alone makes databases refuse a row. The backslash itself
//! is left alone, because `DOMAIN\user` must stay searchable as it is; so a text that really held
//! the six characters `\u{1b}` looks like one that held ESC. Neither can do harm.
//!
//! Text that is printable ASCII, which is nearly all of it, is only scanned, never copied.

use std::{
    borrow::{Borrow, Cow},
    fmt,
    net::IpAddr,
    ops::Deref,
};

use serde::{Deserialize, Serialize};

/// A text in a record: a name, an id, an address.
///
/// Setters take anything that can become one: `&str`, `String`, whole numbers, IP addresses. It
/// may hold anything; what is unsafe is escaped, and what is too long cut, when the record is
/// written.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text(Cow<'static, str>);

impl Text {
    /// A text known at compile time, which is never copied.
    #[must_use]
    pub const fn fixed(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it can be written as it is.
    pub(crate) fn is_clean(&self, max_bytes: usize) -> bool {
        is_clean(&self.0, max_bytes)
    }

    /// Cuts between characters, and escapes nothing.
    pub(crate) fn cut(&mut self, max_bytes: usize) {
        let kept = self.0.floor_char_boundary(max_bytes);
        if let Some(kept) = self.0.get(..kept).filter(|_| kept < self.0.len()) {
            self.0 = Cow::Owned(kept.to_owned());
        }
    }

    /// Escapes and cuts in place; answers the bytes there were if some had to be left out.
    pub(crate) fn clean(&mut self, max_bytes: usize) -> Option<usize> {
        if self.is_clean(max_bytes) {
            return None;
        }
        let original = self.0.len();
        let (cleaned, extent) = clean(&self.0, max_bytes);
        self.0 = Cow::Owned(cleaned.into_owned());
        (extent == Extent::Cut).then_some(original)
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&*self.0, f)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        *self.0 == **other
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Cow::Owned(text.to_owned()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Self(Cow::Owned(text.clone()))
    }
}

impl From<Box<str>> for Text {
    fn from(text: Box<str>) -> Self {
        Self(Cow::Owned(text.into_string()))
    }
}

impl From<Cow<'_, str>> for Text {
    fn from(text: Cow<'_, str>) -> Self {
        Self(Cow::Owned(text.into_owned()))
    }
}

impl From<&Self> for Text {
    fn from(text: &Self) -> Self {
        text.clone()
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0.into_owned()
    }
}

macro_rules! from_displayed {
    ($($displayed:ty),*) => {$(
        impl From<$displayed> for Text {
            fn from(value: $displayed) -> Self {
                Self(Cow::Owned(value.to_string()))
            }
        }
    )*};
}

from_displayed!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, IpAddr
);

/// Whether a whole text was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it.
    Whole,
    /// Its end was left out, for its length.
    Cut,
}

/// The text escaped, and cut between characters where it is longer than `max_bytes`.
///
/// Borrowed unless something had to be escaped. Cleaning twice is cleaning once.
pub(crate) fn clean(text: &str, max_bytes: usize) -> (Cow<'_, str>, Extent) {
    // Escapes only lengthen, so what lies beyond the cap need not be looked at.
    let (window, beyond) = text.split_at(text.floor_char_boundary(max_bytes));
    let harmless = harmless_prefix(window);
    if harmless < window.len() {
        return escape(text, harmless, max_bytes);
    }
    let extent = if beyond.is_empty() {
        Extent::Whole
    } else {
        Extent::Cut
    };
    (Cow::Borrowed(window), extent)
}

/// Whether a text is written as it is: nothing to escape, at most `max_bytes` long.
pub(crate) fn is_clean(text: &str, max_bytes: usize) -> bool {
    text.len() <= max_bytes && harmless_prefix(text) == text.len()
}

/// How many bytes from the start need no escape.
fn harmless_prefix(text: &str) -> usize {
    if is_plain(text.as_bytes()) {
        return text.len();
    }
    text.char_indices()
        .find(|(_, character)| is_harmful(*character))
        .map_or(text.len(), |(index, _)| index)
}

/// Whether all bytes are printable ASCII.
fn is_plain(bytes: &[u8]) -> bool {
    let printable = |byte: &u8| byte.wrapping_sub(b' ') < 0x7f - b' ';
    // Chunks are judged as a whole, without a branch per byte, so that they become vector code.
    let (chunks, rest) = bytes.as_chunks::<16>();
    let whole = |chunk: &[u8; 16]| chunk.iter().fold(true, |all, byte| all & printable(byte));
    chunks.iter().all(whole) && rest.iter().all(printable)
}

fn escape(text: &str, harmless: usize, max_bytes: usize) -> (Cow<'_, str>, Extent) {
    let (head, tail) = text.split_at(harmless);
    let mut out = String::with_capacity(text.len().saturating_add(16).min(max_bytes));
    out.push_str(head);
    for character in tail.chars() {
        let mut buffer = [0; 4];
        let escape;
        let piece: &str = match character {
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            other if is_harmful(other) => {
                escape = other.escape_unicode().to_string();
                &escape
            }
            other => other.encode_utf8(&mut buffer),
        };
        // A piece goes in whole or not at all: half an escape would be another text.
        if out.len() + piece.len() > max_bytes {
            return (Cow::Owned(out), Extent::Cut);
        }
        out.push_str(piece);
    }
    (Cow::Owned(out), Extent::Whole)
}

/// Whether a character must not be written as it is.
fn is_harmful(character: char) -> bool {
    match character {
        ' '..='~' => false,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' => true,
        // Arabic letter mark, Mongolian vowel separator, zero width space, left and right marks.
        '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' => true,
        // Separators, embeddings and overrides; joiner, operators, isolates, deprecated marks.
        '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}' => true,
        '\u{e0000}'..='\u{e007f}' => true,
        other => u32::from(other) & 0xfffe == 0xfffe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_text_is_not_copied() {
        for text in [
            "",
            "Mozilla/5.0 (X11; Linux x86_64) ~ \"quoted\" \\ back",
            "Grüße, 日本語 👩\u{200d}🚀",
        ] {
            let (cleaned, extent) = clean(text, 1000);
            assert!(
                matches!(cleaned, Cow::Borrowed(same) if same == text),
                "{cleaned:?}"
            );
            assert_eq!(extent, Extent::Whole);
        }
    }

    #[test]
    fn harmful_characters_become_visible() {
        // traps C15, C16
        for (given, expected) in [
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("nul\0", "nul\\u{0}"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("del\u{7f}\u{9b}", "del\\u{7f}\\u{9b}"),
            ("line\u{2028}para\u{2029}", "line\\u{2028}para\\u{2029}"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
            (
                "\u{2066}x\u{2069}\u{200f}\u{61c}",
                "\\u{2066}x\\u{2069}\\u{200f}\\u{61c}",
            ),
            ("ad\u{200b}min\u{feff}", "ad\\u{200b}min\\u{feff}"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
            ("\u{ffff}\u{1fffe}\u{fdd0}", "\\u{ffff}\\u{1fffe}\\u{fdd0}"),
            ("kept \u{fffd} ü \\u{1b}", "kept \u{fffd} ü \\u{1b}"),
        ] {
            assert_eq!(
                clean(given, 1000),
                (Cow::Borrowed(expected), Extent::Whole),
                "{given:?}"
            );
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_escapes() {
        for (given, max_bytes, expected) in [
            ("abcdef", 6, ("abcdef", Extent::Whole)),
            ("abcdef", 5, ("abcde", Extent::Cut)),
            ("ab日本", 6, ("ab日", Extent::Cut)),
            ("ab\0cd", 6, ("ab", Extent::Cut)),
            ("ab\0cd", 7, ("ab\\u{0}", Extent::Cut)),
            ("ab\0cd", 9, ("ab\\u{0}cd", Extent::Whole)),
            ("abcdefgh\0", 3, ("abc", Extent::Cut)),
            ("a", 0, ("", Extent::Cut)),
        ] {
            let (text, extent) = clean(given, max_bytes);
            assert_eq!((&*text, extent), expected, "{given:?} in {max_bytes}");
        }
    }

    #[test]
    fn a_text_says_how_long_it_was() {
        let mut agent = Text::from("x".repeat(1 << 20));
        assert_eq!(agent.clean(100), Some(1 << 20));
        assert_eq!(agent.len(), 100);
        assert_eq!(agent.clean(100), None);
    }

    proptest! {
        #[test]
        fn clean_text_is_printable_bounded_and_stays_as_it_is(text: String, max_bytes in 0..200_usize) {
            let (once, extent) = clean(&text, max_bytes);
            prop_assert!(once.len() <= max_bytes);
            prop_assert!(!once.chars().any(is_harmful), "{:?}", once);
            prop_assert_eq!(clean(&once, max_bytes), (once.clone(), Extent::Whole));
            if extent == Extent::Whole {
                prop_assert!(once.len() >= text.len());
            }
        }

        #[test]
        fn plain_bytes_are_exactly_printable_ascii(bytes: Vec<u8>) {
            let printable = bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
            prop_assert_eq!(is_plain(&bytes), printable);
        }
    }
}
