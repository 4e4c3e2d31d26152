//! Judging records one after the other, and counting what became of them.

use super::{
    Hold, Retention,
    policy::Facts,
    report::RuleCount,
    tables::{Alike, Candidate, Key, Part},
};
use crate::clock::{RecordId, Timestamp};

/// What a policy and the holds say of records, as far as they were looked at.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    pub(super) rules: Vec<RuleCount>,
    pub(super) removed: u64,
    pub(super) oldest: Option<Timestamp>,
    pub(super) newest: Option<Timestamp>,
    pub(super) oldest_kept: Option<Key>,
}

/// What is to become of one page of records.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) going: Vec<Key>,
    pub(super) staying: Vec<Key>,
    pub(super) tally: Tally,
}

impl Tally {
    pub(super) fn new(retention: &Retention) -> Self {
        let count = |rule| RuleCount {
            rule,
            kept: 0,
            held: 0,
            removed: 0,
        };
        Self {
            rules: retention.names().into_iter().map(count).collect(),
            removed: 0,
            oldest: None,
            newest: None,
            oldest_kept: None,
        }
    }

    pub(super) fn counts(&self) -> String {
        serde_json::to_string(&self.rules).unwrap_or_default()
    }

    fn remove(&mut self, rule: usize, count: u64, oldest: Timestamp, newest: Timestamp) {
        if let Some(rule) = self.rules.get_mut(rule) {
            rule.removed += count;
        }
        self.removed += count;
        self.oldest = Some(self.oldest.map_or(oldest, |known| known.min(oldest)));
        self.newest = Some(self.newest.map_or(newest, |known| known.max(newest)));
    }

    fn keep(&mut self, rule: usize, id: Key, is_held: bool) {
        if let Some(rule) = self.rules.get_mut(rule) {
            rule.held += u64::from(is_held);
            rule.kept += u64::from(!is_held);
        }
        self.oldest_kept = Some(self.oldest_kept.map_or(id, |known| known.min(id)));
    }

    /// Judges a page of records; this tally with it is in what comes back.
    pub(super) fn judge(
        &self,
        page: &[Candidate],
        retention: &Retention,
        holds: &[Hold],
        now: Timestamp,
    ) -> Judged {
        let mut tally = self.clone();
        let (mut going, mut staying) = (Vec::new(), Vec::new());
        for candidate in page {
            let (rule, goes) = retention.judge(&facts(candidate), now);
            let is_held = goes
                && holds.iter().any(|hold| {
                    candidate
                        .json
                        .as_deref()
                        .is_none_or(|json| hold.keeps(json))
                });
            if goes && !is_held {
                going.push(candidate.id);
                tally.remove(rule, 1, candidate.timestamp, candidate.timestamp);
            } else {
                staying.push(candidate.id);
                tally.keep(rule, candidate.id, is_held);
            }
        }
        Judged {
            going,
            staying,
            tally,
        }
    }

    /// This tally, and what goes by another one; what stays by it will be looked at again.
    pub(super) fn and_removed(&self, other: &Self) -> Self {
        let mut tally = self.clone();
        for (rule, more) in tally.rules.iter_mut().zip(&other.rules) {
            rule.removed += more.removed;
        }
        tally.removed += other.removed;
        tally.oldest = [self.oldest, other.oldest].into_iter().flatten().min();
        tally.newest = [self.newest, other.newest].into_iter().flatten().max();
        tally
    }

    /// This tally with a part that goes as a whole; `None` when something in it stays.
    pub(super) fn judge_part(
        &self,
        part: &Part,
        all: &[Alike],
        retention: &Retention,
        holds: &[Hold],
        now: Timestamp,
    ) -> Option<Self> {
        let mut tally = self.clone();
        for alike in all {
            let facts = Facts {
                action: &alike.action,
                category: alike.category.as_deref(),
                // Not younger than its youngest.
                at: alike.newest.max(time_of(part.high)),
                received: alike.received,
            };
            let (rule, goes) = retention.judge(&facts, now);
            let first = alike.oldest.min(time_of(part.low));
            if !goes || holds.iter().any(|hold| hold.may_keep(first, facts.at)) {
                return None;
            }
            tally.remove(rule, alike.count, alike.oldest, alike.newest);
        }
        Some(tally)
    }
}

/// At least so many records of a part stay.
pub(super) fn least_kept(part: &Part, all: &[Alike], retention: &Retention, now: Timestamp) -> u64 {
    let stays = |alike: &&Alike| {
        let facts = Facts {
            action: &alike.action,
            category: alike.category.as_deref(),
            // Not older than its oldest; when each arrived is not known.
            at: alike.oldest.max(time_of(part.low)),
            received: Timestamp::MIN,
        };
        !retention.judge(&facts, now).1
    };
    all.iter().filter(stays).map(|alike| alike.count).sum()
}

fn facts(candidate: &Candidate) -> Facts<'_> {
    Facts {
        action: &candidate.action,
        category: candidate.category.as_deref(),
        at: candidate.timestamp.max(time_of(candidate.id)),
        received: candidate.received,
    }
}

/// The time in an id; in whatever is none, its first 48 bits are taken for one.
pub(super) fn time_of(id: Key) -> Timestamp {
    match RecordId::from_bytes(id) {
        Ok(id) => id.timestamp(),
        Err(_) => {
            let [a, b, c, d, e, f, ..] = id;
            let millis = i64::from_be_bytes([0, 0, a, b, c, d, e, f]);
            Timestamp::from_micros(millis.saturating_mul(1000))
        }
    }
}
