//! How long records are kept: rules, a default, and a floor below which none of them may go.

use std::{fmt, time::Duration};

use super::RetentionError;
use crate::{clock::Timestamp, evidence};

/// How long records are kept. Everything for ever, unless told otherwise.
///
/// Rules are asked in their order and the first that matches decides; what none matches is kept as
/// long as [`keep`](Self::keep) says. What the trail writes about itself (`audit.start`,
/// `audit.prune`, …) is evidence about all the rest: only a rule that names such an action, as
/// `audit.read` or `audit.*`, reaches it; the default and rules by category do not. No rule at all
/// reaches `audit.sink_missed` and `audit.sink_refused`, by which
/// [`verify::store`](crate::verify::store) knows which numbers a store never got.
///
/// Age counts from the later of the record's time stamp and the time in its id. Besides, nothing is
/// removed that arrived in the store less than [the floor](Self::floor) ago.
///
/// ```
/// use std::time::Duration;
/// use tower_audit::retention::{Retention, Rule};
///
/// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// let retention = Retention::new()
///     .rule(Rule::action("document.*")?.keep(90 * DAY))
///     .rule(Rule::category("billing").forever())
///     .keep(365 * DAY);
/// retention.check()?;
/// # Ok::<(), tower_audit::retention::RetentionError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "give it to a `Pruner` or to `AuditBuilder::retention`"]
pub struct Retention {
    rules: Vec<Rule>,
    default: Option<Duration>,
    floor: Duration,
    is_floor_meant: bool,
    pub(super) dead_letters: Option<Duration>,
    pub(super) files: Option<Duration>,
    pub(super) journal: Option<Duration>,
}

/// Which records, and how long they are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "give it to `Retention::rule`"]
pub struct Rule {
    action: Option<Box<str>>,
    category: Option<Box<str>>,
    keep: Option<Duration>,
}

/// What a policy must know of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) action: &'a str,
    pub(super) category: Option<&'a str>,
    /// The later of its time stamp and the time in its id.
    pub(super) at: Timestamp,
    pub(super) received: Timestamp,
}

/// What the actions of the trail's own records begin with.
const OWN: &str = "audit.";

/// Own records that no rule reaches: without them `verify` calls the numbers missing that they
/// declare as refused, or as gone before they were delivered.
const NEEDED: [&str; 2] = ["audit.sink_missed", "audit.sink_refused"];

impl Rule {
    /// Records of one action, such as `user.login`, or of all that begin with a prefix: `user.*`.
    ///
    /// # Errors
    ///
    /// [`RetentionError::Rule`] for a `*` anywhere but behind the last dot, and for an empty text.
    pub fn action(pattern: impl Into<String>) -> Result<Self, RetentionError> {
        let pattern = pattern.into();
        let name = pattern.strip_suffix(".*").unwrap_or(&pattern);
        if name.is_empty() || name.contains('*') {
            return Err(RetentionError::Rule {
                key: "action",
                reason: format!(
                    "{pattern:?} is no pattern of actions: write user.login, or user.* for all that begin with user."
                ),
            });
        }
        Ok(Self {
            action: Some(pattern.into()),
            category: None,
            keep: None,
        })
    }

    /// Records of this category.
    pub fn category(category: impl Into<String>) -> Self {
        Self {
            action: None,
            category: Some(category.into().into()),
            keep: None,
        }
    }

    /// Only those that are also of this category.
    pub fn and_category(mut self, category: impl Into<String>) -> Self {
        self.category = Some(category.into().into());
        self
    }

    /// Keeps them so long; not below [the floor](Retention::floor).
    pub const fn keep(mut self, time: Duration) -> Self {
        self.keep = Some(time);
        self
    }

    /// Keeps them for ever. So does a rule that does not say how long.
    pub const fn forever(mut self) -> Self {
        self.keep = None;
        self
    }

    fn matches(&self, facts: &Facts<'_>) -> bool {
        if NEEDED.contains(&facts.action) {
            return false;
        }
        let of_action = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => facts.action.starts_with(prefix),
            None => facts.action == pattern,
        };
        match (self.action.as_deref(), self.category.as_deref()) {
            // The trail's own records are only reached by their names.
            (None, _) if facts.action.starts_with(OWN) => false,
            (action, category) => {
                action.is_none_or(of_action)
                    && category.is_none_or(|category| facts.category == Some(category))
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.action, &self.category) {
            (Some(action), Some(category)) => {
                write!(f, "action {action:?} and category {category:?}")?;
            }
            (Some(action), None) => write!(f, "action {action:?}")?,
            (None, category) => write!(f, "category {:?}", category.as_deref().unwrap_or(""))?,
        }
        match self.keep {
            Some(keep) => write!(f, " for {}", Age(keep)),
            None => f.write_str(" for ever"),
        }
    }
}

/// A time in the largest unit that says it exactly.
pub(super) struct Age(pub(super) Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        for (unit, length) in [
            ("d", 86_400_000),
            ("h", 3_600_000),
            ("m", 60_000),
            ("s", 1000),
        ] {
            if millis > 0 && millis.is_multiple_of(length) {
                return write!(f, "{}{unit}", millis / length);
            }
        }
        write!(f, "{millis}ms")
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self::new()
    }
}

impl Retention {
    /// The default of [`floor`](Self::floor): 30 days.
    pub const FLOOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);
    /// The lowest floor that can be set at all: an hour, so that nothing is removed under a writer.
    pub const LOWEST_FLOOR: Duration = Duration::from_secs(60 * 60);
    /// So many rules at most.
    pub const MAX_RULES: usize = 1000;

    /// Keeps everything for ever.
    pub const fn new() -> Self {
        Self {
            rules: Vec::new(),
            default: None,
            floor: Self::FLOOR,
            is_floor_meant: false,
            dead_letters: None,
            files: None,
            journal: None,
        }
    }

    /// Keeps what no rule matches so long. Default: for ever.
    pub const fn keep(mut self, time: Duration) -> Self {
        self.default = Some(time);
        self
    }

    /// Adds a rule, to be asked after those before it.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Nothing is kept shorter than this, whatever a rule says: such a rule is an error. Default:
    /// [`FLOOR`](Self::FLOOR), below which only [`dangerous_floor`](Self::dangerous_floor) goes.
    pub const fn floor(mut self, time: Duration) -> Self {
        self.floor = time;
        self.is_floor_meant = false;
        self
    }

    /// As [`floor`](Self::floor), also below 30 days: a typing error in a rule can then remove what
    /// was recorded last week. Not below [`LOWEST_FLOOR`](Self::LOWEST_FLOOR).
    pub const fn dangerous_floor(mut self, time: Duration) -> Self {
        self.floor = time;
        self.is_floor_meant = true;
        self
    }

    /// Removes dead letters, which a sink refused, when they are this old. Default: never.
    pub const fn dead_letters(mut self, time: Duration) -> Self {
        self.dead_letters = Some(time);
        self
    }

    /// Removes rotated files of file sinks whose last change is this long ago. Default: never; a
    /// number of files can be set at the sink itself.
    pub const fn files(mut self, time: Duration) -> Self {
        self.files = Some(time);
        self
    }

    /// How long journal segments stay that every sink has; sets the age of
    /// [`keep_delivered`](crate::AuditBuilder::keep_delivered). Default: what is set there.
    pub const fn journal(mut self, time: Duration) -> Self {
        self.journal = Some(time);
        self
    }

    /// What nothing is kept shorter than.
    pub(super) const fn floor_time(&self) -> Duration {
        self.floor
    }

    /// How long delivered segments of the journal stay, if that is said.
    pub(crate) const fn delivered_journal(&self) -> Option<Duration> {
        self.journal
    }

    /// Whether it can be used.
    ///
    /// # Errors
    ///
    /// [`RetentionError::Rule`] names what is kept shorter than the floor allows.
    pub fn check(&self) -> Result<(), RetentionError> {
        let wrong = |key, reason| Err(RetentionError::Rule { key, reason });
        if !self.is_floor_meant && self.floor < Self::FLOOR {
            let (floor, least) = (Age(self.floor), Age(Self::FLOOR));
            let reason = format!("{floor} is below {least}: if that is meant, say dangerous_floor");
            return wrong("floor", reason);
        }
        if self.floor < Self::LOWEST_FLOOR {
            let reason = format!("{} is below {}", Age(self.floor), Age(Self::LOWEST_FLOOR));
            return wrong("dangerous_floor", reason);
        }
        if self.rules.len() > Self::MAX_RULES {
            return wrong("rule", format!("more than {} rules", Self::MAX_RULES));
        }
        let below = |time: Option<Duration>| time.filter(|time| *time < self.floor);
        for (index, rule) in self.rules.iter().enumerate() {
            if below(rule.keep).is_some() {
                let (number, floor) = (index + 1, Age(self.floor));
                return wrong(
                    "rule",
                    format!("rule {number} keeps {rule}, the floor is {floor}"),
                );
            }
        }
        for (key, time) in [
            ("keep", self.default),
            ("dead_letters", self.dead_letters),
            ("files", self.files),
            ("journal", self.journal),
        ] {
            if let Some(time) = below(time) {
                let reason = format!("{} is below the floor of {}", Age(time), Age(self.floor));
                return wrong(key, reason);
            }
        }
        Ok(())
    }

    /// The whole policy in words, one line for each rule; the same policy always gives the same
    /// text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines: Vec<String> = self
            .rules
            .iter()
            .map(|rule| format!("keep {rule}"))
            .collect();
        lines.push(match self.default {
            Some(time) => format!("keep the rest for {}", Age(time)),
            None => "keep the rest for ever".to_owned(),
        });
        lines.push(format!("floor {}", Age(self.floor)));
        for (what, time) in [
            ("dead letters", self.dead_letters),
            ("rotated files", self.files),
            ("delivered journal", self.journal),
        ] {
            if let Some(time) = time {
                lines.push(format!("{what} for {}", Age(time)));
            }
        }
        lines.join("\n")
    }

    /// The hash of [`text`](Self::text), in hex, by which records name a policy.
    #[must_use]
    pub fn digest(&self) -> String {
        evidence::leaf_hash(self.text().as_bytes()).to_string()
    }

    /// The names of the rules in the order of [`which`](Self::which): theirs, then the default's,
    /// then that of the trail's own records.
    pub(super) fn names(&self) -> Vec<String> {
        let rules = self.rules.iter().map(ToString::to_string);
        let rest = match self.default {
            Some(time) => format!("the rest for {}", Age(time)),
            None => "the rest for ever".to_owned(),
        };
        let own = "the trail's own records for ever".to_owned();
        rules.chain([rest, own]).collect()
    }

    /// Which rule decides, as an index of [`names`](Self::names), and how long it keeps.
    fn which(&self, facts: &Facts<'_>) -> (usize, Option<Duration>) {
        for (index, rule) in self.rules.iter().enumerate() {
            if rule.matches(facts) {
                return (index, rule.keep);
            }
        }
        if facts.action.starts_with(OWN) {
            (self.rules.len() + 1, None)
        } else {
            (self.rules.len(), self.default)
        }
    }

    /// Which rule decides about a record, and whether the record may go now.
    pub(super) fn judge(&self, facts: &Facts<'_>, now: Timestamp) -> (usize, bool) {
        let (rule, keep) = self.which(facts);
        let is_past = |at: Timestamp, time| now.checked_sub(time).is_some_and(|then| at <= then);
        let goes = keep.is_some_and(|keep| {
            is_past(facts.at, keep.max(self.floor)) && is_past(facts.received, self.floor)
        });
        (rule, goes)
    }

    /// Only what is as old as this, or older, can go at all; `None`: nothing can.
    pub(super) fn horizon(&self, now: Timestamp) -> Option<Timestamp> {
        let shortest = self.rules.iter().filter_map(|rule| rule.keep);
        let shortest = shortest.chain(self.default).min()?;
        now.checked_sub(shortest.max(self.floor))
    }
}

#[cfg(test)]
mod tests;
