//! A policy from a TOML file: the same model, word by word.
//!
//! The text is walked as a tree of values with their places, not deserialised into types: so every
//! mistake is told with its line, its key and what would be right.

pub(crate) mod read;
mod rule;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use toml::de::DeTable;

use self::read::{Read, Value, Wrong, flag, number, place, table, tables, texts};
use super::{Policy, PolicyError, Redaction, check};

/// The keys of a file.
const KEYS: [&str; 4] = ["defaults", "rule", "redaction", "flood"];
const REDACTION: [&str; 5] = ["defaults", "mask", "drop", "hash", "allow"];
const FLOOD: [&str; 1] = ["per_minute"];

impl Policy {
    /// The policy that a text in TOML says. Only with the feature `toml`.
    ///
    /// ```
    /// use tower_audit::Policy;
    ///
    /// let policy = Policy::from_toml(r#"
    ///     [[rule]]
    ///     name = "health checks"
    ///     method = "GET"
    ///     route = ["/health", "/ready"]
    ///     skip = true
    ///
    ///     [[rule]]
    ///     name = "administration"
    ///     method = "unsafe"
    ///     route = "/admin/**"
    ///     assurance = "strict"
    /// "#)?;
    /// assert_eq!(policy.rules().next().map(|rule| rule.name()), Some("health checks"));
    ///
    /// let error = Policy::from_toml("[[rule]]\nname = \"a\"\nmethods = \"GET\"").unwrap_err();
    /// assert!(error.to_string().starts_with("line 3: methods: unknown key"));
    /// # Ok::<(), tower_audit::policy::PolicyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names line and key of the first mistake: text that is no TOML, an unknown key,
    /// a wrong value, a rule that could not do what it asks for. What a rule asks for by action is
    /// held against the catalogue when a trail starts.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let root = DeTable::parse(text).map_err(|error| Wrong::syntax(&error).place(text))?;
        from_table(root.get_ref(), text)
    }

    /// The policy that a TOML file says. Only with the feature `toml`.
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Self::from_toml), with the path; and when the file cannot be read, then with
    /// the cause as its source.
    pub fn from_toml_file(path: impl AsRef<Path>) -> Result<Self, PolicyError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| PolicyError {
            file: Some(path.to_owned()),
            key: None,
            cause: Some(Arc::new(error)),
            ..PolicyError::new("", "cannot be read")
        })?;
        Self::from_toml(&text).map_err(|error| PolicyError {
            file: Some(path.to_owned()),
            ..error
        })
    }
}

/// The policy that a table of a text says.
pub(crate) fn from_table(root: &DeTable<'_>, text: &str) -> Result<Policy, PolicyError> {
    let policy = policy(root, text).map_err(|wrong| wrong.place(text))?;
    check::rules(&policy).map_err(|error| placed(error, root, text))?;
    Ok(policy)
}

fn policy(root: &DeTable<'_>, text: &str) -> Read<Policy> {
    let mut policy = Policy::new();
    for (key, value) in root {
        policy = match key.get_ref().as_ref() {
            "defaults" if flag(value, "defaults")? => policy,
            "defaults" => policy.without_defaults(),
            "rule" => rules(policy, value, text)?,
            "redaction" => policy.redaction(redaction(table(value, "redaction")?)?),
            "flood" => flood(policy, table(value, "flood")?)?,
            _ => return Err(Wrong::unknown(key, "", &KEYS)),
        };
    }
    Ok(policy)
}

fn rules(policy: Policy, value: &Value<'_>, text: &str) -> Read<Policy> {
    tables(value, "rule")?
        .into_iter()
        .try_fold(policy, |policy, value| {
            let (line, _) = place(text, value.span().start);
            Ok(policy.rule(rule::rule(value, line)?))
        })
}

fn redaction<'a>(table: &'a DeTable<'_>) -> Read<Redaction> {
    let mut redaction = match table.get("defaults") {
        Some(value) if !flag(value, "redaction.defaults")? => Redaction::none(),
        _ => Redaction::default(),
    };
    let mut listed: BTreeMap<&str, &str> = BTreeMap::new();
    for (key, value) in table {
        let list = key.get_ref().as_ref();
        let rule: fn(Redaction, &'a str) -> Redaction = match list {
            "defaults" => continue,
            "mask" => Redaction::mask,
            "drop" => Redaction::drop_key,
            "hash" => Redaction::hash,
            "allow" => Redaction::allow,
            _ => return Err(Wrong::unknown(key, "redaction.", &REDACTION)),
        };
        let path = format!("redaction.{list}");
        for name in texts(value, &path)? {
            if !name.contains(char::is_alphanumeric) {
                return Err(Wrong::new(value, &path, "a key without a letter is no key"));
            }
            if let Some(other) = listed.insert(name, list) {
                let reason = format!("{name:?} is in {other} already: name it once");
                return Err(Wrong::new(value, &path, reason));
            }
            redaction = rule(redaction, name);
        }
    }
    Ok(redaction)
}

fn flood(mut policy: Policy, table: &DeTable<'_>) -> Read<Policy> {
    for (key, value) in table {
        policy = match key.get_ref().as_ref() {
            "per_minute" if value.get_ref().as_str() == Some("off") => {
                policy.flood_per_minute(None)
            }
            "per_minute" => policy.flood_per_minute(Some(number(value, "flood.per_minute")?)),
            _ => return Err(Wrong::unknown(key, "flood.", &FLOOD)),
        };
    }
    Ok(policy)
}

/// Finds the place of what the rules cannot do.
fn placed(error: PolicyError, root: &DeTable<'_>, text: &str) -> PolicyError {
    let rules = root
        .get("rule")
        .and_then(|rules| rules.get_ref().as_array());
    let rule = error.rule.as_ref().and_then(|(number, _)| {
        let index = number.checked_sub(1)?;
        rules?.get(index)
    });
    let table = match rule {
        Some(rule) => rule.get_ref().as_table(),
        None => Some(root),
    };
    let key = error.key.as_deref().and_then(|key| key.split('.').next());
    let entry = key.and_then(|key| table?.get_key_value(key));
    let at = entry.map(|(key, _)| key.span().start);
    let Some(at) = at.or_else(|| rule.map(|rule| rule.span().start)) else {
        return error;
    };
    let (line, column) = place(text, at);
    PolicyError {
        line: Some(line),
        column: Some(column),
        ..error
    }
}

#[cfg(test)]
mod tests;
