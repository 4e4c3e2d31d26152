//! Masking, at the last point before a record is written.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, LazyLock},
};

use serde_json::{Map, Value};

use super::{
    elsewhere::{Found, Numbers, looks_secret},
    free_text::{self, Credentials},
    keys::{DEFAULT, Hides},
    names::{Names, Rule, Treatment},
    search,
};
use crate::{
    keyed::{HashKey, Purpose, is_keyed_hash},
    record::Record,
    text::Text,
};

/// Which values are masked, dropped or hashed, by the name of their key.
///
/// It is applied to every record once, as the last step before the record is serialised, so that
/// nothing goes round it: to `details` and `changes` at any depth, and to what looks like
/// `name=value` in `reason`, in an error's message and in any text of the details. A value that was
/// masked in one place is masked in every other text of the record too.
///
/// Names are compared without case and separators, by their end: `apiKey`, `x-api-key` and
/// `API_KEY` are the same, and `password` means `user_password` too, but not `passwordChangedAt`.
/// Under a name of the default list booleans, numbers and `null` stay, because they tell of a secret
/// without giving it away: `"tokens": 3`. One-time codes, PINs and card numbers are masked as
/// numbers too. Under a name that you give, every value but `null` is masked.
///
/// The default list, and everything else that is masked, is in `docs/redaction.md`.
///
/// ```
/// use tower_audit::policy::Redaction;
///
/// let redaction = Redaction::default()
///     .mask("salary")
///     .hash("customer_number")
///     .drop_key("request_body")
///     .allow("next_page_token");
/// # let _ = redaction;
/// ```
#[derive(Clone)]
#[must_use]
pub struct Redaction {
    names: Arc<Names>,
    credentials: Credentials,
    /// What was asked for beyond the default, to be shown.
    own: Vec<(Text, Treatment)>,
}

/// What stands in place of a masked value.
pub(super) const MASKED: &str = "[redacted]";

/// Lists and maps within each other that are looked at. A record keeps fewer; what is nested deeper
/// is cut off here, so that a value of any depth is walked without using up the stack.
pub(super) const DEPTH: usize = 24;

/// How often a record is walked again because a value was found elsewhere, which can turn what
/// stands around it into another pair of name and value.
const ROUNDS: usize = 3;

impl Redaction {
    /// What stands in place of a masked value: `[redacted]`.
    pub const MASKED: &'static str = MASKED;

    /// Masks nothing by its name, and no credential by its form.
    ///
    /// Even then the session id and the credentials of a request are in none of its records.
    pub fn none() -> Self {
        Self {
            names: Arc::new(Names::new(&[])),
            credentials: Credentials::Kept,
            own: Vec::new(),
        }
    }

    /// Masks the values of this key: `[redacted]`.
    pub fn mask(self, key: impl AsRef<str>) -> Self {
        self.set(key.as_ref(), Treatment::Mask)
    }

    /// Leaves out this key and its values; of a change the whole entry.
    pub fn drop_key(self, key: impl AsRef<str>) -> Self {
        self.set(key.as_ref(), Treatment::Drop)
    }

    /// Writes a keyed hash ([`HashKey::hash`] for [`Purpose::Value`]) in place of the values of this
    /// key: equal values stay equal. Of a list or map the JSON is hashed.
    pub fn hash(self, key: impl AsRef<str>) -> Self {
        self.set(key.as_ref(), Treatment::Hash)
    }

    /// Writes the values of this key as they are, although the default list or an earlier rule says
    /// otherwise. What is below them in a list or map is still judged by its own keys.
    ///
    /// The longest name with which a key ends decides: `allow("token")` does not allow
    /// `access_token`, which is in the default list by itself.
    pub fn allow(self, key: impl AsRef<str>) -> Self {
        self.set(key.as_ref(), Treatment::Allow)
    }

    fn set(mut self, key: &str, treatment: Treatment) -> Self {
        Arc::make_mut(&mut self.names).set(key, treatment);
        self.own.push((key.into(), treatment));
        self
    }

    /// Whether a text is what stands in place of a masked value, and nothing else.
    pub(crate) fn is_mark(text: &str) -> bool {
        is_masked(text)
    }

    /// Masks a record in place. `secrets` are texts that must not be in it anywhere, such as the
    /// request's own session id and authorization.
    ///
    /// A record that was masked before, as an intent that is read back, is left as it is.
    pub(crate) fn apply(&self, record: &mut Record, key: &HashKey, secrets: &[&str]) {
        let has_names = !record.details.is_empty() || !record.changes.is_empty();
        let has_prose = record.reason.is_some() || record.error.is_some();
        if !has_names && !has_prose {
            if !secrets.is_empty() {
                search::mask(record, key, &Found::default(), secrets);
            }
            return;
        }
        let mut walk = Walk {
            names: &self.names,
            credentials: self.credentials,
            mask: Mask::new(key),
            found: Found::default(),
        };
        for _ in 0..ROUNDS {
            walk.record(record);
            if walk.found.is_empty() && secrets.is_empty() {
                return;
            }
            if !search::mask(record, key, &walk.found, secrets) {
                return;
            }
        }
    }
}

impl Default for Redaction {
    /// Masks what `docs/redaction.md` lists: passwords, tokens, keys, one-time codes, cookies …
    fn default() -> Self {
        static NAMES: LazyLock<Arc<Names>> = LazyLock::new(|| Arc::new(Names::new(DEFAULT)));
        Self {
            names: Arc::clone(&NAMES),
            credentials: Credentials::Masked,
            own: Vec::new(),
        }
    }
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redaction")
            .field("credentials", &self.credentials)
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

/// What is written in place of a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mask<'a> {
    key: &'a HashKey,
}

impl<'a> Mask<'a> {
    pub(super) const fn new(key: &'a HashKey) -> Self {
        Self { key }
    }

    pub(super) fn text(self, value: &str, rule: Option<Rule>) -> Cow<'static, str> {
        match rule.map(|rule| rule.treatment) {
            Some(Treatment::Hash) => {
                let hash: String = self.key.hash(Purpose::Value, value.as_bytes()).into();
                hash.into()
            }
            _ => MASKED.into(),
        }
    }

    fn value(self, value: &Value, rule: Rule) -> Value {
        let text = match value {
            Value::String(text) => self.text(text, Some(rule)),
            other => self.text(&other.to_string(), Some(rule)),
        };
        Value::String(text.into_owned())
    }
}

/// Whether a value was masked already.
pub(super) fn is_masked(text: &str) -> bool {
    text == MASKED || is_keyed_hash(text)
}

/// One walk over the names of a record.
struct Walk<'a> {
    names: &'a Names,
    credentials: Credentials,
    mask: Mask<'a>,
    found: Found,
}

/// Whether an entry stays in its map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stay {
    Yes,
    No,
}

impl Walk<'_> {
    fn record(&mut self, record: &mut Record) {
        for text in [
            record.reason.as_mut(),
            record
                .error
                .as_mut()
                .and_then(|error| error.message.as_mut()),
        ] {
            let Some(text) = text else { continue };
            if let Some(masked) = self.prose(text) {
                *text = Text::from(masked);
            }
        }
        record.changes.retain_mut(|change| {
            let rule = self.names.find(&change.field);
            let sides = [change.previous.as_mut(), change.current.as_mut()];
            let mut stays = true;
            for side in sides.into_iter().flatten() {
                stays &= self.entry(rule, side, DEPTH) == Stay::Yes;
            }
            stays
        });
        self.map(&mut record.details, DEPTH);
    }

    fn prose(&mut self, text: &str) -> Option<String> {
        free_text::masked(
            text,
            self.names,
            self.credentials,
            self.mask,
            &mut self.found,
        )
    }

    fn map(&mut self, map: &mut Map<String, Value>, depth: usize) {
        let named = named(map).and_then(|name| self.names.find(name));
        map.retain(|name, value| {
            let rule = self.names.find(name);
            let rule = rule.or_else(|| named.filter(|_| is_value_of_name(name)));
            self.entry(rule, value, depth) == Stay::Yes
        });
    }

    /// A value under a name with this rule.
    fn entry(&mut self, rule: Option<Rule>, value: &mut Value, depth: usize) -> Stay {
        let Some(rule) = rule else {
            self.value(value, depth);
            return Stay::Yes;
        };
        match value {
            Value::Array(values) if rule.hides == Hides::Opaque && depth > 0 => {
                for value in values {
                    self.entry(Some(rule), value, depth - 1);
                }
            }
            Value::Array(_) | Value::Object(_) if rule.treatment == Treatment::Allow => {
                self.value(value, depth);
            }
            _ if rule.treatment == Treatment::Allow => {}
            Value::String(text) if is_masked(text) => {}
            _ if !hides(rule.hides, value) => self.value(value, depth),
            _ => {
                let is_number = matches!(rule.hides, Hides::Digits | Hides::All);
                let numbers = if is_number {
                    Numbers::Too
                } else {
                    Numbers::Not
                };
                self.found.add_json(value, numbers);
                if rule.treatment == Treatment::Drop {
                    return Stay::No;
                }
                *value = self.mask.value(value, rule);
            }
        }
        Stay::Yes
    }

    /// A value under a name that says nothing.
    fn value(&mut self, value: &mut Value, depth: usize) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => {
                if let Some(masked) = self.prose(text) {
                    *text = masked;
                }
            }
            // Trap R5: a record keeps nothing so deep, and the stack has an end.
            Value::Array(_) | Value::Object(_) if depth == 0 => *value = MASKED.into(),
            Value::Array(values) => self.list(values, depth - 1),
            Value::Object(map) => self.map(map, depth - 1),
        }
    }

    /// A list; or a map written as a list of pairs, as headers often are.
    fn list(&mut self, values: &mut [Value], depth: usize) {
        let is_pair = |value: &Value| {
            let pair = value.as_array().map(Vec::as_slice);
            matches!(pair, Some([Value::String(_), _]))
        };
        let are_pairs = !values.is_empty() && depth > 0 && values.iter().all(is_pair);
        for value in values {
            match value.as_array_mut().map(Vec::as_mut_slice) {
                Some([Value::String(name), inner]) if are_pairs => {
                    let rule = self.names.find(name);
                    if self.entry(rule, inner, depth - 1) == Stay::No {
                        *inner = Value::Null;
                    }
                }
                _ => self.value(value, depth),
            }
        }
    }
}

/// Whether a value is one that names of this kind hide.
fn hides(hides: Hides, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) => hides == Hides::All,
        Value::Number(number) => match hides {
            Hides::All => true,
            Hides::Digits => number.to_string().len() >= 3,
            Hides::Opaque => looks_secret(&number.to_string()),
            Hides::Texts | Hides::Line | Hides::Query => false,
        },
        Value::String(text) => match hides {
            Hides::All => true,
            Hides::Opaque => looks_secret(text),
            Hides::Query => false,
            Hides::Texts | Hides::Digits | Hides::Line => !text.is_empty(),
        },
        Value::Array(values) => {
            !matches!(hides, Hides::Opaque | Hides::Query) && !values.is_empty()
        }
        Value::Object(map) => !matches!(hides, Hides::Opaque | Hides::Query) && !map.is_empty(),
    }
}

/// The name that an entry gives itself: `{"name": "password", "value": "x"}`.
fn named(map: &Map<String, Value>) -> Option<&str> {
    let is_name = |name: &str| {
        matches!(
            name,
            "name" | "Name" | "key" | "Key" | "field" | "header" | "parameter" | "property"
        )
    };
    map.iter()
        .filter(|(name, _)| is_name(name))
        .find_map(|(_, value)| value.as_str().filter(|name| !name.contains(' ')))
}

/// What such an entry calls its value.
fn is_value_of_name(name: &str) -> bool {
    matches!(
        name,
        "value"
            | "Value"
            | "values"
            | "old"
            | "new"
            | "old_value"
            | "new_value"
            | "oldValue"
            | "newValue"
            | "previous"
            | "current"
            | "before"
            | "after"
            | "from"
            | "to"
    )
}

#[cfg(test)]
mod tests;
