//! Assertions about what was recorded, with a difference that a person can read.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use super::{
    TestTrail,
    trail::{differences, is_own, is_own_action},
};
use crate::record::{Action, Catalogue, Record};

/// Asserts that exactly one record has all of these facts; other facts are free.
///
/// Takes a [`TestTrail`](crate::testing::TestTrail) and a JSON object in the form of the published
/// record format. Gives the record.
///
/// ```
/// use tower_audit::{Record, Target, assert_recorded, testing::TestTrail};
///
/// let trail = TestTrail::start();
/// trail.audit().record(Record::new("document.delete").target(Target::new("document", "7"))).unwrap();
/// let record = assert_recorded!(trail, {"action": "document.delete", "targets": [{"id": "7"}]});
/// assert!(record.id().is_some());
/// ```
#[macro_export]
macro_rules! assert_recorded {
    ($trail:expr, $($expected:tt)+) => {
        $crate::testing::expect_recorded(&$trail, &$crate::testing::json!($($expected)+))
    };
}

/// The only record of a trail that has all facts of `expected`; what [`assert_recorded!`] calls.
///
/// The trail's records about itself count only when `expected` names an action that begins with
/// `audit.`.
///
/// # Panics
///
/// When no record or more than one has them; the message shows what the nearest record lacks.
#[track_caller]
#[expect(clippy::panic, reason = "an assertion")]
pub fn expect_recorded(trail: &TestTrail, expected: &Value) -> Record {
    let action = expected["action"].as_str();
    let own_too = action.is_some_and(is_own_action);
    let mut seen: Vec<Seen> = trail.lines().iter().map(|line| Seen::of(line)).collect();
    seen.retain(|seen| own_too || !is_own(&seen.record));
    for seen in &mut seen {
        differences(expected, &seen.value, "", &mut seen.lacks);
    }
    let matching = seen.iter().filter(|seen| seen.lacks.is_empty()).count();
    if matching == 0 {
        let nearest = seen.iter().min_by_key(|seen| seen.lacks.len());
        let nearest = nearest.map_or_else(|| "  nothing was recorded".into(), Seen::to_string);
        panic!("no record matches\n  expected: {expected}\n{nearest}");
    }
    let first = seen.into_iter().find(|seen| seen.lacks.is_empty());
    match first {
        Some(seen) if matching == 1 => seen.record,
        _ => panic!("{matching} records match, where one should\n  expected: {expected}"),
    }
}

/// Checks that every action the service recorded is declared.
///
/// Call it at the end of a test that goes through the service's actions: an action that somebody
/// adds without declaring it fails there.
///
/// ```
/// use tower_audit::{
///     Record,
///     record::{Catalogue, Declaration},
///     testing::{TestTrail, expect_catalogued},
/// };
///
/// let catalogue = Catalogue::new([Declaration::new("document.create")])?;
/// let trail = TestTrail::start();
/// trail.audit().record(Record::new("document.create")).unwrap();
///
/// expect_catalogued(&trail, &catalogue);
/// # Ok::<(), tower_audit::record::CatalogueError>(())
/// ```
///
/// # Panics
///
/// When a record of the service has an action that is not in the catalogue; the message names every
/// such action, and how often it was recorded.
#[track_caller]
#[expect(clippy::panic, reason = "an assertion")]
pub fn expect_catalogued(trail: &TestTrail, catalogue: &Catalogue) {
    let mut missing: BTreeMap<Action, u64> = BTreeMap::new();
    for record in trail.records() {
        if catalogue.get(record.action.as_str()).is_none() {
            *missing.entry(record.action).or_default() += 1;
        }
    }
    if missing.is_empty() {
        return;
    }
    let mut message = String::from("actions were recorded that the catalogue does not declare:");
    for (action, count) in missing {
        message.push_str(&format!("\n  {action} ({count} times)"));
    }
    panic!("{message}");
}

/// A record, and what it lacks of what was expected.
struct Seen {
    record: Record,
    value: Value,
    lacks: Vec<String>,
}

impl Seen {
    #[expect(
        clippy::expect_used,
        reason = "a test helper: what is not a record fails the test"
    )]
    fn of(line: &str) -> Self {
        Self {
            record: Record::from_json(line).expect("the trail holds records"),
            value: serde_json::from_str(line).unwrap_or_default(),
            lacks: Vec::new(),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  nearest:  {}", self.value)?;
        self.lacks
            .iter()
            .try_for_each(|lack| writeln!(f, "    {lack}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Actor,
        record::Declaration,
        testing::{TestTrail, json},
    };

    #[test]
    fn a_service_s_action_of_the_noun_audit_is_not_the_trail_s_own() {
        let trail = TestTrail::start();
        let export = Record::new("audit.export").actor(Actor::user("146"));
        trail.audit().record(export).unwrap();
        let record = expect_recorded(&trail, &json!({"actor": {"id": "146"}}));
        assert_eq!(record.action, "service.audit.export");
        assert_eq!(trail.records(), [record]);
    }

    #[test]
    fn own_records_match_only_when_they_are_asked_for() {
        let trail = TestTrail::start();
        trail.audit().record(Record::system("backup.make")).unwrap();
        let record = expect_recorded(&trail, &json!({"actor": {"type": "system"}}));
        assert_eq!(record.action, "backup.make");
        let record = expect_recorded(&trail, &json!({"action": "audit.start"}));
        assert_eq!(record.action, "audit.start");
    }

    #[test]
    #[should_panic(expected = "actor.id: expected \"147\", found \"146\"")]
    fn a_missing_record_shows_what_the_nearest_lacks() {
        let trail = TestTrail::start();
        let login = Record::new("user.login").actor(Actor::user("146"));
        trail.audit().record(login).unwrap();
        expect_recorded(
            &trail,
            &json!({"action": "user.login", "actor": {"id": "147"}}),
        );
    }

    #[test]
    #[should_panic(expected = "declare:\n  document.share (2 times)\n  user.login (1 times)")]
    fn every_action_that_is_not_declared_is_named() {
        let catalogue = Catalogue::new([Declaration::new("document.create")]).unwrap();
        let trail = TestTrail::start();
        for action in [
            "document.share",
            "user.login",
            "document.create",
            "document.share",
        ] {
            trail.audit().record(Record::new(action)).unwrap();
        }
        expect_catalogued(&trail, &catalogue);
    }
}
