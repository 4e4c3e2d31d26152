//! What a rule cannot do: found before anything runs.

use super::{
    Policy,
    decision::{Facts, Keep, Moment},
    error::PolicyError,
    rule::{Answer, Condition, Rule},
};
use crate::{
    record::{Assurance, Catalogue, Declaration, OnFailure},
    text::Text,
};

/// The bytes of a rule's name.
const MAX_NAME: usize = 128;

/// Headers that are credentials, or hold them.
const SECRET_HEADERS: [&str; 4] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
];

/// The key that is wrong, and what would be right.
type Fault = (&'static str, String);

/// Whether the rules can do what they ask for, as far as that is known without a catalogue.
pub(super) fn rules(policy: &Policy) -> Result<(), PolicyError> {
    if policy.flood_per_minute == Some(0) {
        let reason = "0 would fold every request: name a rate from 1 on, or switch folding off";
        return Err(PolicyError::new("flood.per_minute", reason));
    }
    let own = policy.own_rules();
    for (index, rule) in own.iter().enumerate() {
        let earlier = own.get(..index).unwrap_or_default();
        if let Some(fault) = fault(rule).or_else(|| hidden(rule, earlier)) {
            return Err(error(index, rule, fault));
        }
    }
    Ok(())
}

/// Whether the catalogue gives what is asked for by action to a route, so that it is known in time.
pub(super) fn actions(policy: &Policy, catalogue: &Catalogue) -> Result<(), PolicyError> {
    declarations(catalogue)?;
    for (index, rule) in policy.own_rules().iter().enumerate() {
        let Some((key, asked)) = asks_on_arrival(rule) else {
            continue;
        };
        if rule.actions.is_empty() || is_declared(rule, catalogue) {
            continue;
        }
        let reason = format!(
            "{asked} must be known when a request arrives, and the catalogue gives no route of \
             this rule to an action that it names: declare the action with its route, or name the \
             route here"
        );
        return Err(error(index, rule, (key, reason)));
    }
    Ok(())
}

/// Whether each action that is declared `Strict` is known when its request arrives.
fn declarations(catalogue: &Catalogue) -> Result<(), PolicyError> {
    let strict = Some(Assurance::Strict);
    let late = |it: &&Declaration| it.assurance == strict && it.routes.is_empty();
    let Some(late) = catalogue.iter().find(late) else {
        return Ok(());
    };
    let reason = format!(
        "strict must be known when a request arrives, and the action {:?} is declared without a \
         route: declare it with its route, or let its handler or job make the intent itself",
        late.action.as_str()
    );
    Err(PolicyError::new("catalogue", reason))
}

fn error(index: usize, rule: &Rule, (key, reason): Fault) -> PolicyError {
    PolicyError {
        line: rule.line,
        rule: Some((index.saturating_add(1), rule.name.as_str().into())),
        ..PolicyError::new(key, reason)
    }
}

fn is_declared(rule: &Rule, catalogue: &Catalogue) -> bool {
    catalogue.iter().any(|declared| {
        declared.routes.iter().any(|route| {
            let facts = Facts::new()
                .method(&route.method)
                .route(&route.template)
                .action(declared.action.as_str());
            rule.answer(&facts, Moment::Arrival) == Answer::Yes
        })
    })
}

fn fault(rule: &Rule) -> Option<Fault> {
    name(rule)
        .or_else(|| patterns(rule))
        .or_else(|| skips(rule))
        .or_else(|| late(rule))
        .or_else(|| rule.keep.as_deref().and_then(keep))
}

fn name(rule: &Rule) -> Option<Fault> {
    if rule.name.trim().is_empty() {
        let reason = "a rule needs a name, by which explanations and the inventory tell of it";
        return Some(("name", reason.to_owned()));
    }
    let is_clean = Text::from(rule.name.as_str()).is_clean(MAX_NAME);
    (!is_clean).then(|| {
        let reason = format!("at most {MAX_NAME} bytes of characters that can be seen");
        ("name", reason)
    })
}

fn patterns(rule: &Rule) -> Option<Fault> {
    let first = |key, fault: Option<String>| fault.map(|fault| (key, fault));
    first("method", rule.methods.iter().find_map(|it| it.fault()))
        .or_else(|| first("route", rule.routes.iter().find_map(|it| it.fault())))
        .or_else(|| first("action", rule.actions.iter().find_map(|it| it.fault())))
        .or_else(|| first("status", rule.statuses.iter().find_map(|it| it.fault())))
        .or_else(|| {
            let never = rule.matched == Some(false) && !rule.routes.is_empty();
            let reason =
                "a request without a route is on none of those that route names: remove one";
            never.then(|| ("matched", reason.to_owned()))
        })
}

/// What a rule that leaves no record asks for all the same.
fn skips(rule: &Rule) -> Option<Fault> {
    let (key, _) = effects(rule).into_iter().find(|(_, is_asked)| *is_asked)?;
    let reason = "the rule skips, so there is no record that this could be for: remove one of them";
    rule.skips.then(|| (key, reason.to_owned()))
}

fn effects(rule: &Rule) -> [(&'static str, bool); 5] {
    [
        ("assurance", rule.assurance.is_some()),
        ("on_failure", rule.on_failure.is_some()),
        ("until", rule.until.is_some()),
        ("address", rule.address.is_some()),
        ("keep", rule.keep.is_some()),
    ]
}

/// What is decided on arrival, asked for by what is known at the end only.
fn late(rule: &Rule) -> Option<Fault> {
    const END: [Condition; 4] = [
        Condition::Outcome,
        Condition::Status,
        Condition::Actor,
        Condition::Annotated,
    ];
    let (key, asked) = asks_on_arrival(rule)?;
    if rule.matched == Some(false) {
        let reason = format!(
            "{asked} must be known when a request arrives, and that no route matches is known only \
             at the end: name the method instead, or matched = true"
        );
        return Some((key, reason));
    }
    let late = END.into_iter().find(|kind| !rule.is_free_of(*kind))?;
    let reason = format!(
        "{asked} must be known when a request arrives, and {late} is known only at the end: name \
         the method, the route or the action instead"
    );
    Some((key, reason))
}

/// What a rule asks for that is decided on arrival: its key, and what it is.
fn asks_on_arrival(rule: &Rule) -> Option<Fault> {
    if rule.assurance == Some(Assurance::Strict) {
        Some(("assurance", "strict".to_owned()))
    } else if rule.on_failure == Some(OnFailure::Refuse) {
        Some(("on_failure", "refuse".to_owned()))
    } else if rule.keep.is_some() {
        Some(("keep", "what is kept of a request".to_owned()))
    } else {
        None
    }
}

fn keep(keep: &Keep) -> Option<Fault> {
    let secret = |name: &&String| SECRET_HEADERS.contains(&name.as_str());
    if let Some(name) = keep.headers.iter().find(secret) {
        let reason = format!("the header {name} carries credentials, which no record may hold");
        return Some(("keep", reason));
    }
    let wrong = |name: &&String| http::HeaderName::try_from(name.as_str()).is_err();
    if let Some(name) = keep.headers.iter().find(wrong) {
        return Some(("keep", format!("{name:?} is no name of a header")));
    }
    let target = keep.target.iter().flat_map(|(name, kind)| [name, kind]);
    let mut names = keep.query.iter().chain(&keep.parameters).chain(target);
    names.any(String::is_empty).then(|| {
        let reason = "a parameter and the type of a target need a name";
        ("keep", reason.to_owned())
    })
}

/// An earlier rule of the same name, or one that always matches first.
fn hidden(rule: &Rule, earlier: &[Rule]) -> Option<Fault> {
    let numbered = || earlier.iter().zip(1..);
    if let Some((_, number)) = numbered().find(|(other, _)| other.name == rule.name) {
        let reason =
            format!("rule {number} has the same name: explanations could not tell them apart");
        return Some(("name", reason));
    }
    let (other, number) = numbered().find(|(other, _)| covers(other, rule))?;
    let reason = format!(
        "this rule can never match: rule {number} ({:?}) comes first and matches all that it does; \
         put this one before it",
        other.name
    );
    Some(("name", reason))
}

/// Whether every request that one rule matches is matched by the other.
pub(super) fn covers(wide: &Rule, narrow: &Rule) -> bool {
    // Without a condition of a kind a rule is for all of that kind.
    fn all<T>(wide: &[T], narrow: &[T], covers: impl Fn(&T, &T) -> bool) -> bool {
        let one = |narrow| wide.iter().any(|wide| covers(wide, narrow));
        wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(one))
    }
    let matched = narrow
        .matched
        .or_else(|| (!narrow.routes.is_empty()).then_some(true));
    all(&wide.methods, &narrow.methods, |a, b| a.covers(b))
        && all(&wide.routes, &narrow.routes, |a, b| a.covers(b))
        && all(&wide.actions, &narrow.actions, |a, b| a.covers(b))
        && all(&wide.statuses, &narrow.statuses, |a, b| a.covers(*b))
        && all(&wide.outcomes, &narrow.outcomes, PartialEq::eq)
        && all(&wide.actors, &narrow.actors, PartialEq::eq)
        && (wide.matched.is_none() || wide.matched == matched)
        && (wide.annotated.is_none() || wide.annotated == narrow.annotated)
}

#[cfg(test)]
mod tests;
