//! What is asked for.

use std::str::FromStr;

use super::Reach;
use crate::clock::{RecordId, Timestamp};

/// Which records are wanted. All of them, unless told otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    pub(super) action: Option<ActionPattern>,
    pub(super) category: Option<String>,
    pub(super) actor: Option<String>,
    pub(super) actor_type: Option<String>,
    pub(super) target_type: Option<String>,
    pub(super) target: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) ip: Option<String>,
    pub(super) session: Option<String>,
    pub(super) request: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) application: Option<String>,
    pub(super) service: Option<String>,
    pub(super) text: Option<String>,
    pub(super) from: Option<Timestamp>,
    pub(super) to: Option<Timestamp>,
    pub(super) before: Option<RecordId>,
    pub(super) after: Option<RecordId>,
    pub(super) arrived_by: Option<u64>,
    pub(super) without_reads: bool,
    pub(super) reach: Reach,
    pub(super) limit: Option<usize>,
}

impl Query {
    /// The default of [`limit`](Self::limit): 100.
    pub const LIMIT: usize = 100;
    /// The largest page: 1000.
    pub const MAX_LIMIT: usize = 1000;

    /// Every record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only this action, or only actions that begin with a prefix.
    #[must_use]
    pub fn action(mut self, pattern: ActionPattern) -> Self {
        self.action = Some(pattern);
        self
    }

    /// Only what the actor with this id did. A name that was only claimed never matches.
    #[must_use]
    pub fn actor(mut self, id: impl Into<String>) -> Self {
        self.actor = Some(id.into());
        self
    }

    /// Only this outcome: `success`, `failure`, `denied`, `error`, `cancelled` or `unknown`.
    #[must_use]
    pub fn outcome(mut self, outcome: impl Into<String>) -> Self {
        self.outcome = Some(outcome.into());
        self
    }

    /// Only what was done in the session with this keyed hash, as the records have it:
    /// `hmac-sha256:k1:9f…`. [`HashKey::hash`](crate::HashKey::hash) and the command
    /// `tower-audit session-hash` make it of a session's id.
    #[must_use]
    pub fn session(mut self, hash: impl Into<String>) -> Self {
        self.session = Some(hash.into());
        self
    }

    /// Only this category.
    #[must_use]
    pub fn category(mut self, category: impl Into<String>) -> Self {
        self.category = Some(category.into());
        self
    }

    /// Only what such an actor did: `user`, `service`, `system`, `anonymous` or `unknown`.
    #[must_use]
    pub fn actor_type(mut self, actor_type: impl Into<String>) -> Self {
        self.actor_type = Some(actor_type.into());
        self
    }

    /// Only records with a target of this type.
    #[must_use]
    pub fn target_type(mut self, target_type: impl Into<String>) -> Self {
        self.target_type = Some(target_type.into());
        self
    }

    /// Only records with a target with this id; with [`target_type`](Self::target_type), of that type.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Only what came from this address, as the records have it.
    #[must_use]
    pub fn ip(mut self, ip: impl Into<String>) -> Self {
        self.ip = Some(ip.into());
        self
    }

    /// Only records of the request with this id.
    #[must_use]
    pub fn request(mut self, request: impl Into<String>) -> Self {
        self.request = Some(request.into());
        self
    }

    /// Only records of the tenant with this id.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Only records of the application with this id.
    #[must_use]
    pub fn application(mut self, application: impl Into<String>) -> Self {
        self.application = Some(application.into());
        self
    }

    /// Only records of this service.
    #[must_use]
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// Only records that have this text, in any case, in a value that says who, what or why: in the
    /// action, a name, an id, an address, the reason, the changes, the details. Names of fields do not
    /// match, and neither do types, times and outcomes.
    ///
    /// No index serves for it: what the other filters leave is read record by record, so a page that
    /// finds little looks at as much as one page may, up to two seconds; see
    /// [`Page::searched_until`](super::Page::searched_until).
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Leaves out what the reading of records left: the actions `audit.read` and `audit.export`.
    #[must_use]
    pub fn without_reads(mut self) -> Self {
        self.without_reads = true;
        self
    }

    /// Only what is in this reach, whatever else is asked for.
    #[must_use]
    pub fn within(mut self, reach: Reach) -> Self {
        self.reach = self.reach.and(reach);
        self
    }

    /// Only records with a higher id, those next to it first: the page before the one that began
    /// with this. The page is newest first all the same. Takes the place of [`before`](Self::before).
    #[must_use]
    pub fn after(mut self, id: RecordId) -> Self {
        self.before = None;
        self.after = Some(id);
        self
    }

    /// Only records that had arrived by then (inclusive), so that what arrives meanwhile changes
    /// nothing.
    #[must_use]
    pub fn arrived_by(mut self, arrival: u64) -> Self {
        self.arrived_by = Some(arrival);
        self
    }

    /// Only actions that began at this microsecond or later.
    #[must_use]
    pub fn from(mut self, start: Timestamp) -> Self {
        self.from = Some(start);
        self
    }

    /// Only actions that began before this microsecond; one that began in it is not included.
    #[must_use]
    pub fn to(mut self, end: Timestamp) -> Self {
        self.to = Some(end);
        self
    }

    /// Only records with a lower id: the page after the one that ended with this. Takes the place of
    /// [`after`](Self::after).
    #[must_use]
    pub fn before(mut self, id: RecordId) -> Self {
        self.after = None;
        self.before = Some(id);
        self
    }

    /// At most so many records: 1 to [`MAX_LIMIT`](Self::MAX_LIMIT), what is outside becomes the
    /// nearer one. Default: [`LIMIT`](Self::LIMIT).
    #[must_use]
    pub fn limit(mut self, records: usize) -> Self {
        self.limit = Some(records.clamp(1, Self::MAX_LIMIT));
        self
    }

    /// The same filters without a page: from the newest on, with the default limit.
    #[cfg(feature = "export")]
    pub(crate) fn all_pages(self) -> Self {
        Self {
            before: None,
            after: None,
            arrived_by: None,
            limit: None,
            ..self
        }
    }

    /// What [`within`](Self::within) allows, in the words of [`params`](Self::params).
    #[cfg(feature = "export")]
    pub(crate) fn reach_params(&self) -> Vec<(&'static str, String)> {
        let Reach {
            tenant,
            actor,
            application,
            ..
        } = &self.reach;
        let given = [
            ("tenant", tenant),
            ("actor", actor),
            ("application", application),
        ];
        let given = given.into_iter();
        given
            .filter_map(|(name, value)| Some((name, value.clone()?)))
            .collect()
    }

    /// The same without a place to go on from.
    pub(super) fn everywhere(mut self) -> Self {
        self.before = None;
        self.after = None;
        self
    }

    pub(super) fn limit_records(&self) -> usize {
        self.limit.unwrap_or(Self::LIMIT)
    }
}

/// One action (`user.login`), or all below a prefix (`user.*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionPattern(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Exact(String),
    /// With the dot at its end.
    Below(String),
}

/// A pattern with `*` somewhere else than behind the last dot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no pattern of actions: write user.login, or user.* for all that begin with user."
)]
#[non_exhaustive]
pub struct ActionPatternError(String);

impl ActionPattern {
    /// Exactly this action, whatever is in its name.
    #[must_use]
    pub fn exact(action: impl Into<String>) -> Self {
        Self(Kind::Exact(action.into()))
    }

    /// As it is written.
    pub(super) fn text(&self) -> String {
        match &self.0 {
            Kind::Exact(action) => action.clone(),
            Kind::Below(prefix) => format!("{prefix}*"),
        }
    }

    pub(super) fn as_exact(&self) -> Option<&str> {
        match &self.0 {
            Kind::Exact(action) => Some(action),
            Kind::Below(_) => None,
        }
    }

    /// The lowest action that matches and the lowest behind all that do.
    pub(super) fn range(&self) -> (String, String) {
        match &self.0 {
            Kind::Exact(action) => (action.clone(), format!("{action}\0")),
            // `/` comes right behind `.`, so this is all that begins with the prefix.
            Kind::Below(prefix) => {
                let end = prefix.strip_suffix('.').unwrap_or(prefix);
                (prefix.clone(), format!("{end}/"))
            }
        }
    }
}

impl FromStr for ActionPattern {
    type Err = ActionPatternError;

    fn from_str(text: &str) -> Result<Self, ActionPatternError> {
        let wrong = || Err(ActionPatternError(text.to_owned()));
        match text.strip_suffix('*') {
            None if text.is_empty() || text.contains('*') => wrong(),
            None => Ok(Self::exact(text)),
            Some(prefix) if prefix.len() < 2 || !prefix.ends_with('.') || prefix.contains('*') => {
                wrong()
            }
            Some(prefix) => Ok(Self(Kind::Below(prefix.to_owned()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_one_action_or_all_below_a_prefix() {
        let range = |text: &str| text.parse::<ActionPattern>().map(|pattern| pattern.range());
        assert_eq!(range("user.*"), Ok(("user.".into(), "user/".into())));
        assert_eq!(
            range("user.login"),
            Ok(("user.login".into(), "user.login\0".into()))
        );
        for wrong in ["", "*", ".*", "user*", "u*.login", "*.login", "user.**"] {
            assert_eq!(
                range(wrong),
                Err(ActionPatternError(wrong.into())),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_limit_is_never_none_and_never_endless() {
        for (given, expected) in [(0, 1), (1, 1), (5000, 1000)] {
            assert_eq!(Query::new().limit(given).limit_records(), expected);
        }
        assert_eq!(Query::new().limit_records(), 100);
    }
}
