//! The search for values that were masked, or that must not be in a record, in all its texts.

use serde_json::{Map, Value};

use super::{
    elsewhere::{Found, WORD_BYTES, is_plain, is_random, is_searched},
    redact::{DEPTH, MASKED},
};
use crate::{
    keyed::{HashKey, Purpose, is_keyed_hash},
    record::{Action, Actor, Record},
    text::Text,
};

/// What a client presented is searched for in the ids of things from this length on. It may present
/// what it likes, and could hide which document it deleted by a cookie with that document's id.
pub(super) const MIN_PRESENTED_ID_BYTES: usize = 16;

/// What a text is, which decides what of it may be hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What somebody wrote: the value in it is masked.
    Prose,
    /// What stands for a thing or a person: it becomes a keyed hash, by which it can still be told
    /// from others and be searched for.
    Id,
    /// A word of the service: `user.login`, `document`. Nobody may hide it by choosing the same word
    /// as a password, so only random values are masked in it.
    Word,
}

/// A value that must not be in a record.
#[derive(Debug, Clone, Copy)]
struct Needle<'a> {
    value: &'a str,
    /// It came from the client, not from the record.
    is_presented: bool,
}

/// The values that must not be in a record, the longest first.
struct Needles<'a> {
    all: &'a [Needle<'a>],
    key: &'a HashKey,
}

/// Values of a request that fit without an allocation: its session and its authorization.
const FEW: usize = 4;

/// Masks all values in all texts of a record. True when there were any.
pub(super) fn mask(record: &mut Record, key: &HashKey, found: &Found, secrets: &[&str]) -> bool {
    let usable = || secrets.iter().copied().filter(|secret| is_searched(secret));
    let none = Needle {
        value: "",
        is_presented: true,
    };
    let (mut few, mut count, mut fits) = ([none; FEW], 0, found.is_empty());
    for value in usable() {
        match few.get_mut(count) {
            Some(place) if fits && is_plain(value) => place.value = value,
            _ => fits = false,
        }
        count += 1;
    }
    if fits {
        let all = few.get(..count).unwrap_or_default();
        return !all.is_empty() && Needles { all, key }.mask(record);
    }
    let mut presented = Found::default();
    for secret in usable() {
        presented.add(secret);
    }
    let said = found.values().map(|value| (value, false));
    let presented = presented.values().map(|value| (value, true));
    let both = said.chain(presented);
    let needle = |(value, is_presented)| Needle {
        value,
        is_presented,
    };
    let mut all: Vec<_> = both.map(needle).collect();
    all.sort_by_key(|needle| std::cmp::Reverse(needle.value.len()));
    let all = &all;
    Needles { all, key }.mask(record)
}

impl Needles<'_> {
    fn mask(&self, record: &mut Record) -> bool {
        let mut hit = false;
        if let Some(masked) = self.masked(record.action.as_str(), Kind::Word) {
            record.action = Action::from(masked);
            hit = true;
        }
        hit |= self.option(&mut record.category, Kind::Word);
        hit |= self.option(&mut record.reason, Kind::Prose);
        if let Some(error) = &mut record.error {
            hit |= self.option(&mut error.kind, Kind::Word);
            hit |= self.option(&mut error.code, Kind::Word);
            hit |= self.option(&mut error.message, Kind::Prose);
        }
        hit |= self.actors(record);
        hit |= self.things(record);
        hit |= self.context(record);
        for change in &mut record.changes {
            hit |= self.text(&mut change.field, Kind::Word);
            for value in [&mut change.previous, &mut change.current]
                .into_iter()
                .flatten()
            {
                hit |= self.value(value, DEPTH);
            }
        }
        hit |= self.map(&mut record.details, DEPTH);
        let is_clean = |path: &str| self.masked(path, Kind::Word).is_none();
        record.truncated.retain(|path, _| is_clean(path));
        hit
    }

    fn actors(&self, record: &mut Record) -> bool {
        let (mut hit, mut next) = (false, record.actor.as_mut());
        while let Some(actor) = next {
            hit |= self.actor(actor);
            next = actor.on_behalf_of.as_deref_mut();
        }
        hit
    }

    fn actor(&self, actor: &mut Actor) -> bool {
        let mut hit = self.option(&mut actor.id, Kind::Id);
        hit |= self.option(&mut actor.name, Kind::Prose);
        hit |= self.option(&mut actor.email, Kind::Prose);
        hit |= self.option(&mut actor.claimed, Kind::Prose);
        hit |= self.option(&mut actor.auth_method, Kind::Word);
        if let Some(credential) = &mut actor.credential {
            hit |= self.text(&mut credential.kind, Kind::Word);
            hit |= self.option(&mut credential.id, Kind::Id);
        }
        hit
    }

    fn things(&self, record: &mut Record) -> bool {
        let mut hit = false;
        for target in &mut record.targets {
            hit |= self.text(&mut target.kind, Kind::Word);
            hit |= self.option(&mut target.id, Kind::Id);
            hit |= self.option(&mut target.name, Kind::Prose);
        }
        if let Some(tenant) = &mut record.tenant {
            hit |= self.option(&mut tenant.id, Kind::Id);
            hit |= self.option(&mut tenant.name, Kind::Prose);
            hit |= self.option(&mut tenant.domain, Kind::Prose);
        }
        if let Some(application) = &mut record.application {
            hit |= self.option(&mut application.id, Kind::Id);
            hit |= self.option(&mut application.name, Kind::Prose);
        }
        hit
    }

    fn context(&self, record: &mut Record) -> bool {
        let (context, mut hit) = (&mut record.context, false);
        for address in [&mut context.ip_address, &mut context.peer_address] {
            // Nobody hides an address by presenting it as a session.
            if !address.as_deref().is_none_or(is_address) {
                hit |= self.option(address, Kind::Prose);
            }
        }
        for text in [
            &mut context.user_agent,
            &mut context.session_id,
            &mut context.previous_session_id,
            &mut context.request_id,
            &mut context.trace_id,
            &mut context.span_id,
        ] {
            hit |= self.option(text, Kind::Prose);
        }
        for address in &mut context.forwarded {
            hit |= self.text(address, Kind::Prose);
        }
        if let Some(http) = &mut context.http {
            hit |= self.option(&mut http.method, Kind::Word);
            hit |= self.option(&mut http.route, Kind::Word);
        }
        hit
    }

    fn option(&self, text: &mut Option<Text>, kind: Kind) -> bool {
        text.as_mut().is_some_and(|text| self.text(text, kind))
    }

    fn text(&self, text: &mut Text, kind: Kind) -> bool {
        let Some(masked) = self.masked(text, kind) else {
            return false;
        };
        *text = Text::from(masked);
        true
    }

    fn value(&self, value: &mut Value, depth: usize) -> bool {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
            Value::String(text) => match self.masked(text, Kind::Prose) {
                Some(masked) => {
                    *text = masked;
                    true
                }
                None => false,
            },
            // What is nested deeper was cut off when the names were looked at.
            Value::Array(_) | Value::Object(_) if depth == 0 => false,
            Value::Array(values) => {
                let hits = values.iter_mut().map(|value| self.value(value, depth - 1));
                hits.fold(false, |any, hit| any | hit)
            }
            Value::Object(map) => self.map(map, depth - 1),
        }
    }

    fn map(&self, map: &mut Map<String, Value>, depth: usize) -> bool {
        let mut hit = false;
        for value in map.values_mut() {
            hit |= self.value(value, depth);
        }
        if map
            .keys()
            .any(|name| self.masked(name, Kind::Word).is_some())
        {
            for (number, (name, value)) in std::mem::take(map).into_iter().enumerate() {
                match self.masked(&name, Kind::Word) {
                    Some(masked) => map.insert(format!("{masked}~{number}"), value),
                    None => map.insert(name, value),
                };
            }
            hit = true;
        }
        hit
    }

    /// The text without the values; `None` when it has none.
    fn masked(&self, text: &str, kind: Kind) -> Option<String> {
        let may_have = |needle: &&Needle<'_>| needle.may_be_in(text);
        let first = self.all.iter().position(|needle| may_have(&needle))?;
        if is_keyed_hash(text) {
            return None;
        }
        let mut masked: Option<String> = None;
        for needle in self
            .all
            .get(first..)?
            .iter()
            .filter(|needle| needle.applies(kind))
        {
            let current = masked.as_deref().unwrap_or(text);
            if let Some(next) = needle.replaced_in(current) {
                if kind == Kind::Id {
                    return Some(self.key.hash(Purpose::Value, text.as_bytes()).into());
                }
                masked = Some(next);
            }
        }
        masked
    }
}

impl Needle<'_> {
    /// Whether the value may be in a text: its first and its last byte stand there so far apart.
    ///
    /// Nearly always they do not. To find that out costs a few nanoseconds, because all places are
    /// judged as a whole, without a branch for each, so that it becomes vector code.
    fn may_be_in(&self, text: &str) -> bool {
        let (value, text) = (self.value.as_bytes(), text.as_bytes());
        let ([first, .., last], Some(distance)) = (value, value.len().checked_sub(1)) else {
            return false;
        };
        let Some(ends) = text.get(distance..) else {
            return false;
        };
        let both = |(begin, end): (&u8, &u8)| u8::from(begin == first) & u8::from(end == last);
        text.iter()
            .zip(ends)
            .map(both)
            .fold(0, |any, hit| any | hit)
            != 0
    }

    fn applies(&self, kind: Kind) -> bool {
        match kind {
            Kind::Prose => true,
            Kind::Id => !self.is_presented || self.value.len() >= MIN_PRESENTED_ID_BYTES,
            Kind::Word => is_random(self.value),
        }
    }

    /// The text with the value masked wherever it stands; `None` where it does not.
    fn replaced_in(&self, text: &str) -> Option<String> {
        if !self.may_be_in(text) {
            return None;
        }
        let mut out = String::new();
        let mut hit = false;
        // Not across a mark, nor within one.
        for (number, piece) in text.split(MASKED).enumerate() {
            if number > 0 {
                out.push_str(MASKED);
            }
            let mut copied = 0;
            for (at, _) in piece.match_indices(self.value) {
                let (before, from_here) = piece.split_at(at);
                let after = from_here.get(self.value.len()..).unwrap_or_default();
                if self.value.len() < WORD_BYTES && !is_word(before, after) {
                    continue;
                }
                out.push_str(piece.get(copied..at).unwrap_or_default());
                out.push_str(MASKED);
                copied = at + self.value.len();
                hit = true;
            }
            out.push_str(piece.get(copied..).unwrap_or_default());
        }
        hit.then_some(out)
    }
}

/// Whether what stands between these is a whole word.
fn is_word(before: &str, after: &str) -> bool {
    let goes_on = |char: Option<char>| char.is_some_and(char::is_alphanumeric);
    !goes_on(before.chars().next_back()) && !goes_on(after.chars().next())
}

/// Whether a text is an address, or a network as a shortened one is written.
fn is_address(text: &str) -> bool {
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    address.parse::<std::net::IpAddr>().is_ok() || is_keyed_hash(text)
}
