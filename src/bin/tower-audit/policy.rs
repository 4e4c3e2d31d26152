//! `tower-audit policy`.

use std::{error::Error, path::Path};

use serde::Serialize;
use tower_audit::{
    Policy,
    policy::{Facts, PolicyError},
    record::Outcome,
};

use crate::{
    args::PolicyArgs,
    exit::{End, Failure},
    output::{Output, clean},
};

pub(crate) fn run(args: &PolicyArgs, output: &mut Output) -> Result<End, Failure> {
    let policy = match Policy::from_toml_file(&args.file) {
        Ok(policy) => policy,
        Err(error) if error.source().is_some() => return Err(Failure::of(error)),
        Err(error) => return wrong(args, &error, output),
    };
    match &args.explain {
        Some(request) => explain(args, &policy, request, output)?,
        None if args.json => output.json(&Checked::good(&args.file, &policy))?,
        None => lines(&policy.to_string(), output)?,
    }
    Ok(End::Good)
}

fn explain(
    args: &PolicyArgs,
    policy: &Policy,
    request: &[String],
    output: &mut Output,
) -> Result<(), Failure> {
    let [method, route] = request else {
        return Err(Failure::said("--explain takes a method and a route"));
    };
    let facts = Facts::new().method(method).annotated(args.annotated);
    let facts = match route.as_str() {
        "-" => facts,
        route => facts.route(route),
    };
    let outcome = args.outcome.as_deref().and_then(Outcome::from_word);
    let facts = apply(facts, args.action.as_deref(), Facts::action);
    let facts = apply(facts, args.status, Facts::status);
    let facts = apply(facts, outcome, Facts::outcome);
    let explanation = policy.explain(&apply(facts, args.actor, Facts::actor));
    if args.json {
        return Ok(output.json(&explanation)?);
    }
    lines(&explanation.to_string(), output)
}

fn apply<'a, T>(
    facts: Facts<'a>,
    given: Option<T>,
    set: impl Fn(Facts<'a>, T) -> Facts<'a>,
) -> Facts<'a> {
    match given {
        Some(given) => set(facts, given),
        None => facts,
    }
}

fn lines(text: &str, output: &mut Output) -> Result<(), Failure> {
    for line in text.lines() {
        output.line(&clean(line))?;
    }
    Ok(())
}

fn wrong(args: &PolicyArgs, error: &PolicyError, output: &mut Output) -> Result<End, Failure> {
    if args.json {
        output.json(&Checked::wrong(&args.file, error))?;
    } else {
        output.line(&clean(&error.to_string()))?;
    }
    Ok(End::Wrong)
}

/// What a check found, as JSON.
#[derive(Serialize)]
struct Checked<'a> {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<Vec<Listed<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrong: Option<Mistake<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    number: usize,
    name: &'a str,
    rule: String,
}

#[derive(Serialize)]
struct Mistake<'a> {
    line: Option<usize>,
    column: Option<usize>,
    rule: Option<&'a str>,
    key: Option<&'a str>,
    reason: &'a str,
}

impl<'a> Checked<'a> {
    fn good(file: &Path, policy: &'a Policy) -> Self {
        let listed = |(number, rule): (usize, &'a tower_audit::policy::Rule)| Listed {
            number,
            name: rule.name(),
            rule: rule.to_string(),
        };
        Self {
            file: file.display().to_string(),
            rules: Some((1..).zip(policy.rules()).map(listed).collect()),
            wrong: None,
        }
    }

    fn wrong(file: &Path, error: &'a PolicyError) -> Self {
        Self {
            file: file.display().to_string(),
            rules: None,
            wrong: Some(Mistake {
                line: error.line,
                column: error.column,
                rule: error.rule.as_ref().map(|(_, name)| &**name),
                key: error.key.as_deref(),
                reason: &error.reason,
            }),
        }
    }
}
