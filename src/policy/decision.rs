//! What a policy is asked, and what it answers.

use std::sync::Arc;

use serde::Serialize;

use crate::record::{ActorType, Assurance, OnFailure, Outcome};

/// What a rule can look at. What is not known yet, or never will be, is `None`.
///
/// ```
/// use tower_audit::policy::{Facts, Policy};
///
/// let login = Facts::new().method("POST").route("/login").status(401);
/// let explanation = Policy::default().explain(&login);
/// assert!(explanation.end.is_some_and(|end| end.recorded));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Facts<'a> {
    /// The method, as the request spells it.
    pub method: Option<&'a str>,
    /// The template of the route; `None` when no route matched, or, on arrival, none is known yet.
    pub route: Option<&'a str>,
    /// The action: on arrival the one that the catalogue gives the route, at the end the record's.
    pub action: Option<&'a str>,
    /// How it ended; `None` on arrival.
    pub outcome: Option<Outcome>,
    /// The status of the response; `None` on arrival, or when there was no response.
    pub status: Option<u16>,
    /// What kind of actor it was; `None` when nobody said.
    pub actor: Option<ActorType>,
    /// Whether the handler or the catalogue said what this is.
    pub annotated: bool,
}

impl<'a> Facts<'a> {
    /// Nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the method, as the request spells it.
    pub const fn method(mut self, method: &'a str) -> Self {
        self.method = Some(method);
        self
    }

    /// Sets the template of the route: `/documents/{id}`.
    pub const fn route(mut self, template: &'a str) -> Self {
        self.route = Some(template);
        self
    }

    /// Sets the action.
    pub const fn action(mut self, action: &'a str) -> Self {
        self.action = Some(action);
        self
    }

    /// Sets how it ended.
    pub const fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = Some(outcome);
        self
    }

    /// Sets the status of the response.
    pub const fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Sets what kind of actor it was.
    pub const fn actor(mut self, actor: ActorType) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Sets whether the handler or the catalogue said what this is.
    pub const fn annotated(mut self, annotated: bool) -> Self {
        self.annotated = annotated;
        self
    }
}

/// What a status says about the outcome: 401 and 403 are `denied`, other 4xx `failure`, 5xx
/// `error`; all else was done, a switch of protocols (101) too.
pub(crate) const fn outcome_of(status: u16) -> Outcome {
    match status {
        401 | 403 => Outcome::Denied,
        400..=499 => Outcome::Failure,
        500..=599 => Outcome::Error,
        _ => Outcome::Success,
    }
}

/// When a policy is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// The request starts: the method is known, the route if it is given, and the action if the
    /// catalogue names it.
    Arrival,
    /// It ended: all is known that ever will be.
    End,
}

/// What is decided when a request starts.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) verdict: Verdict,
    pub(crate) assurance: Assurance,
    pub(crate) on_failure: OnFailure,
    /// What is kept of the request that is gone when it ended; `None`: nothing.
    pub(crate) keep: Option<Arc<Keep>>,
}

impl Arrival {
    /// What is promised where either of two decisions may turn out to be the right one.
    pub(crate) fn or_stricter(mut self, other: Self) -> Self {
        if other.verdict == Verdict::AtEnd {
            self.verdict = Verdict::AtEnd;
        }
        self.assurance = self.assurance.max(other.assurance);
        if other.on_failure == OnFailure::Refuse {
            self.on_failure = OnFailure::Refuse;
        }
        self.keep = self.keep.or(other.keep);
        self
    }
}

/// Whether there will be a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Never, whatever happens: no rule that could still match records.
    Skip,
    /// That is decided at the end.
    AtEnd,
}

/// Whether a request leaves a record, as far as that is known when it arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Recorded {
    /// Whatever happens.
    Always,
    /// Not, whatever happens.
    Never,
    /// That is decided at the end.
    Depends,
}

impl Recorded {
    /// The word in JSON and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
            Self::Depends => "depends",
        }
    }
}

/// What a rule keeps of a request beyond the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Keep {
    /// The raw path (it may carry tokens).
    pub(crate) path: bool,
    /// Names of query parameters.
    pub(crate) query: Vec<String>,
    /// Names of headers, lower case.
    pub(crate) headers: Vec<String>,
    /// Names of route parameters that go into the details.
    pub(crate) parameters: Vec<String>,
    /// The route parameter that becomes the target: its name and the target's type.
    pub(crate) target: Option<(String, String)>,
}

/// What is decided when a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) record: bool,
    pub(crate) assurance: Assurance,
    pub(crate) on_failure: OnFailure,
    pub(crate) until: Until,
    /// `None`: no rule records it, so that none says how much of the address is written.
    pub(crate) address: Option<AddressForm>,
}

impl Decision {
    /// Whether it asks for what only the arrival could have given: an intent, or a refusal.
    pub(crate) fn is_late(&self, arrival: &Arrival) -> bool {
        let is_strict = |assurance| assurance == Assurance::Strict;
        let refuses = |on_failure| on_failure == OnFailure::Refuse;
        self.record
            && (is_strict(self.assurance) && !is_strict(arrival.assurance)
                || refuses(self.on_failure) && !refuses(arrival.on_failure))
    }

    /// The decision, not weaker than what was promised on arrival.
    pub(crate) fn at_least(mut self, arrival: &Arrival) -> Self {
        if arrival.assurance == Assurance::Strict {
            // Its intent is in the journal: without a record it would become an `unknown` one.
            self.record = true;
            self.assurance = Assurance::Strict;
        }
        if arrival.on_failure == OnFailure::Refuse {
            self.on_failure = OnFailure::Refuse;
        }
        self
    }
}

/// What a request's record waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Until {
    /// The head of the response.
    #[default]
    Head,
    /// The end of its body.
    Body,
}

/// How much of a client's address is written. In order: each says less than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AddressForm {
    /// The whole address.
    #[default]
    Full,
    /// The network: /24 of an IPv4 address, /48 of an IPv6 address.
    Shortened,
    /// A keyed hash.
    Hashed,
    /// Nothing.
    Off,
}

impl Until {
    /// All of them, in the order of the documentation.
    pub const ALL: &'static [Self] = &[Self::Head, Self::Body];

    /// The word in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Body => "body",
        }
    }
}

impl AddressForm {
    /// All of them, in the order of the documentation.
    pub const ALL: &'static [Self] = &[Self::Full, Self::Shortened, Self::Hashed, Self::Off];

    /// The word in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Shortened => "shortened",
            Self::Hashed => "hashed",
            Self::Off => "off",
        }
    }
}
