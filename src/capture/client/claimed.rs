//! The header lines of a request, and their entries from the right.

use std::{borrow::Cow, net::IpAddr};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Spelling, forwarded, node};

/// Lines of the header that are looked at, the last ones. Proxies append to a line, or add one each.
pub(super) const LINES: usize = 16;

/// Entries that are looked at, from the right; chains have two or three.
pub(super) const ENTRIES: usize = 64;

/// Bytes of entries that are looked at, from the right.
pub(super) const BYTES: usize = 8 * 1024;

/// The headers that may tell of the client, as they came: cheap to take, looked at only when there
/// is a record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claimed {
    /// The last line; nearly always the only one.
    last: Option<HeaderValue>,
    /// Those before it, the nearest first.
    before: Vec<HeaderValue>,
}

/// One entry of a claimed chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// An address, without port and zone, and IPv4 as IPv4.
    Address(IpAddr),
    /// Anything else: `unknown`, `_hidden`, what is malformed.
    Other(String),
}

impl Claimed {
    pub(super) fn take(headers: &HeaderMap, name: &HeaderName) -> Self {
        let mut lines = headers.get_all(name).iter().rev().take(LINES).cloned();
        Self {
            last: lines.next(),
            before: lines.collect(),
        }
    }

    /// The entries, the last one first.
    pub(super) fn entries(&self, spelling: Spelling) -> Vec<Entry> {
        let lines = self.last.iter().chain(&self.before);
        let members = Members {
            lines: lines.map(HeaderValue::as_bytes),
            rest: None,
            bytes: BYTES,
            left: ENTRIES,
            spelling,
        };
        match spelling {
            Spelling::List => members.map(Entry::read).collect(),
            Spelling::One => members.take(1).map(Entry::read).collect(),
            Spelling::Elements => members.map(Entry::of_element).collect(),
        }
    }
}

impl Entry {
    fn read(text: &[u8]) -> Self {
        node::address(text).map_or_else(
            || Self::Other(String::from_utf8_lossy(text).into_owned()),
            Self::Address,
        )
    }

    fn of_element(element: &[u8]) -> Self {
        match forwarded::client(element) {
            Some(Cow::Borrowed(node)) => Self::read(node),
            Some(Cow::Owned(node)) => Self::read(&node),
            None => Self::Other(String::from_utf8_lossy(element).into_owned()),
        }
    }
}

/// The members of a list, from the right, those that are empty left out.
///
/// Reading from the right makes what a proxy appended independent of what stands before it: a quote
/// that the client opened and never closed cannot swallow it.
struct Members<'a, L> {
    /// The last line first.
    lines: L,
    /// What is left of the line at hand.
    rest: Option<&'a [u8]>,
    /// Bytes that may still be looked at.
    bytes: usize,
    /// Members that may still be looked at, empty ones too.
    left: usize,
    spelling: Spelling,
}

impl<'a, L: Iterator<Item = &'a [u8]>> Iterator for Members<'a, L> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let rest = self.rest.take().or_else(|| self.lines.next())?;
            self.left = self.left.checked_sub(1)?;
            let (beyond, window) = rest.split_at(rest.len().saturating_sub(self.bytes));
            let member = match last_comma(window, self.spelling) {
                Some(comma) => {
                    self.rest = rest.get(..beyond.len() + comma);
                    window.get(comma + 1..).unwrap_or_default()
                }
                None if beyond.is_empty() => window,
                None => {
                    // Half a member would be another address.
                    self.left = 0;
                    return None;
                }
            };
            self.bytes = self.bytes.saturating_sub(member.len() + 1);
            let member = member.trim_ascii();
            if !member.is_empty() {
                return Some(member);
            }
        }
    }
}

/// The last comma that separates members: in `Forwarded`, one that is not within quotes.
fn last_comma(window: &[u8], spelling: Spelling) -> Option<usize> {
    if spelling != Spelling::Elements {
        return window.iter().rposition(|byte| *byte == b',');
    }
    let mut quoted = false;
    let mut end = window.len();
    while let Some(at) = window.get(..end)?.iter().rposition(is_mark) {
        if window.get(at) == Some(&b',') {
            if !quoted {
                return Some(at);
            }
        } else if !is_escaped(window, at) {
            quoted = !quoted;
        }
        end = at;
    }
    None
}

fn is_mark(byte: &u8) -> bool {
    matches!(byte, b',' | b'"')
}

/// Whether an odd number of backslashes stands before this place.
fn is_escaped(window: &[u8], at: usize) -> bool {
    let before = window.get(..at).unwrap_or_default();
    let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\');
    backslashes.count() % 2 == 1
}
