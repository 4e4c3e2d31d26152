//! The rules: what is recorded, how surely, and what is masked.
//!
//! A policy is a list of rules. It is asked twice about each request, and the first rule that
//! matches wins.
//!
//! - **On arrival** the method is known, the route where the layer sees it, and the action if the
//!   catalogue gives it to the route. This decides what must be decided before the handler runs: whether the trail has to be
//!   able to take the record ([`Refuse`](crate::record::OnFailure::Refuse)), whether an intent is
//!   synced first ([`Strict`](crate::record::Assurance::Strict)), and what is kept of the request.
//!   A rule that also looks at the end is passed over for this. A request is skipped at once, at
//!   next to no cost, when no rule that could still match would record it.
//! - **At the end** outcome, status, actor and action are known too. This decides whether there is a
//!   record, how surely it is kept, and what it waits for. What was promised on arrival stays.
//!
//! `docs/policy.md` is the whole of it for operators, with a file as an example.

mod address;
mod check;
mod decision;
mod defaults;
mod describe;
mod elsewhere;
mod error;
mod explain;
#[cfg(feature = "toml")]
pub(crate) mod file;
mod free_text;
mod keys;
mod names;
mod pattern;
mod redact;
mod rule;
mod search;

pub use decision::{AddressForm, Facts, Recorded, Until};
pub(crate) use decision::{Arrival, Decision, Keep, Verdict, outcome_of};
pub use error::PolicyError;
pub use explain::{ArrivalExplained, EndExplained, Explanation, Named, RuleAsked};
pub use pattern::StatusRange;
pub(crate) use pattern::is_safe;
pub use redact::Redaction;
pub use rule::Rule;

use decision::Moment;
use rule::Answer;

use crate::record::{Assurance, Catalogue, OnFailure};

/// What is recorded, how surely, and what is masked. The first rule that matches wins.
///
/// The default rules follow the policy's own, in this order:
///
/// | rule | is for | records |
/// |---|---|---|
/// | `unsafe methods` | every method but `GET`, `HEAD`, `OPTIONS`, `TRACE`, on a matched route | yes |
/// | `unsafe methods, done` | the same without a matched route, with the outcome `success`, `cancelled` or `unknown` | yes |
/// | `refused or failed` | the statuses 401, 403, 429, 500 to 599 | yes |
/// | `denied or error` | the outcomes `denied` and `error` | yes |
/// | `annotated` | what the handler or the catalogue said something about | yes |
/// | `everything else` | | no |
///
/// ```
/// use tower_audit::{policy::{Policy, Rule, Until}, record::{Assurance, OnFailure}};
///
/// let policy = Policy::new()
///     .rule(Rule::new("health checks").method("GET").route("/health").skip())
///     .rule(Rule::new("exports").route("/export/**").until(Until::Body))
///     .rule(
///         Rule::new("administration")
///             .method("unsafe")
///             .route("/admin/**")
///             .assurance(Assurance::Strict)
///             .on_failure(OnFailure::Refuse),
///     )
///     .flood_per_minute(Some(1000));
/// assert_eq!(policy.rules().count(), 3 + 6);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a policy counts once a trail is started with it"]
pub struct Policy {
    rules: Vec<Rule>,
    /// How many of the rules are not the default's.
    own: usize,
    redaction: Redaction,
    flood_per_minute: Option<u32>,
}

impl Default for Policy {
    /// As [`new`](Self::new).
    fn default() -> Self {
        Self::new()
    }
}

impl Policy {
    /// The rate of folding unless another is set.
    pub const DEFAULT_FLOOD_PER_MINUTE: u32 = 100;

    /// The default rules, the default redaction, and folding above
    /// [100 a minute](Self::DEFAULT_FLOOD_PER_MINUTE).
    pub fn new() -> Self {
        Self {
            rules: defaults::rules(),
            own: 0,
            redaction: Redaction::default(),
            flood_per_minute: Some(Self::DEFAULT_FLOOD_PER_MINUTE),
        }
    }

    /// Adds a rule, after those that were added and before the default ones.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.insert(self.own, rule);
        self.own = self.own.saturating_add(1);
        self
    }

    /// Takes the default rules away. What no rule matches is skipped.
    pub fn without_defaults(mut self) -> Self {
        self.rules.truncate(self.own);
        self
    }

    /// Sets what masks values. Default: [`Redaction::default`].
    pub fn redaction(mut self, redaction: Redaction) -> Self {
        self.redaction = redaction;
        self
    }

    /// Sets how many refused or failed requests without an actor one address may make in a minute
    /// before the rest is folded into one record that counts them; `None`: never folded, so that
    /// anybody can fill the disk. Default: 100.
    pub const fn flood_per_minute(mut self, rate: Option<u32>) -> Self {
        self.flood_per_minute = rate;
        self
    }

    /// All rules in the order in which they are asked, the default ones last.
    #[must_use]
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.rules.iter()
    }

    fn own_rules(&self) -> &[Rule] {
        self.rules.get(..self.own).unwrap_or_default()
    }

    /// Whether every rule can do what it asks for.
    pub(crate) fn check(&self, catalogue: &Catalogue) -> Result<(), PolicyError> {
        check::rules(self)?;
        check::actions(self, catalogue)
    }

    /// What masks values.
    pub(crate) const fn mask(&self) -> &Redaction {
        &self.redaction
    }

    /// How many refused or failed requests without an actor one address may make in a minute
    /// before they are folded; `None`: never folded.
    pub(crate) const fn folds_above(&self) -> Option<u32> {
        self.flood_per_minute
    }

    /// What is known when the request starts: method, route, and the action that the catalogue
    /// gives the route, with the assurance it declares.
    pub(crate) fn on_arrival(&self, facts: &Facts<'_>, declared: Option<Assurance>) -> Arrival {
        let mut verdict = Verdict::Skip;
        for rule in &self.rules {
            match rule.answer(facts, Moment::Arrival) {
                Answer::No(_) => {}
                Answer::Open(_) if rule.skips => {}
                Answer::Open(_) => verdict = Verdict::AtEnd,
                Answer::Yes if rule.skips => break,
                Answer::Yes => {
                    let assurance = rule.assurance_or(declared);
                    return Arrival {
                        verdict: Verdict::AtEnd,
                        assurance,
                        on_failure: rule.on_failure_or(assurance),
                        keep: rule.keep.clone(),
                    };
                }
            }
        }
        Arrival {
            verdict,
            assurance: Assurance::default(),
            on_failure: OnFailure::default(),
            keep: None,
        }
    }

    /// What is known when it ended.
    pub(crate) fn at_end(&self, facts: &Facts<'_>, declared: Option<Assurance>) -> Decision {
        let mut rules = self.rules.iter();
        match rules.find(|rule| rule.answer(facts, Moment::End) == Answer::Yes) {
            Some(rule) if !rule.skips => {
                let assurance = rule.assurance_or(declared);
                Decision {
                    record: true,
                    assurance,
                    on_failure: rule.on_failure_or(assurance),
                    until: rule.until.unwrap_or_default(),
                    address: Some(rule.address.unwrap_or_default()),
                }
            }
            _ => Decision {
                record: false,
                assurance: Assurance::default(),
                on_failure: OnFailure::default(),
                until: Until::default(),
                address: None,
            },
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
