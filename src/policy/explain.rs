//! Which rule it is, and why: for people who wonder about a request.

use std::fmt;

use serde::Serialize;

use super::{
    Policy,
    decision::{AddressForm, Facts, Moment, Recorded, Until, outcome_of},
    describe::title,
    rule::{Answer, Rule},
};
use crate::record::{Assurance, OnFailure};

/// What a policy makes of a request, and why. Its `Display` tells it to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// When the request arrives.
    pub arrival: ArrivalExplained,
    /// When it ended; `None` when the facts say nothing about the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<EndExplained>,
}

/// What is decided when a request arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ArrivalExplained {
    /// Whether there will be a record.
    pub recorded: Recorded,
    /// How surely a record will be kept at least.
    pub assurance: Named<Assurance>,
    /// What happens when the trail could not keep it.
    pub on_failure: OnFailure,
    /// What is kept of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keeps: Vec<String>,
    /// The rules that were asked, in order. The last one matches, unless none does.
    pub asked: Vec<RuleAsked>,
}

/// What is decided when a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EndExplained {
    /// Whether there is a record.
    pub recorded: bool,
    /// How surely it is kept.
    pub assurance: Named<Assurance>,
    /// What happens when the trail cannot keep it.
    pub on_failure: OnFailure,
    /// What it waits for.
    pub until: Until,
    /// How much of the client's address is written.
    pub address: AddressForm,
    /// The rules that were asked, in order. The last one matches, unless none does.
    pub asked: Vec<RuleAsked>,
}

/// A value, and whether a rule names it. If not, the catalogue may declare another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Named<T> {
    /// The value, when the catalogue declares nothing.
    pub value: T,
    /// Whether the rule names it.
    pub by_rule: bool,
}

/// A rule, and whether it matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RuleAsked {
    /// Its number, from 1 on.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// Whether it is one of the default rules.
    pub is_default: bool,
    /// The line of the file it is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Whether it matches; `None`: that is open until the end.
    pub matches: Option<bool>,
    /// Why it does not, or why that is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

impl Policy {
    /// Which rules decide about such a request, and why.
    ///
    /// An action that is given counts as named: on arrival by the catalogue. Where a status is given
    /// but no outcome, the outcome is what the layer makes of the status.
    #[must_use]
    pub fn explain(&self, facts: &Facts<'_>) -> Explanation {
        let mut facts = *facts;
        facts.outcome = facts.outcome.or_else(|| facts.status.map(outcome_of));
        facts.annotated |= facts.action.is_some();
        let has_ended = facts.outcome.is_some() || facts.actor.is_some();
        Explanation {
            arrival: self.arrival_explained(&facts),
            end: has_ended.then(|| self.end_explained(&facts)),
        }
    }

    /// Whether such a request leaves a record, and the rules that may decide it: those that are open
    /// when it arrives, up to the first that matches.
    pub(crate) fn outlook(
        &self,
        facts: &Facts<'_>,
        declared: Option<Assurance>,
    ) -> (Recorded, Vec<&Rule>) {
        let mut rules: Vec<&Rule> = Vec::new();
        let mut is_open = true;
        for rule in self.rules() {
            let answer = rule.answer(facts, Moment::Arrival);
            if !matches!(answer, Answer::No(_)) {
                rules.push(rule);
            }
            if answer == Answer::Yes {
                is_open = false;
                break;
            }
        }
        // What no rule matches is skipped.
        let may_skip = is_open || rules.iter().any(|rule| rule.skips);
        let may_record = rules.iter().any(|rule| !rule.skips);
        let is_strict = self.on_arrival(facts, declared).assurance == Assurance::Strict;
        let recorded = match (may_record, may_skip) {
            (true, true) if !is_strict => Recorded::Depends,
            (true, _) => Recorded::Always,
            (false, _) => Recorded::Never,
        };
        (recorded, rules)
    }

    fn arrival_explained(&self, facts: &Facts<'_>) -> ArrivalExplained {
        let arrival = self.on_arrival(facts, None);
        let (asked, rule) = self.asked(facts, Moment::Arrival);
        let kept = arrival.keep.as_deref();
        ArrivalExplained {
            recorded: self.outlook(facts, None).0,
            assurance: Named {
                value: arrival.assurance,
                by_rule: names_assurance(rule),
            },
            on_failure: arrival.on_failure,
            keeps: kept.map(super::Keep::list).unwrap_or_default(),
            asked,
        }
    }

    fn end_explained(&self, facts: &Facts<'_>) -> EndExplained {
        let (asked, rule) = self.asked(facts, Moment::End);
        let arrival = self.on_arrival(facts, None);
        let decision = self.at_end(facts, None).at_least(&arrival);
        let promised = arrival.assurance == Assurance::Strict;
        EndExplained {
            recorded: decision.record,
            assurance: Named {
                value: decision.assurance,
                by_rule: promised || names_assurance(rule),
            },
            on_failure: decision.on_failure,
            until: decision.until,
            address: decision
                .address
                .unwrap_or_else(|| self.address_so_far(facts)),
            asked,
        }
    }

    /// The rules up to the one that matches, and that one.
    fn asked(&self, facts: &Facts<'_>, moment: Moment) -> (Vec<RuleAsked>, Option<&Rule>) {
        let mut asked = Vec::new();
        for (rule, number) in self.rules().zip(1..) {
            let answer = rule.answer(facts, moment);
            let (matches, because) = match answer {
                Answer::Yes => (Some(true), None),
                Answer::No(condition) => (Some(false), Some(rule.refusal(condition, facts))),
                Answer::Open(condition) => (None, Some(rule.doubt(condition))),
            };
            asked.push(RuleAsked {
                number,
                name: rule.name.clone(),
                is_default: number > self.own,
                line: rule.line,
                matches,
                because,
            });
            if answer == Answer::Yes {
                return (asked, Some(rule));
            }
        }
        (asked, None)
    }
}

fn names_assurance(rule: Option<&Rule>) -> bool {
    rule.is_none_or(|rule| rule.skips || rule.assurance.is_some())
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.arrival.fmt(f)?;
        match &self.end {
            Some(end) => end.fmt(f),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ArrivalExplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "on arrival:")?;
        rules(f, &self.asked)?;
        let recorded = match self.recorded {
            Recorded::Never => return writeln!(f, "  => skipped, whatever happens"),
            Recorded::Always => "recorded, whatever happens",
            Recorded::Depends => "recorded or skipped, that depends on the end",
        };
        let (assurance, on_failure) = (self.assurance, self.on_failure);
        writeln!(f, "  => {recorded}; {assurance}; on failure {on_failure}")?;
        self.keeps
            .iter()
            .try_for_each(|kept| writeln!(f, "     keeps {kept}"))
    }
}

impl fmt::Display for EndExplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "at the end:")?;
        rules(f, &self.asked)?;
        if !self.recorded {
            return writeln!(f, "  => skipped");
        }
        let (until, address) = (self.until.as_str(), self.address.as_str());
        write!(
            f,
            "  => recorded; {}; on failure {}",
            self.assurance, self.on_failure
        )?;
        writeln!(f, "; waits for the {until}; address {address}")
    }
}

fn rules(f: &mut fmt::Formatter<'_>, asked: &[RuleAsked]) -> fmt::Result {
    asked.iter().try_for_each(|rule| writeln!(f, "  {rule}"))
}

impl fmt::Display for RuleAsked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let matches = match self.matches {
            Some(true) => "yes",
            Some(false) => "no",
            None => "open",
        };
        let title = title(self.number, &self.name, self.is_default, self.line);
        write!(f, "{title}: {matches}")?;
        match &self.because {
            Some(because) => write!(f, ", {because}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Named<Assurance> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value)?;
        if self.by_rule {
            return Ok(());
        }
        f.write_str(" unless the catalogue declares another")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{policy::Facts, record::Outcome};

    fn policy() -> Policy {
        Policy::new()
            .rule(Rule::new("health").method("GET").route("/health").skip())
            .rule(
                Rule::new("log in")
                    .outcome(Outcome::Denied)
                    .address(AddressForm::Hashed),
            )
            .rule(
                Rule::new("roles")
                    .method("unsafe")
                    .route("/admin/**")
                    .assurance(Assurance::Strict)
                    .keep_query("page"),
            )
    }

    fn told(facts: &Facts<'_>) -> String {
        policy().explain(facts).to_string()
    }

    #[test]
    fn a_skipped_request_is_explained_in_one_rule() {
        let expected = "on arrival:\n  1 \"health\": yes\n  => skipped, whatever happens\n";
        assert_eq!(told(&Facts::new().method("GET").route("/health")), expected);
    }

    #[test]
    fn each_rule_before_says_why_it_does_not_match() {
        let facts = Facts::new()
            .method("POST")
            .route("/admin/users")
            .status(404);
        let expected = r#"on arrival:
  1 "health": no, the method is POST, not GET
  2 "log in": open, the outcome is known at the end: denied
  3 "roles": yes
  => recorded, whatever happens; strict; on failure refuse
     keeps query parameter page
at the end:
  1 "health": no, the method is POST, not GET
  2 "log in": no, the outcome is failure, not denied
  3 "roles": yes
  => recorded; strict; on failure refuse; waits for the head; address full
"#;
        assert_eq!(told(&facts), expected);
    }

    #[test]
    fn the_defaults_are_told_apart_and_the_catalogue_is_named() {
        let facts = Facts::new().method("GET").route("/a").status(500);
        let told = told(&facts);
        for expected in [
            "1 \"health\": no, the route is /a, not /health",
            "3 \"roles\": no, the method is GET, not unsafe",
            "8 \"annotated\" (default): open, the handler may annotate it",
            "6 \"refused or failed\" (default): yes",
            "=> recorded; durable unless the catalogue declares another; on failure continue",
        ] {
            assert!(told.contains(expected), "{expected}\n{told}");
        }
    }

    #[test]
    fn a_promise_of_the_arrival_shows_at_the_end() {
        let facts = Facts::new().method("PUT").route("/admin/a").status(401);
        let end = policy().explain(&facts).end.unwrap();
        assert_eq!(end.asked.last().unwrap().name, "log in");
        assert_eq!(end.assurance.value, Assurance::Strict);
        assert_eq!(end.address, AddressForm::Hashed);
    }

    // Trap C16.
    #[test]
    fn facts_from_outside_stay_on_their_line() {
        let facts = Facts::new().method("A\nB\u{1b}[2J").route("/\u{202e}");
        let told = told(&facts);
        assert!(
            told.contains(r"the method is A\nB\u{1b}[2J, not GET"),
            "{told}"
        );
        let long = "/".repeat(100_000);
        let told = policy()
            .explain(&Facts::new().method("GET").route(&long))
            .to_string();
        assert!(told.len() < 4096, "{}", told.len());
    }

    #[test]
    fn a_policy_lists_its_rules() {
        let list = policy().to_string();
        let expected = r#"1 "health": method GET, route /health: skip
2 "log in": outcome denied: record, address hashed
3 "roles": method unsafe, route /admin/**: record, strict, keep query parameter page
4 "unsafe methods" (default): method unsafe, matched true: record
5 "unsafe methods, done" (default): method unsafe, outcome success or cancelled or unknown: record
6 "refused or failed" (default): status 401 or 403 or 429 or 500-599: record
7 "denied or error" (default): outcome denied or error: record
8 "annotated" (default): annotated true: record
9 "everything else" (default): every request: skip
flood: folded above 100 a minute and address
"#;
        assert_eq!(list, expected);
    }
}
