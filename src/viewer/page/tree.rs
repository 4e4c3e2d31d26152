//! JSON as a tree that can be opened and closed, bounded in depth and size.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::text;
use crate::viewer::{model::View, words::Words};

/// The values that one tree shows; the others are counted.
const MAX_VALUES: usize = 2000;
/// The levels that one tree shows.
const MAX_DEPTH: usize = 12;
/// The entries below which a branch is open from the beginning.
const OPEN_BELOW: usize = 12;

/// A tree of named values.
pub(super) fn tree(view: &View<'_>, map: &Map<String, Value>) -> Markup {
    let mut left = MAX_VALUES;
    Branch {
        words: view.words,
        depth: 0,
    }
    .map(map, &mut left)
}

/// One value by itself, as in a table of changes.
pub(super) fn value(view: &View<'_>, value: &Value) -> Markup {
    let mut left = MAX_VALUES;
    Branch {
        words: view.words,
        depth: 0,
    }
    .value(&Markup::default(), value, &mut left)
}

#[derive(Clone, Copy)]
struct Branch {
    words: &'static Words,
    depth: usize,
}

impl Branch {
    fn map(self, map: &Map<String, Value>, left: &mut usize) -> Markup {
        let entries = map.iter().map(|(name, value)| (Some(name.as_str()), value));
        self.entries(entries, map.len(), left)
    }

    fn entries<'a>(
        self,
        entries: impl Iterator<Item = (Option<&'a str>, &'a Value)>,
        count: usize,
        left: &mut usize,
    ) -> Markup {
        let mut shown = 0;
        let entries: Vec<_> = entries
            .map_while(|(name, value)| {
                *left = left.checked_sub(1)?;
                shown += 1;
                Some(self.entry(name, value, left))
            })
            .collect();
        let out = u64::try_from(count.saturating_sub(shown)).unwrap_or(u64::MAX);
        html! {
            ul.tree {
                @for entry in entries { (entry) }
                @if out > 0 {
                    li.left-out { (self.words.locale.plural(out, self.words.detail.left_out)) }
                }
            }
        }
    }

    fn entry(self, name: Option<&str>, value: &Value, left: &mut usize) -> Markup {
        let key = html! { @if let Some(name) = name { span.key { (text::short(name)) } " " } };
        html! { li { (self.value(&key, value, left)) } }
    }

    /// A value behind its key; a branch has it in the line that opens it.
    fn value(self, key: &Markup, value: &Value, left: &mut usize) -> Markup {
        match value {
            Value::Null => html! { (key) span.null { "null" } },
            Value::Bool(value) => html! { (key) span.bool { (value) } },
            Value::Number(number) => html! { (key) span.number { (number) } },
            Value::String(string) => html! { (key) span.string { (text::full(string)) } },
            Value::Array(values) => {
                let entries = values.iter().map(|value| (None, value));
                self.folded(key, values.len(), left, |branch, left| {
                    branch.entries(entries, values.len(), left)
                })
            }
            Value::Object(map) => {
                self.folded(key, map.len(), left, |branch, left| branch.map(map, left))
            }
        }
    }

    fn folded(
        self,
        key: &Markup,
        count: usize,
        left: &mut usize,
        draw: impl FnOnce(Self, &mut usize) -> Markup,
    ) -> Markup {
        let number = u64::try_from(count).unwrap_or(u64::MAX);
        let words = &self.words.detail;
        if self.depth >= MAX_DEPTH {
            let said = self.words.locale.plural(number, words.left_out);
            return html! { (key) span.left-out { (said) } };
        }
        let said = self.words.locale.plural(number, words.items);
        let deeper = Self {
            depth: self.depth + 1,
            ..self
        };
        html! {
            details.branch open[count <= OPEN_BELOW] {
                summary { (key) span.size { (said) } }
                (draw(deeper, left))
            }
        }
    }
}
