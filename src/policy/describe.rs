//! Rules in words, for people.

use std::fmt::{self, Display, Write as _};

use super::{
    Policy,
    decision::{Facts, Keep},
    rule::{Condition, Rule},
};
use crate::text::Text;

/// The bytes of a fact that are shown.
const MAX_FACT: usize = 256;

impl Rule {
    /// What this kind of condition asks for: `POST or PUT`. Empty if the rule has none.
    pub(super) fn asked(&self, condition: Condition) -> String {
        match condition {
            Condition::Method => list(&self.methods),
            Condition::Route => list(&self.routes),
            Condition::Matched => self.matched.map(|it| it.to_string()).unwrap_or_default(),
            Condition::Action => list(&self.actions),
            Condition::Outcome => list(&self.outcomes),
            Condition::Status => list(&self.statuses),
            Condition::Actor => list(self.actors.iter().map(|actor| match actor {
                Some(kind) => kind.as_str(),
                None => "none",
            })),
            Condition::Annotated => self.annotated.map(|it| it.to_string()).unwrap_or_default(),
        }
    }

    /// Why a condition does not hold.
    pub(super) fn refusal(&self, condition: Condition, facts: &Facts<'_>) -> String {
        let asked = self.asked(condition);
        let text = |given: Option<&str>| given.map(clean);
        let given = match condition {
            Condition::Method => text(facts.method),
            Condition::Route => text(facts.route),
            Condition::Action => text(facts.action),
            Condition::Outcome => facts.outcome.map(|it| it.to_string()),
            Condition::Status => facts.status.map(|it| it.to_string()),
            Condition::Actor => facts.actor.map(|it| it.to_string()),
            Condition::Matched => {
                let is = if facts.route.is_some() { "a" } else { "no" };
                return format!("{is} route matched");
            }
            Condition::Annotated => {
                let is = if facts.annotated { "" } else { "not " };
                return format!("it is {is}annotated");
            }
        };
        match (given, condition) {
            (Some(given), _) => format!("the {condition} is {given}, not {asked}"),
            (None, Condition::Route) => format!("no route matched, the rule is for {asked}"),
            (None, Condition::Actor) => format!("nobody said who acted, the rule is for {asked}"),
            (None, _) => format!("there is no {condition}, the rule is for {asked}"),
        }
    }

    /// Why a condition is open on arrival.
    pub(super) fn doubt(&self, condition: Condition) -> String {
        let asked = self.asked(condition);
        match condition {
            Condition::Action => format!("the handler may name the action {asked}"),
            Condition::Annotated => "the handler may annotate it".to_owned(),
            Condition::Route => format!("the route may be found within: {asked}"),
            Condition::Matched => "a route may be found within".to_owned(),
            _ => format!("the {condition} is known at the end: {asked}"),
        }
    }
}

/// Which rule it is: `2 "roles" (line 7)`.
pub(super) fn title(number: usize, name: &str, is_default: bool, line: Option<usize>) -> String {
    let mut title = format!("{number} \"{}\"", clean(name));
    if is_default {
        title.push_str(" (default)");
    } else if let Some(line) = line {
        let _ = write!(title, " (line {line})");
    }
    title
}

impl Keep {
    /// What is kept, in words.
    pub(super) fn list(&self) -> Vec<String> {
        let named = |what, names: &[String]| -> Vec<String> {
            let one = |name: &String| format!("{what} {}", clean(name));
            names.iter().map(one).collect()
        };
        let mut list = Vec::new();
        list.extend(self.path.then(|| "the raw path".to_owned()));
        list.extend(named("query parameter", &self.query));
        list.extend(named("header", &self.headers));
        list.extend(named("route parameter", &self.parameters));
        if let Some((name, kind)) = &self.target {
            let (name, kind) = (clean(name), clean(kind));
            list.push(format!("route parameter {name} as target of type {kind}"));
        }
        list
    }
}

/// A fact from outside: one line of visible characters, at most so long.
fn clean(text: &str) -> String {
    let mut text = Text::from(text);
    text.clean(MAX_FACT);
    text.to_string()
}

fn list(items: impl IntoIterator<Item = impl Display>) -> String {
    let mut list = String::new();
    for item in items {
        if !list.is_empty() {
            list.push_str(" or ");
        }
        let _ = write!(list, "{item}");
    }
    clean(&list)
}

impl Display for Rule {
    /// For what it is, and what follows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for condition in Condition::IN_WORDS {
            if !self.is_free_of(condition) {
                write!(f, "{separator}{condition} {}", self.asked(condition))?;
                separator = ", ";
            }
        }
        if separator.is_empty() {
            f.write_str("every request")?;
        }
        f.write_str(if self.skips { ": skip" } else { ": record" })?;
        if let Some(assurance) = self.assurance {
            write!(f, ", {assurance}")?;
        }
        if let Some(on_failure) = self.on_failure {
            write!(f, ", on failure {on_failure}")?;
        }
        if let Some(until) = self.until {
            write!(f, ", until {}", until.as_str())?;
        }
        if let Some(address) = self.address {
            write!(f, ", address {}", address.as_str())?;
        }
        let kept = self.keep.as_deref().map(Keep::list).unwrap_or_default();
        kept.iter().try_for_each(|kept| write!(f, ", keep {kept}"))
    }
}

impl Display for Policy {
    /// Its rules, one a line, in the order in which they are asked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rule, number) in self.rules().zip(1..) {
            let title = title(number, &rule.name, number > self.own, rule.line);
            writeln!(f, "{title}: {rule}")?;
        }
        match self.flood_per_minute {
            Some(rate) => writeln!(f, "flood: folded above {rate} a minute and address"),
            None => writeln!(f, "flood: never folded"),
        }
    }
}
