//! What is asked for.

use std::str::FromStr;

use crate::clock::{RecordId, Timestamp};

/// Which records are wanted. All of them, unless told otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    pub(super) action: Option<ActionPattern>,
    pub(super) actor: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) session: Option<String>,
    pub(super) from: Option<Timestamp>,
    pub(super) to: Option<Timestamp>,
    pub(super) before: Option<RecordId>,
    limit: Option<usize>,
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

    /// Only records with a lower id: the page after the one that ended with this.
    #[must_use]
    pub fn before(mut self, id: RecordId) -> Self {
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
