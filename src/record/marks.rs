//! What is cut from a record, and the marks that say so.

use std::{collections::BTreeMap, fmt};

use crate::text::{self, Extent, Text};

/// The bytes of clean text that are kept.
///
/// Invariant: everything but targets, changes and details together fits into half of
/// [`RECORD`](cap::RECORD), because JSON writes a quote or backslash as two bytes.
pub(super) mod cap {
    /// A word: a kind, a method, a trace id.
    pub(in crate::record) const WORD: usize = 64;
    /// A name or an id.
    pub(in crate::record) const NAME: usize = 256;
    /// An e-mail address (RFC 5321 allows 64 and 255 around the `@`), or what was claimed as one.
    pub(in crate::record) const EMAIL: usize = 320;
    /// A network address, or its keyed hash.
    pub(in crate::record) const ADDRESS: usize = 128;
    /// What a client calls itself.
    pub(in crate::record) const USER_AGENT: usize = 1024;
    /// The template of a route.
    pub(in crate::record) const ROUTE: usize = 512;
    /// Why it ended so.
    pub(in crate::record) const REASON: usize = 1024;
    /// What an error says.
    pub(in crate::record) const MESSAGE: usize = 2048;
    /// The name of a value in `details`.
    pub(in crate::record) const KEY: usize = 128;
    /// A text in `details` or `changes`.
    pub(in crate::record) const VALUE: usize = 4096;
    /// Lists and maps within each other in one value of `details` or `changes`.
    pub(in crate::record) const DEPTH: usize = 16;
    /// The whole record as JSON.
    pub(in crate::record) const RECORD: usize = 64 * 1024;
    /// Marks within one part of the record; more become one.
    pub(in crate::record) const MARKS: usize = 16;
    /// What is searched for secrets behind the cap of a text, in bytes: longer than what servers
    /// take as a header, so that a secret that begins before the cap is seen whole.
    pub(in crate::record) const MARGIN: usize = 64 * 1024;
}

/// Where in a record something stands, as in `targets.0.name`; made into text only when needed.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    parent: Option<&'a Self>,
    name: Name<'a>,
}

#[derive(Clone, Copy)]
enum Name<'a> {
    Field(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    /// A part of the record itself.
    pub(super) const fn field(name: &'a str) -> Self {
        Self {
            parent: None,
            name: Name::Field(name),
        }
    }

    /// A field of what stands here.
    pub(super) const fn of<'b>(&'b self, name: &'b str) -> Place<'b>
    where
        'a: 'b,
    {
        Place {
            parent: Some(self),
            name: Name::Field(name),
        }
    }

    /// An entry, counted from 0, of the list that stands here.
    pub(super) const fn at<'b>(&'b self, index: usize) -> Place<'b>
    where
        'a: 'b,
    {
        Place {
            parent: Some(self),
            name: Name::Index(index),
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        match self.name {
            Name::Field(name) => f.write_str(name),
            Name::Index(index) => write!(f, "{index}"),
        }
    }
}

/// The marks of one record: places, each with the bytes that were there.
pub(super) struct Marks<'a> {
    marks: &'a mut BTreeMap<String, u64>,
    pass: Pass<'a>,
}

/// What is done to each text.
enum Pass<'a> {
    /// Cleaned and capped, to be written.
    Clean,
    /// Cut some way behind its cap; what is cut is kept by its place.
    Bound(&'a mut BTreeMap<String, u64>),
    /// What was cut there loses what lies behind the cap. A mark that stands for the whole text stays.
    Trim(&'a BTreeMap<String, u64>, fn(&str) -> bool),
}

impl<'a> Marks<'a> {
    pub(super) const fn new(marks: &'a mut BTreeMap<String, u64>) -> Self {
        let pass = Pass::Clean;
        Self { marks, pass }
    }

    pub(super) const fn bounding(
        marks: &'a mut BTreeMap<String, u64>,
        cuts: &'a mut BTreeMap<String, u64>,
    ) -> Self {
        let pass = Pass::Bound(cuts);
        Self { marks, pass }
    }

    pub(super) const fn trimming(
        marks: &'a mut BTreeMap<String, u64>,
        cuts: &'a BTreeMap<String, u64>,
        is_mark: fn(&str) -> bool,
    ) -> Self {
        let pass = Pass::Trim(cuts, is_mark);
        Self { marks, pass }
    }

    /// Whether a text stays as it is.
    pub(super) fn leaves(&self, text: &str, max_bytes: usize) -> bool {
        match self.pass {
            Pass::Clean => text::is_clean(text, max_bytes),
            Pass::Bound(_) => text.len() <= max_bytes + cap::MARGIN,
            // The name of a value: there is nothing behind it that could come to light.
            Pass::Trim(..) => true,
        }
    }

    /// How much of a text is kept, where that is not for its cleaning to say.
    fn kept(&mut self, place: Place<'_>, text: &str, max_bytes: usize) -> Option<usize> {
        let bytes = text.len();
        match &mut self.pass {
            Pass::Clean => None,
            Pass::Bound(cuts) => {
                let most = max_bytes + cap::MARGIN;
                if bytes > most {
                    let original = u64::try_from(bytes).unwrap_or(u64::MAX);
                    cuts.insert(place.to_string(), original);
                }
                Some(bytes.min(most))
            }
            Pass::Trim(cuts, is_mark) => {
                let original = cuts.get(&place.to_string()).copied();
                let Some(original) = original.filter(|_| !is_mark(text)) else {
                    return Some(bytes);
                };
                self.mark(place, original);
                Some(bytes.saturating_sub(cap::MARGIN))
            }
        }
    }

    /// Cleans a text that may be absent; an empty one becomes absent.
    pub(super) fn option(&mut self, place: Place<'_>, text: &mut Option<Text>, max_bytes: usize) {
        let Some(inner) = text else { return };
        self.text(place, inner, max_bytes);
        if inner.is_empty() {
            *text = None;
        }
    }

    /// Cleans a text that may not be absent; an empty one becomes `unknown`.
    pub(super) fn required(&mut self, place: Place<'_>, text: &mut Text, max_bytes: usize) {
        self.text(place, text, max_bytes);
        if text.is_empty() {
            *text = Text::fixed("unknown");
        }
    }

    /// Cleans a text.
    pub(super) fn text(&mut self, place: Place<'_>, text: &mut Text, max_bytes: usize) {
        if let Some(kept) = self.kept(place, text, max_bytes) {
            text.cut(kept);
        } else if let Some(original) = text.clean(max_bytes) {
            self.cut(place, original);
        }
    }

    /// Cleans a text that is not one of ours.
    pub(super) fn string(&mut self, place: Place<'_>, string: &mut String, max_bytes: usize) {
        if let Some(kept) = self.kept(place, string, max_bytes) {
            return string.truncate(string.floor_char_boundary(kept));
        }
        if text::is_clean(string, max_bytes) {
            return;
        }
        let (cleaned, extent) = text::clean(string, max_bytes);
        let (cleaned, original) = (cleaned.into_owned(), string.len());
        *string = cleaned;
        if extent == Extent::Cut {
            self.cut(place, original);
        }
    }

    /// Marks that of `original` bytes at `place` some were left out.
    ///
    /// Beyond [`cap::MARKS`] in one part of the record there is one mark for the part, with the sum.
    pub(super) fn cut(&mut self, place: Place<'_>, original: usize) {
        self.mark(place, u64::try_from(original).unwrap_or(u64::MAX));
    }

    fn mark(&mut self, place: Place<'_>, original: u64) {
        let path = place.to_string();
        let (path, _) = text::clean(&path, cap::NAME);
        if self.marks.contains_key(&*path) {
            // It was cut before, when there was more of it.
            return;
        }
        let part = path.split('.').next().unwrap_or(&path);
        if let Some(sum) = self.marks.get_mut(part) {
            *sum = sum.saturating_add(original);
        } else if self.within(part).count() < cap::MARKS {
            self.marks.entry(path.into_owned()).or_insert(original);
        } else {
            let others = self
                .within(part)
                .fold(0, |sum, (_, size)| size.saturating_add(sum));
            self.replace(part, original.saturating_add(others));
        }
    }

    /// Marks that a part of the record gave way, in place of all marks within it.
    pub(super) fn gave_way(&mut self, part: &str, original: usize) {
        self.replace(part, u64::try_from(original).unwrap_or(u64::MAX));
    }

    fn replace(&mut self, part: &str, original: u64) {
        self.marks.retain(|path, _| !is_within(path, part));
        self.marks.insert(part.to_owned(), original);
    }

    fn within(&self, part: &str) -> impl Iterator<Item = (&String, u64)> {
        let inside = move |(path, _): &(&String, &u64)| is_within(path, part);
        self.marks
            .iter()
            .filter(inside)
            .map(|(path, size)| (path, *size))
    }
}

fn is_within(path: &str, part: &str) -> bool {
    path.strip_prefix(part)
        .is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(cuts: &[(Place<'_>, usize)]) -> Vec<(String, u64)> {
        let mut map = BTreeMap::new();
        let mut marks = Marks::new(&mut map);
        for (place, original) in cuts {
            marks.cut(*place, *original);
        }
        map.into_iter().collect()
    }

    #[test]
    fn a_mark_names_the_place() {
        let targets = Place::field("targets");
        let second = targets.at(1);
        assert_eq!(
            marked(&[(second.of("name"), 300), (Place::field("reason"), 5000)]),
            [
                ("reason".to_owned(), 5000),
                ("targets.1.name".to_owned(), 300)
            ]
        );
    }

    #[test]
    fn many_marks_in_one_part_become_one() {
        let details = Place::field("details");
        let mut cuts: Vec<_> = (0..cap::MARKS)
            .map(|index| (details.at(index), 10))
            .collect();
        assert_eq!(marked(&cuts).len(), cap::MARKS);
        cuts.push((details.at(999), 7));
        cuts.push((details.at(1000), 1));
        assert_eq!(marked(&cuts), [("details".to_owned(), 168)]);
    }
}
