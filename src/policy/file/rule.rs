//! One `[[rule]]` of a file.

use toml::de::DeTable;

use super::read::{Key, Read, Value, Wrong, flag, items, number, table, text, texts, word, words};
use crate::{
    policy::{AddressForm, Rule, StatusRange, Until},
    record::{ActorType, Assurance, OnFailure, Outcome},
};

/// The keys of a rule.
pub(super) const KEYS: [&str; 16] = [
    "name",
    "method",
    "route",
    "matched",
    "action",
    "outcome",
    "status",
    "actor",
    "annotated",
    "skip",
    "assurance",
    "on_failure",
    "until",
    "address",
    "keep",
    "target",
];

const KEEP: [&str; 4] = ["path", "query", "headers", "parameters"];
const TARGET: [&str; 2] = ["type", "parameter"];

/// The rule that a table says.
pub(super) fn rule(value: &Value<'_>, line: usize) -> Read<Rule> {
    let table = table(value, "rule")?;
    let mut rule = Rule::new("");
    rule.line = Some(line);
    if !table.contains_key("name") {
        let reason = "a rule needs a name, by which explanations and the inventory tell of it";
        return Err(Wrong::new(value, "name", reason));
    }
    for (key, value) in table {
        rule = match condition(rule, key, value)? {
            Step::Taken(rule) => rule,
            Step::Other(rule) => effect(rule, key, value)?,
        };
    }
    Ok(rule)
}

/// What became of a key.
enum Step {
    Taken(Rule),
    /// It is no condition.
    Other(Rule),
}

fn condition(rule: Rule, key: &Key<'_>, value: &Value<'_>) -> Read<Step> {
    let key = key.get_ref().as_ref();
    let rule = match key {
        "method" => texts(value, key)?.into_iter().fold(rule, Rule::method),
        "route" => texts(value, key)?.into_iter().fold(rule, Rule::route),
        "matched" => rule.matched(flag(value, key)?),
        "action" => texts(value, key)?.into_iter().fold(rule, Rule::action),
        "outcome" => {
            let known = Outcome::ALL.iter().map(|it| (it.as_str(), *it));
            let given = words(value, key, &known.collect::<Vec<_>>())?;
            given.into_iter().fold(rule, Rule::outcome)
        }
        "status" => {
            let given = items(value, key)?.into_iter().map(|item| status(item, key));
            let given: Vec<_> = given.collect::<Read<_>>()?;
            given.into_iter().fold(rule, Rule::status)
        }
        "actor" => {
            let known = ActorType::ALL.iter().map(|it| (it.as_str(), Some(*it)));
            let known: Vec<_> = known.chain([("none", None)]).collect();
            let given = words(value, key, &known)?;
            given.into_iter().fold(rule, |rule, actor| match actor {
                Some(kind) => rule.actor(kind),
                None => rule.no_actor(),
            })
        }
        "annotated" => rule.annotated(flag(value, key)?),
        _ => return Ok(Step::Other(rule)),
    };
    Ok(Step::Taken(rule))
}

fn effect(mut rule: Rule, key: &Key<'_>, value: &Value<'_>) -> Read<Rule> {
    let name = key.get_ref().as_ref();
    Ok(match name {
        "name" => {
            text(value, name)?.clone_into(&mut rule.name);
            rule
        }
        "skip" => {
            rule.skips = flag(value, name)?;
            rule
        }
        "assurance" => {
            let all = [Assurance::Buffered, Assurance::Durable, Assurance::Strict];
            rule.assurance(word(value, name, &all.map(|it| (it.as_str(), it)))?)
        }
        "on_failure" => {
            let all = [OnFailure::Continue, OnFailure::Refuse];
            rule.on_failure(word(value, name, &all.map(|it| (it.as_str(), it)))?)
        }
        "until" => {
            let all = Until::ALL.iter().map(|it| (it.as_str(), *it));
            rule.until(word(value, name, &all.collect::<Vec<_>>())?)
        }
        "address" => {
            let all = AddressForm::ALL.iter().map(|it| (it.as_str(), *it));
            rule.address(word(value, name, &all.collect::<Vec<_>>())?)
        }
        "keep" => keep(rule, table(value, name)?)?,
        "target" => target(rule, table(value, name)?, value)?,
        _ => return Err(Wrong::unknown(key, "", &KEYS)),
    })
}

fn keep(mut rule: Rule, table: &DeTable<'_>) -> Read<Rule> {
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        rule = match name {
            "path" if flag(value, "keep.path")? => rule.keep_path(),
            "path" => rule,
            "query" => texts(value, "keep.query")?
                .into_iter()
                .fold(rule, Rule::keep_query),
            "headers" => {
                let names = texts(value, "keep.headers")?;
                names.into_iter().fold(rule, Rule::keep_header)
            }
            "parameters" => {
                let names = texts(value, "keep.parameters")?;
                names.into_iter().fold(rule, Rule::parameter)
            }
            _ => return Err(Wrong::unknown(key, "keep.", &KEEP)),
        };
    }
    Ok(rule)
}

fn target(rule: Rule, table: &DeTable<'_>, whole: &Value<'_>) -> Read<Rule> {
    let (mut kind, mut parameter) = (None, None);
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "type" => kind = Some(text(value, "target.type")?),
            "parameter" => parameter = Some(text(value, "target.parameter")?),
            _ => return Err(Wrong::unknown(key, "target.", &TARGET)),
        }
    }
    let (Some(kind), Some(parameter)) = (kind, parameter) else {
        let reason = r#"both are needed, as in { type = "document", parameter = "id" }"#;
        return Err(Wrong::new(whole, "target", reason));
    };
    Ok(rule.target_parameter(kind, parameter))
}

/// `401`, `"4xx"`, `"400-499"`.
fn status(value: &Value<'_>, key: &str) -> Read<StatusRange> {
    let wrong = || {
        let reason = r#"a status expected, such as 401, "4xx" or "400-499""#;
        Wrong::new(value, key, reason)
    };
    let Some(text) = value.get_ref().as_str() else {
        let status = number(value, key).map_err(|_| wrong())?;
        return u16::try_from(status)
            .map(StatusRange::from)
            .map_err(|_| wrong());
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (first.parse(), last.parse()),
        None => match text.strip_suffix("xx") {
            Some(class) => (format!("{class}00").parse(), format!("{class}99").parse()),
            None => (text.parse(), text.parse()),
        },
    };
    match (first, last) {
        (Ok(first), Ok(last)) => Ok(StatusRange { first, last }),
        _ => Err(wrong()),
    }
}
