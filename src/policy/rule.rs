//! One rule: for what it is, and what follows from it.

use std::{fmt, iter, sync::Arc};

use super::{
    decision::{AddressForm, Facts, Keep, Moment, Until},
    pattern::{ActionPattern, MethodPattern, RoutePattern, StatusRange},
};
use crate::record::{ActorType, Assurance, OnFailure, Outcome};

/// One rule of a policy: conditions, and what follows when they hold.
///
/// Each kind of condition that is named must hold; of several values of one kind, any. A rule
/// without conditions is for every request. A rule records unless it [skips](Self::skip).
///
/// | effect | default |
/// |---|---|
/// | [`assurance`](Self::assurance) | what the catalogue declares for the action, else `Durable` |
/// | [`on_failure`](Self::on_failure) | `Refuse` for `Strict`, else `Continue` |
/// | [`until`](Self::until) | the head of the response |
/// | [`address`](Self::address) | the whole address |
/// | [`keep_path`](Self::keep_path), [`keep_query`](Self::keep_query), [`keep_header`](Self::keep_header), [`parameter`](Self::parameter), [`target_parameter`](Self::target_parameter) | nothing |
///
/// `Strict`, `Refuse` and what is kept are decided when the request arrives. A rule that asks for
/// one of them may only have conditions that can be known then: method, route, and the action if
/// the catalogue gives it to a route. The layer must see the route: `Router::layer` is the place.
///
/// ```
/// use tower_audit::{policy::{Policy, Rule}, record::Assurance};
///
/// let policy = Policy::new()
///     .rule(Rule::new("health checks").method("GET").route("/health").skip())
///     .rule(Rule::new("roles").method("unsafe").route("/admin/**").assurance(Assurance::Strict));
/// assert_eq!(policy.rules().next().map(Rule::name), Some("health checks"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a rule counts once it is added to a policy"]
pub struct Rule {
    pub(super) name: String,
    /// The line of the file it is from.
    pub(super) line: Option<usize>,
    /// The bits of the conditions that it has: what it does not ask must cost a request nothing.
    asked: u8,
    pub(super) methods: Vec<MethodPattern>,
    pub(super) routes: Vec<RoutePattern>,
    pub(super) matched: Option<bool>,
    pub(super) actions: Vec<ActionPattern>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) statuses: Vec<StatusRange>,
    /// `None` among them: nobody said who it was.
    pub(super) actors: Vec<Option<ActorType>>,
    pub(super) annotated: Option<bool>,
    pub(super) skips: bool,
    pub(super) assurance: Option<Assurance>,
    pub(super) on_failure: Option<OnFailure>,
    pub(super) until: Option<Until>,
    pub(super) address: Option<AddressForm>,
    pub(super) keep: Option<Arc<Keep>>,
}

/// The kinds of conditions, in the order in which they are asked: first what costs least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Method,
    Matched,
    Status,
    Outcome,
    Annotated,
    Actor,
    Route,
    Action,
}

/// Whether a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    /// This does not hold.
    No(Condition),
    /// This is not known yet; the rest holds.
    Open(Condition),
}

impl Rule {
    /// A rule of this name that is for every request, and records it.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            line: None,
            asked: 0,
            methods: Vec::new(),
            routes: Vec::new(),
            matched: None,
            actions: Vec::new(),
            outcomes: Vec::new(),
            statuses: Vec::new(),
            actors: Vec::new(),
            annotated: None,
            skips: false,
            assurance: None,
            on_failure: None,
            until: None,
            address: None,
            keep: None,
        }
    }

    /// Only requests with this method, or another that is named: `POST`, or the words `safe` (`GET`,
    /// `HEAD`, `OPTIONS`, `TRACE`; RFC 9110, section 9.2.1) and `unsafe` (all others).
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.asked |= Condition::Method.bit();
        self.methods.push(MethodPattern::new(method.into()));
        self
    }

    /// Only requests on this route, or another that is named, by its template: `/documents/{id}`.
    ///
    /// `*` stands for one whole segment, `/**` at the end for this path and all below.
    pub fn route(mut self, template: impl Into<String>) -> Self {
        self.asked |= Condition::Route.bit();
        self.routes.push(RoutePattern::new(template.into()));
        self
    }

    /// Only requests for which the router had a route, or only those for which it had none; that it
    /// had none is known at the end.
    pub const fn matched(mut self, matched: bool) -> Self {
        self.asked |= Condition::Matched.bit();
        self.matched = Some(matched);
        self
    }

    /// Only this action, or another that is named: `user.login`, or `user.*` for all that begin with
    /// `user.`.
    pub fn action(mut self, action: impl Into<String>) -> Self {
        self.asked |= Condition::Action.bit();
        self.actions.push(ActionPattern::new(action.into()));
        self
    }

    /// Only what ended like this, or like another that is named.
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.asked |= Condition::Outcome.bit();
        self.outcomes.push(outcome);
        self
    }

    /// Only responses with this status, or another that is named: `401`, `500..=599`.
    pub fn status(mut self, status: impl Into<StatusRange>) -> Self {
        self.asked |= Condition::Status.bit();
        self.statuses.push(status.into());
        self
    }

    /// Only actors of this type, or another that is named.
    pub fn actor(mut self, actor: ActorType) -> Self {
        self.asked |= Condition::Actor.bit();
        self.actors.push(Some(actor));
        self
    }

    /// Also, or only, requests of which nobody said who acted.
    pub fn no_actor(mut self) -> Self {
        self.asked |= Condition::Actor.bit();
        self.actors.push(None);
        self
    }

    /// Only what the handler or the catalogue said something about, or only the rest.
    pub const fn annotated(mut self, annotated: bool) -> Self {
        self.asked |= Condition::Annotated.bit();
        self.annotated = Some(annotated);
        self
    }

    /// Leaves no record.
    pub const fn skip(mut self) -> Self {
        self.skips = true;
        self
    }

    /// Leaves a record. The default.
    pub const fn record(mut self) -> Self {
        self.skips = false;
        self
    }

    /// Sets how surely the record is kept.
    pub const fn assurance(mut self, assurance: Assurance) -> Self {
        self.assurance = Some(assurance);
        self
    }

    /// Sets what happens when the record cannot be kept.
    pub const fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = Some(on_failure);
        self
    }

    /// Sets what the record waits for.
    pub const fn until(mut self, until: Until) -> Self {
        self.until = Some(until);
        self
    }

    /// Sets how much of the client's address is written.
    pub const fn address(mut self, address: AddressForm) -> Self {
        self.address = Some(address);
        self
    }

    /// Writes the raw path into the details. It may carry tokens, so it is not written by default.
    pub fn keep_path(mut self) -> Self {
        self.keep().path = true;
        self
    }

    /// Writes the query parameter of this name into the details.
    pub fn keep_query(mut self, name: impl Into<String>) -> Self {
        self.keep().query.push(name.into());
        self
    }

    /// Writes the header of this name into the details. Headers that carry credentials are refused.
    pub fn keep_header(mut self, name: impl Into<String>) -> Self {
        let name = name.into().to_ascii_lowercase();
        self.keep().headers.push(name);
        self
    }

    /// Writes the route parameter of this name into the details.
    pub fn parameter(mut self, name: impl Into<String>) -> Self {
        self.keep().parameters.push(name.into());
        self
    }

    /// Makes the route parameter of this name the target, of this type: `("document", "id")`.
    pub fn target_parameter(mut self, kind: impl Into<String>, name: impl Into<String>) -> Self {
        self.keep().target = Some((name.into(), kind.into()));
        self
    }

    fn keep(&mut self) -> &mut Keep {
        Arc::make_mut(self.keep.get_or_insert_default())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it leaves no record.
    #[must_use]
    pub const fn skips(&self) -> bool {
        self.skips
    }

    /// How surely the record is kept: what this rule says, else the catalogue, else the default.
    pub(super) fn assurance_or(&self, declared: Option<Assurance>) -> Assurance {
        self.assurance.or(declared).unwrap_or_default()
    }

    /// What happens when a record of this assurance cannot be kept.
    pub(super) fn on_failure_or(&self, assurance: Assurance) -> OnFailure {
        self.on_failure
            .unwrap_or_else(|| assurance.default_on_failure())
    }

    /// Whether it matches. On arrival, what is not known yet leaves it open.
    pub(super) fn answer(&self, facts: &Facts<'_>, moment: Moment) -> Answer {
        let mut open = None;
        for condition in Condition::of(self.asked) {
            match self.holds(condition, facts, moment) {
                Some(true) => {}
                Some(false) => return Answer::No(condition),
                None => open = open.or(Some(condition)),
            }
        }
        open.map_or(Answer::Yes, Answer::Open)
    }

    /// Whether a condition that the rule has holds; `None`: not known yet.
    fn holds(&self, condition: Condition, facts: &Facts<'_>, moment: Moment) -> Option<bool> {
        let arrives = moment == Moment::Arrival;
        let known = match condition {
            Condition::Method => any(&self.methods, facts.method, MethodPattern::matches),
            // A layer around the router learns the template from within: none yet is not none.
            Condition::Route | Condition::Matched if arrives && facts.route.is_none() => {
                return None;
            }
            Condition::Route => any(&self.routes, facts.route, RoutePattern::matches),
            Condition::Matched => self.matched == Some(facts.route.is_some()),
            Condition::Action => {
                let matches = any(&self.actions, facts.action, ActionPattern::matches);
                if arrives && !matches {
                    // The handler may name it yet.
                    return None;
                }
                matches
            }
            // What the catalogue names stays named; what it does not, the handler may.
            Condition::Annotated if arrives && !facts.is_named() => return None,
            Condition::Annotated if arrives => self.annotated == Some(true),
            Condition::Annotated => self.annotated == Some(facts.annotated),
            _ if arrives => return None,
            Condition::Outcome => facts.outcome.is_some_and(|it| self.outcomes.contains(&it)),
            Condition::Status => facts
                .status
                .is_some_and(|it| self.statuses.iter().any(|range| range.contains(it))),
            Condition::Actor => self.actors.contains(&facts.actor),
        };
        Some(known)
    }

    /// Whether it has no condition of this kind.
    pub(super) const fn is_free_of(&self, condition: Condition) -> bool {
        self.asked & condition.bit() == 0
    }
}

fn any<T>(patterns: &[T], given: Option<&str>, matches: impl Fn(&T, &str) -> bool) -> bool {
    given.is_some_and(|given| patterns.iter().any(|pattern| matches(pattern, given)))
}

impl Facts<'_> {
    /// On arrival only the catalogue can have named it.
    const fn is_named(&self) -> bool {
        self.annotated || self.action.is_some()
    }
}

impl Condition {
    /// All of them, in the order of their bits.
    const ALL: [Self; 8] = [
        Self::Method,
        Self::Matched,
        Self::Status,
        Self::Outcome,
        Self::Annotated,
        Self::Actor,
        Self::Route,
        Self::Action,
    ];

    /// All of them, as a person would tell of them.
    pub(super) const IN_WORDS: [Self; 8] = [
        Self::Method,
        Self::Route,
        Self::Matched,
        Self::Action,
        Self::Outcome,
        Self::Status,
        Self::Actor,
        Self::Annotated,
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Those with these bits.
    fn of(mut bits: u8) -> impl Iterator<Item = Self> {
        iter::from_fn(move || {
            let lowest = Self::ALL.get(bits.trailing_zeros() as usize)?;
            bits &= bits.wrapping_sub(1);
            Some(*lowest)
        })
    }

    /// The key in a file.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Route => "route",
            Self::Matched => "matched",
            Self::Action => "action",
            Self::Outcome => "outcome",
            Self::Status => "status",
            Self::Actor => "actor",
            Self::Annotated => "annotated",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}
