//! A query as the parameters of an address say it. They are read here and nowhere else.

mod target;
#[cfg(test)]
mod tests;

use std::{net::IpAddr, time::Duration};

use self::target::TargetText;
use super::{ActionPattern, Query};
use crate::{
    address::suggest,
    clock::{RecordId, TimeWordsError, Timestamp},
    record::{ActorType, Outcome},
};

/// The longest value of a parameter in bytes.
const MAX_BYTES: usize = 1024;

/// How much of an unknown parameter's name is repeated.
const MAX_NAME_CHARS: usize = 64;

/// How far back a query goes that does not say it: the last 7 days.
const DEFAULT_RANGE: &str = "7d";

/// Every parameter, in the order in which they are written.
pub(crate) const NAMES: [&str; 20] = [
    "range",
    "from",
    "to",
    "action",
    "category",
    "actor",
    "actor_type",
    "target",
    "outcome",
    "ip",
    "session",
    "request",
    "tenant",
    "application",
    "service",
    "q",
    "reads",
    "before",
    "after",
    "limit",
];

/// A parameter that cannot be read. The value is not repeated: it may be a secret in the wrong
/// place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the parameter {parameter:?}: {reason}")]
#[non_exhaustive]
pub struct ParameterError {
    /// Its name; of an unknown one the first 64 characters. Whoever wrote the address chose them:
    /// they are hostile.
    pub parameter: String,
    /// What is wrong with it, and what to write.
    pub reason: String,
}

impl ParameterError {
    fn new(parameter: &str, reason: impl Into<String>) -> Self {
        Self {
            parameter: parameter.chars().take(MAX_NAME_CHARS).collect(),
            reason: reason.into(),
        }
    }
}

impl Query {
    /// Reads a query from the parameters of an address, already percent-decoded.
    ///
    /// | name | value |
    /// |---|---|
    /// | `from`, `to` | inclusive, exclusive: as [`Timestamp::from_words`] reads them |
    /// | `range` | without `from`: so long before `to` (before `now` if that is earlier), `1h`, `24h`, `7d`, `30d`; `all` and `custom`: no beginning. Without `from` and `range`: `7d` |
    /// | `action` | `document.create`, or `document.*` for all below |
    /// | `category`, `actor`, `request`, `tenant`, `application`, `service` | as the records have it |
    /// | `actor_type`, `outcome` | one of the words of [`ActorType`], [`Outcome`] |
    /// | `target` | `document:4cq`, `document:*` for all of a type, `4cq` or `*:4cq` for the id alone |
    /// | `ip` | an address, or whatever the records have in its place |
    /// | `session` | the hash, never the id |
    /// | `q` | a text to search for |
    /// | `reads` | `1`: what the reading of records left is shown too |
    /// | `before`, `after` | the id of a record; one of both |
    /// | `limit` | 1 to 1000 |
    ///
    /// In a target, `:` and `\` within the type have a `\` before them; the id is taken as it is,
    /// but the id `*` is written `\*`. An empty value counts as absent.
    ///
    /// # Errors
    ///
    /// [`ParameterError`] for an unknown name, one that is there twice, a value longer than 1024
    /// bytes, and one that cannot be read.
    pub fn from_params<N, V>(
        pairs: impl IntoIterator<Item = (N, V)>,
        now: Timestamp,
    ) -> Result<Self, ParameterError>
    where
        N: AsRef<str>,
        V: Into<String>,
    {
        let mut given = Given::default();
        for (name, value) in pairs {
            given.add(name.as_ref(), value.into())?;
        }
        given.query(now)
    }

    /// The query as parameters: [`from_params`](Self::from_params) makes an equal one of them, at
    /// any time. Left out is what they cannot say: [`within`](Self::within) and
    /// [`arrived_by`](Self::arrived_by), and filters by an empty text.
    #[must_use]
    pub fn params(&self) -> Vec<(&'static str, String)> {
        let id = |id: &RecordId| id.to_string();
        let target = TargetText::of(self.target_type.as_deref(), self.target.as_deref());
        let all = || "all".to_owned();
        let values: [Option<String>; NAMES.len()] = [
            self.from.is_none().then(all),
            self.from.as_ref().map(ToString::to_string),
            self.to.as_ref().map(ToString::to_string),
            self.action.as_ref().map(ActionPattern::text),
            self.category.clone(),
            self.actor.clone(),
            self.actor_type.clone(),
            target,
            self.outcome.clone(),
            self.ip.clone(),
            self.session.clone(),
            self.request.clone(),
            self.tenant.clone(),
            self.application.clone(),
            self.service.clone(),
            self.text.clone(),
            (!self.without_reads).then(|| "1".to_owned()),
            self.before.as_ref().map(id),
            self.after.as_ref().map(id),
            self.limit.map(|limit| limit.to_string()),
        ];
        let pairs = NAMES.into_iter().zip(values);
        pairs
            .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)))
            .collect()
    }
}

/// The values that were given, each at the place of its name.
#[derive(Debug, Default)]
struct Given {
    values: Vec<(&'static str, String)>,
}

impl Given {
    fn add(&mut self, name: &str, value: String) -> Result<(), ParameterError> {
        let Some(known) = NAMES.into_iter().find(|known| *known == name) else {
            let reason = format!("there is none of this name; {}", suggest(name, &NAMES));
            return Err(ParameterError::new(name, reason));
        };
        if value.is_empty() {
            return Ok(());
        }
        if value.len() > MAX_BYTES {
            let reason = format!("it is longer than {MAX_BYTES} bytes");
            return Err(ParameterError::new(known, reason));
        }
        if self.values.iter().any(|(there, _)| *there == known) {
            return Err(ParameterError::new(
                known,
                "it is there twice; write it once",
            ));
        }
        self.values.push((known, value));
        Ok(())
    }

    /// The value of a parameter, if it was given.
    fn take(&mut self, name: &'static str) -> Option<String> {
        let place = self.values.iter().position(|(there, _)| *there == name)?;
        Some(self.values.swap_remove(place).1)
    }

    /// The value of a parameter as something else.
    fn read<T>(
        &mut self,
        name: &'static str,
        reason: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ParameterError> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        match read(&value) {
            Some(value) => Ok(Some(value)),
            None => Err(ParameterError::new(name, reason)),
        }
    }

    fn query(mut self, now: Timestamp) -> Result<Query, ParameterError> {
        let to = self.time("to", now)?;
        let target = self.read("target", TARGET, TargetText::read)?;
        let (target_type, target) = target.map_or((None, None), |read| (read.kind, read.id));
        let id = |text: &str| text.parse().ok();
        let limit = |text: &str| {
            let limit = text.parse().ok()?;
            (1..=Query::MAX_LIMIT).contains(&limit).then_some(limit)
        };
        let (before, after) = (self.read("before", ID, id)?, self.read("after", ID, id)?);
        if before.is_some() && after.is_some() {
            return Err(ParameterError::new("after", BOTH));
        }
        Ok(Query {
            from: self.from(to, now)?,
            to,
            action: self.read("action", ACTION, |text| text.parse().ok())?,
            category: self.take("category"),
            actor: self.take("actor"),
            actor_type: self.read("actor_type", ACTOR_TYPE, |word| {
                ActorType::from_word(word).map(|kind| kind.as_str().to_owned())
            })?,
            target_type,
            target,
            outcome: self.read("outcome", OUTCOME, |word| {
                Outcome::from_word(word).map(|outcome| outcome.as_str().to_owned())
            })?,
            ip: self.take("ip").map(ip),
            session: self.read("session", SESSION, |hash| {
                hash.starts_with("hmac-sha256:").then(|| hash.to_owned())
            })?,
            request: self.take("request"),
            tenant: self.take("tenant"),
            application: self.take("application"),
            service: self.take("service"),
            text: self.take("q"),
            without_reads: self
                .read("reads", READS, |text| (text == "1").then_some(()))?
                .is_none(),
            before,
            after,
            limit: self.read("limit", LIMIT, limit)?,
            ..Query::default()
        })
    }

    fn time(
        &mut self,
        name: &'static str,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, ParameterError> {
        let read = self
            .take(name)
            .map(|text| Timestamp::from_words(&text, now));
        let wrong = |error: TimeWordsError| ParameterError::new(name, error.to_string());
        read.transpose().map_err(wrong)
    }

    /// Where the time begins: as it is said, or so long before its end.
    fn from(
        &mut self,
        to: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, ParameterError> {
        let hours = |hours: u64| Some(Some(Duration::from_secs(hours * 60 * 60)));
        let word = self.take("range");
        let range = match word.as_deref().unwrap_or(DEFAULT_RANGE) {
            "1h" => hours(1),
            "24h" => hours(24),
            "7d" => hours(7 * 24),
            "30d" => hours(30 * 24),
            "all" | "custom" => Some(None),
            _ => None,
        };
        let range = range.ok_or_else(|| ParameterError::new("range", RANGE))?;
        let from = self.time("from", now)?;
        let end = to.map_or(now, |to| to.min(now));
        Ok(from.or_else(|| range.map(|range| end.saturating_sub(range))))
    }
}

/// An address in the spelling in which records have it; whatever else stands there, as it is.
fn ip(text: String) -> String {
    match text.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => text,
    }
}

const RANGE: &str = "write 1h, 24h, 7d, 30d, all or custom";
const ACTION: &str = "write one action (user.login), or user.* for all that begin with user.";
const ACTOR_TYPE: &str = "write user, service, system, anonymous or unknown";
const OUTCOME: &str = "write success, failure, denied, error, cancelled or unknown";
const TARGET: &str = "write document:4cq, document:* for all of a type, or an id alone";
const SESSION: &str = "write the hash as the records have it (hmac-sha256:…), not the session's id";
const READS: &str = "write 1, or leave it out";
const ID: &str = "write a record's id, a UUID of version 7";
const BOTH: &str = "give before or after, not both";
const LIMIT: &str = "write a number from 1 to 1000";
