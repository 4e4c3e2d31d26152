//! Assertions about what was recorded, with a difference that a person can read.

use serde_json::Value;

use super::trail::differences;
use crate::record::Record;

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
/// # Panics
///
/// When no record or more than one has them; the message shows what the nearest record lacks.
#[track_caller]
#[expect(
    clippy::panic,
    clippy::must_use_candidate,
    reason = "an assertion, whose record is often enough looked at"
)]
pub fn expect_recorded(trail: &super::TestTrail, expected: &Value) -> Record {
    let lines = trail.lines();
    let mut records = Vec::new();
    for line in &lines {
        let value: Value = serde_json::from_str(line).unwrap_or_default();
        let mut found = Vec::new();
        differences(expected, &value, "", &mut found);
        records.push((found, value, &**line));
    }
    let matching = records
        .iter()
        .filter(|(differences, ..)| differences.is_empty());
    match matching.clone().count() {
        1 => {}
        0 => panic!(
            "no record matches\n  expected: {expected}\n{}",
            nearest(&records)
        ),
        count => panic!("{count} records match, where one should\n  expected: {expected}"),
    }
    let record = matching
        .into_iter()
        .next()
        .and_then(|(.., line)| Record::from_json(line.as_bytes()).ok());
    record.unwrap_or_else(|| panic!("the matching line is not a record"))
}

/// What the record with the fewest differences lacks.
fn nearest(records: &[(Vec<String>, Value, &str)]) -> String {
    let own = |value: &Value| {
        value["action"]
            .as_str()
            .is_some_and(|action| action.starts_with("audit."))
    };
    let of_service = records.iter().filter(|(_, value, _)| !own(value));
    let Some((differences, value, _)) =
        of_service.min_by_key(|(differences, ..)| differences.len())
    else {
        return "  nothing was recorded".into();
    };
    let mut text = format!("  nearest:  {value}\n");
    for difference in differences {
        text.push_str("    ");
        text.push_str(difference);
        text.push('\n');
    }
    text
}
