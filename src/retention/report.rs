//! What would be removed, and what was.

use std::fmt;

use serde::Serialize;

use super::Beside;
use crate::{
    clock::Timestamp,
    record::{Actor, Record},
};

/// What one rule decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RuleCount {
    /// The rule in words.
    pub rule: String,
    /// Records that it keeps, of those that were looked at.
    pub kept: u64,
    /// Records that may go by it, and that a hold keeps.
    pub held: u64,
    /// Records that go by it, or went.
    pub removed: u64,
}

/// What a prune would do: nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// The store.
    pub address: String,
    /// The time that ages were counted to.
    pub now: Timestamp,
    /// The digest of the policy.
    pub policy: String,
    /// What each rule decides, in their order; then the default, then the trail's own records.
    /// Records that are too young for any rule are not looked at, and not counted.
    pub rules: Vec<RuleCount>,
    /// How many holds keep something, or could.
    pub holds: usize,
    /// How many records would go.
    pub removed: u64,
    /// When the oldest and the newest of them began.
    pub oldest: Option<Timestamp>,
    /// See [`oldest`](Self::oldest).
    pub newest: Option<Timestamp>,
    /// The time in the id of the oldest record that would remain.
    pub oldest_remaining: Option<Timestamp>,
    /// Parts of the records that would go as a whole. Only PostgreSQL has any.
    pub parts: Vec<String>,
}

/// What a prune did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Its id, under which it stands in the store's `audit_prunes`.
    pub id: String,
    /// What was removed, and what remains.
    #[serde(flatten)]
    pub done: Plan,
    /// Who ran it.
    pub by: String,
    /// Whether it came to its end; otherwise the next one goes on.
    pub complete: bool,
    /// Parts that were made anew with what stays of them. Only PostgreSQL has any.
    pub renewed: Vec<String>,
    /// What was left as it was, and why.
    pub left: Vec<String>,
    /// Digest and words of the policy of the prune before, where it was another.
    pub previous_policy: Option<(String, String)>,
    /// The policy in words.
    pub policy_text: String,
}

impl Report {
    /// `audit.prune`: what was removed, by which policy.
    #[must_use]
    pub fn record(&self) -> Record {
        let done = &self.done;
        let record = Record::new("audit.prune")
            .actor(who(&self.by))
            .detail("store", &done.address)
            .detail("run", &self.id)
            .detail("policy", &done.policy)
            .detail("removed", done.removed)
            .detail("oldest", done.oldest)
            .detail("newest", done.newest)
            .detail("oldest_remaining", done.oldest_remaining)
            .detail("parts", (!done.parts.is_empty()).then_some(&done.parts))
            .detail(
                "renewed",
                (!self.renewed.is_empty()).then_some(&self.renewed),
            )
            .detail("rules", &done.rules)
            .detail("holds", done.holds)
            .detail("complete", self.complete);
        if self.complete {
            record.success()
        } else {
            record.failure("it was ended before it was through; the next one goes on")
        }
    }

    /// `audit.retention_changed`: another policy than at the prune before, if it was another.
    #[must_use]
    pub fn change_record(&self) -> Option<Record> {
        let (digest, text) = self.previous_policy.as_ref()?;
        let record = Record::new("audit.retention_changed").actor(who(&self.by));
        let record = record.detail("store", &self.done.address);
        let previous = serde_json::json!({"digest": digest, "policy": text});
        let current = serde_json::json!({"digest": self.done.policy, "policy": self.policy_text});
        let record = record
            .detail("previous", previous)
            .detail("current", current);
        Some(record.success())
    }
}

impl Beside {
    /// `audit.prune`: what was removed of dead letters and rotated files.
    #[must_use]
    pub fn record(&self, by: &str) -> Record {
        let record = Record::new("audit.prune")
            .actor(who(by))
            .detail("beside", self);
        if self.failed == 0 {
            record.success()
        } else {
            record.failure("not all could be removed; the next one tries again")
        }
    }
}

/// Who did it: the system, or an operator by the name that he gave, which nobody verified.
pub(super) fn who(by: &str) -> Actor {
    if by == super::SYSTEM {
        Actor::system()
    } else {
        Actor::anonymous().claimed(by.to_owned())
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.address)?;
        for rule in &self.rules {
            if rule.kept + rule.held + rule.removed > 0 {
                let RuleCount {
                    rule,
                    kept,
                    held,
                    removed,
                } = rule;
                writeln!(f, "  {removed:>10} go, {held} held, {kept} kept: {rule}")?;
            }
        }
        if self.holds > 0 {
            writeln!(f, "  holds: {}", self.holds)?;
        }
        for part in &self.parts {
            writeln!(f, "  part as a whole: {part}")?;
        }
        match (self.oldest, self.newest) {
            (Some(oldest), Some(newest)) => {
                writeln!(f, "  {} records, from {oldest} to {newest}", self.removed)?;
            }
            _ => writeln!(f, "  nothing to remove")?,
        }
        match self.oldest_remaining {
            Some(oldest) => writeln!(f, "  oldest that remains: {oldest}"),
            None => writeln!(f, "  nothing remains"),
        }
    }
}
