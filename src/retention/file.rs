//! A retention policy from a TOML file: the same model, word by word.

use std::{path::Path, time::Duration};

use toml::de::DeTable;

use super::{Retention, RetentionError, Rule};
use crate::{
    address::units,
    policy::{
        PolicyError,
        file::read::{Read, Value, Wrong, place, table, tables, text},
    },
};

/// The keys of a file, and of a rule in it.
const KEYS: [&str; 7] = [
    "keep",
    "floor",
    "dangerous_floor",
    "dead_letters",
    "files",
    "journal",
    "rule",
];
const RULE: [&str; 3] = ["action", "category", "keep"];

/// What a time is written as.
const AGE: &str = "write a time such as 90d or 36h, or forever";

impl Retention {
    /// The policy that a text in TOML says. Only with the feature `toml`.
    ///
    /// ```
    /// use tower_audit::retention::Retention;
    ///
    /// let retention = Retention::from_toml(r#"
    ///     keep = "365d"
    ///
    ///     [[rule]]
    ///     action = "document.*"
    ///     keep = "90d"
    ///
    ///     [[rule]]
    ///     category = "billing"
    ///     keep = "forever"
    /// "#)?;
    /// assert!(retention.text().starts_with("keep action \"document.*\" for 90d"));
    ///
    /// let error = Retention::from_toml("keep = \"90d\"\nkep = \"1d\"").unwrap_err();
    /// assert!(error.to_string().starts_with("line 2: kep: unknown key"));
    /// # Ok::<(), tower_audit::retention::RetentionError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RetentionError::File`] names line and key of the first mistake: text that is no TOML, an
    /// unknown key, a wrong value, something that is kept shorter than the floor allows.
    pub fn from_toml(text: &str) -> Result<Self, RetentionError> {
        let root =
            DeTable::parse(text).map_err(|error| wrong(Wrong::syntax(&error).place(text)))?;
        let read = retention(root.get_ref()).map_err(|error| wrong(error.place(text)))?;
        read.check()
            .map_err(|error| placed(error, root.get_ref(), text))?;
        Ok(read)
    }

    /// The policy that a TOML file says. Only with the feature `toml`.
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Self::from_toml), with the path; and when the file cannot be read, then with
    /// the cause as its source.
    pub fn from_toml_file(path: impl AsRef<Path>) -> Result<Self, RetentionError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| RetentionError::File {
            file: Some(path.to_owned()),
            line: None,
            reason: format!("{} cannot be read", path.display()),
            source: Some(error),
        })?;
        Self::from_toml(&text).map_err(|error| match error {
            RetentionError::File { line, reason, .. } => RetentionError::File {
                file: Some(path.to_owned()),
                line,
                reason: format!("{}: {reason}", path.display()),
                source: None,
            },
            other => other,
        })
    }
}

fn wrong(error: PolicyError) -> RetentionError {
    RetentionError::File {
        file: None,
        line: error.line,
        reason: error.to_string(),
        source: None,
    }
}

fn retention(root: &DeTable<'_>) -> Read<Retention> {
    let mut retention = Retention::new();
    for (key, value) in root {
        let name = key.get_ref().as_ref();
        retention = match name {
            "keep" => match age(value, name)? {
                Some(time) => retention.keep(time),
                None => retention,
            },
            "floor" => retention.floor(time(value, name)?),
            // Together nobody knows what is meant.
            "dangerous_floor" if root.contains_key("floor") => {
                return Err(Wrong::new(
                    value,
                    name,
                    "floor is there too: say one of them",
                ));
            }
            "dangerous_floor" => retention.dangerous_floor(time(value, name)?),
            "dead_letters" => retention.dead_letters(time(value, name)?),
            "files" => retention.files(time(value, name)?),
            "journal" => retention.journal(time(value, name)?),
            "rule" => tables(value, name)?
                .into_iter()
                .try_fold(retention, |retention, value| {
                    Ok(retention.rule(rule(value)?))
                })?,
            _ => return Err(Wrong::unknown(key, "", &KEYS)),
        };
    }
    Ok(retention)
}

fn rule(value: &Value<'_>) -> Read<Rule> {
    let fields = table(value, "rule")?;
    let unknown = fields
        .iter()
        .find(|(key, _)| !RULE.contains(&key.get_ref().as_ref()));
    if let Some((key, _)) = unknown {
        return Err(Wrong::unknown(key, "rule.", &RULE));
    }
    let category = fields.get("category").map(|value| text(value, "category"));
    let category = category.transpose()?;
    let rule = match (fields.get("action"), category) {
        (Some(action), category) => {
            let pattern = text(action, "action")?;
            let rule = Rule::action(pattern).map_err(|error| match error {
                RetentionError::Rule { reason, .. } => Wrong::new(action, "action", reason),
                other => Wrong::new(action, "action", other.to_string()),
            })?;
            match category {
                Some(category) => rule.and_category(category),
                None => rule,
            }
        }
        (None, Some(category)) => Rule::category(category),
        (None, None) => {
            let reason =
                "a rule without action and category would match everything: say keep at the top";
            return Err(Wrong::new(value, "rule", reason));
        }
    };
    let Some(keep) = fields.get("keep") else {
        return Err(Wrong::new(value, "keep", "say how long, or forever"));
    };
    Ok(match age(keep, "keep")? {
        Some(time) => rule.keep(time),
        None => rule.forever(),
    })
}

/// A time; `None` for ever.
fn age(value: &Value<'_>, key: &str) -> Read<Option<Duration>> {
    match text(value, key)? {
        "forever" => Ok(None),
        _ => time(value, key).map(Some),
    }
}

fn time(value: &Value<'_>, key: &str) -> Read<Duration> {
    let time = units::age(text(value, key)?);
    time.ok_or_else(|| Wrong::new(value, key, AGE))
}

/// Finds the place of what the floor does not allow.
fn placed(error: RetentionError, root: &DeTable<'_>, text: &str) -> RetentionError {
    let RetentionError::Rule { key, reason } = error else {
        return error;
    };
    let value = root.get(key);
    let line = value.map(|value| place(text, value.span().start).0);
    let at = line.map_or_else(String::new, |line| format!("line {line}: "));
    RetentionError::File {
        file: None,
        line,
        reason: format!("{at}{key}: {reason}"),
        source: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read() {
        let text = r#"
            keep = "365d"
            dangerous_floor = "36h"
            dead_letters = "90d"
            files = "60d"
            journal = "14d"
            [[rule]]
            action = "document.*"
            category = "document"
            keep = "2d"
            [[rule]]
            category = "billing"
            keep = "forever"
        "#;
        let days = |count: u64| Duration::from_secs(count * 86_400);
        let expected = Retention::new()
            .rule(
                Rule::action("document.*")
                    .unwrap()
                    .and_category("document")
                    .keep(days(2)),
            )
            .rule(Rule::category("billing").forever())
            .keep(days(365))
            .dangerous_floor(Duration::from_secs(36 * 3600))
            .dead_letters(days(90))
            .files(days(60))
            .journal(days(14));
        assert_eq!(Retention::from_toml(text).unwrap(), expected);
        assert_eq!(Retention::from_toml("").unwrap(), Retention::new());
    }

    #[test]
    fn mistakes_are_told_with_line_and_key() {
        let cases = [
            ("keep = 90", "line 1: keep: a text expected"),
            ("keep = \"90\"", "line 1: keep: write a time"),
            ("\nfloor = \"forever\"", "line 2: floor: write a time"),
            ("kep = \"90d\"", "line 1: kep: unknown key"),
            ("keep = \"90d\nx", "line 2"),
            ("[[rule]]\nkeep = \"90d\"", "would match everything"),
            ("[[rule]]\naction = \"a.*\"", "keep: say how long"),
            (
                "[[rule]]\naction = \"a*\"\nkeep = \"90d\"",
                "line 2: action: ",
            ),
            (
                "[[rule]]\nactions = \"a.*\"",
                "line 2: rule.actions: unknown key",
            ),
            (
                "\nkeep = \"7d\"",
                "line 2: keep: 7d is below the floor of 30d",
            ),
            ("floor = \"7d\"", "if that is meant, say dangerous_floor"),
            (
                "floor = \"40d\"\ndangerous_floor = \"7d\"",
                "floor is there too",
            ),
            (
                "[[rule]]\naction = \"a.*\"\nkeep = \"7d\"",
                "rule 1 keeps action \"a.*\" for 7d",
            ),
        ];
        for (text, expected) in cases {
            let error = Retention::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
