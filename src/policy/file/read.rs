//! Values of a file, read strictly: what is wrong is told with its place, its key and what would
//! be right.

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use crate::policy::PolicyError;

pub(crate) type Key<'a> = Spanned<DeString<'a>>;
pub(crate) type Value<'a> = Spanned<DeValue<'a>>;

/// A wrong value.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// Where it begins, in bytes.
    pub(crate) at: usize,
    pub(crate) key: Option<String>,
    pub(crate) reason: String,
}

pub(crate) type Read<T> = Result<T, Wrong>;

impl Wrong {
    pub(crate) fn new(value: &Value<'_>, key: &str, reason: impl Into<String>) -> Self {
        Self {
            at: value.span().start,
            key: Some(key.to_owned()),
            reason: reason.into(),
        }
    }

    /// The value is of another type.
    fn typed(value: &Value<'_>, key: &str, expected: &str) -> Self {
        let given = value.get_ref().type_str();
        Self::new(
            value,
            key,
            format!("{expected} expected, not a value of type {given}"),
        )
    }

    /// No such key.
    pub(crate) fn unknown(key: &Key<'_>, within: &str, known: &[&str]) -> Self {
        let name = clean(key.get_ref());
        let reason = format!("unknown key; expected one of: {}", known.join(", "));
        Self {
            at: key.span().start,
            key: Some(format!("{within}{name}")),
            reason,
        }
    }

    /// What the file's text does not even begin to say.
    pub(crate) fn syntax(error: &toml::de::Error) -> Self {
        Self {
            at: error.span().map_or(0, |span| span.start),
            key: None,
            reason: clean(error.message()),
        }
    }

    pub(crate) fn place(self, text: &str) -> PolicyError {
        let (line, column) = place(text, self.at);
        PolicyError {
            line: Some(line),
            column: Some(column),
            key: self.key.map(String::into_boxed_str),
            ..PolicyError::new("", self.reason)
        }
    }
}

/// Line and character of a byte, both from 1 on.
pub(crate) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count().saturating_add(1);
    let start = before
        .rfind('\n')
        .map_or(0, |newline| newline.saturating_add(1));
    let column = before.get(start..).unwrap_or_default().chars().count();
    (line, column.saturating_add(1))
}

/// A text of the file, in one line of an error.
fn clean(text: &str) -> String {
    let mut text = crate::text::Text::from(text);
    text.clean(200);
    text.to_string()
}

pub(crate) fn flag(value: &Value<'_>, key: &str) -> Read<bool> {
    let flag = value.get_ref().as_bool();
    flag.ok_or_else(|| Wrong::typed(value, key, "true or false"))
}

pub(crate) fn text<'a>(value: &'a Value<'_>, key: &str) -> Read<&'a str> {
    let text = value.get_ref().as_str();
    text.ok_or_else(|| Wrong::typed(value, key, "a text"))
}

pub(crate) fn number(value: &Value<'_>, key: &str) -> Read<u32> {
    let Some(number) = value.get_ref().as_integer() else {
        return Err(Wrong::typed(value, key, "a whole number"));
    };
    u32::from_str_radix(number.as_str(), number.radix())
        .map_err(|error| Wrong::new(value, key, format!("{number}: {error}")))
}

pub(crate) fn table<'a, 'i>(value: &'a Value<'i>, key: &str) -> Read<&'a DeTable<'i>> {
    let table = value.get_ref().as_table();
    table.ok_or_else(|| Wrong::typed(value, key, "a table"))
}

/// The tables of `[[key]]`.
pub(crate) fn tables<'a, 'i>(value: &'a Value<'i>, key: &str) -> Read<Vec<&'a Value<'i>>> {
    match value.get_ref().as_array() {
        Some(array) if array.iter().all(|item| item.get_ref().is_table()) => {
            Ok(array.iter().collect())
        }
        _ => {
            let reason = format!("a list of tables expected: begin each with [[{key}]]");
            Err(Wrong::new(value, key, reason))
        }
    }
}

/// One value, or a list with at least one.
pub(crate) fn items<'a, 'i>(value: &'a Value<'i>, key: &str) -> Read<Vec<&'a Value<'i>>> {
    match value.get_ref().as_array() {
        None => Ok(vec![value]),
        Some(array) if array.is_empty() => {
            let reason = "an empty list would match nothing: name a value, or remove the key";
            Err(Wrong::new(value, key, reason))
        }
        Some(array) => Ok(array.iter().collect()),
    }
}

/// One text, or a list with at least one.
pub(crate) fn texts<'a>(value: &'a Value<'_>, key: &str) -> Read<Vec<&'a str>> {
    let items = items(value, key)?;
    items.into_iter().map(|item| text(item, key)).collect()
}

/// One of these words.
pub(crate) fn word<T: Copy>(value: &Value<'_>, key: &str, words: &[(&str, T)]) -> Read<T> {
    let given = text(value, key)?;
    match words.iter().find(|(word, _)| *word == given) {
        Some((_, meaning)) => Ok(*meaning),
        None => {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let (given, words) = (clean(given), words.join(", "));
            let reason = format!("{given:?} is none of: {words}");
            Err(Wrong::new(value, key, reason))
        }
    }
}

/// Some of these words.
pub(crate) fn words<T: Copy>(value: &Value<'_>, key: &str, words: &[(&str, T)]) -> Read<Vec<T>> {
    let items = items(value, key)?;
    items
        .into_iter()
        .map(|item| word(item, key, words))
        .collect()
}
