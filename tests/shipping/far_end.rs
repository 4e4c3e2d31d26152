//! Where records arrive: a server that can be taken away, and asked what it has.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// The trail and the number of a record.
pub(crate) type Place = (String, u64);

/// A destination of a sink.
pub(crate) trait FarEnd {
    /// The sink's address.
    fn url(&self) -> String;

    /// Takes the destination away, as roughly as it can be.
    fn stop(&mut self);

    /// Brings it back where it was.
    fn start(&mut self);

    /// Whether it can be taken away at all; what is read through a pipe of its own cannot.
    fn can_stop(&self) -> bool {
        true
    }

    /// Takes note of what a service wrote to its standard output before it was gone.
    fn heard(&mut self, lines: &[String]) {
        let _ = lines;
    }

    /// Every record that is there, in the order of arrival.
    fn arrived(&mut self) -> Vec<Place>;

    /// How often a record may be there.
    fn promise(&self) -> Promise;
}

/// What a sink promises about doubles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// It keeps its position: none.
    Once,
    /// A batch whose answer was lost comes again; the most records that a batch has.
    AgainAfterAnOutage(usize),
}

/// Every record in what the file sink wrote, in its order.
pub(crate) fn in_file(path: &Path) -> Vec<Place> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(in_line).collect()
}

/// The record of a line of ours.
pub(crate) fn in_line(line: &str) -> Place {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let trail = line["trail"].as_str().expect("a trail").to_owned();
    (trail, line["n"].as_u64().expect("a number"))
}

/// What came more than once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doubles {
    /// Records of which there is more than one copy.
    pub(crate) records: usize,
    /// Copies beyond the first of each.
    pub(crate) copies: usize,
}

/// Holds what arrived against what was sent.
pub(crate) fn compare(
    arrived: &[Place],
    sent: &[Place],
    promise: Promise,
    outages: usize,
) -> Doubles {
    let mut copies: BTreeMap<&Place, usize> = BTreeMap::new();
    for place in arrived {
        *copies.entry(place).or_default() += 1;
    }
    let expected: BTreeSet<&Place> = sent.iter().collect();
    let missing = expected.iter().filter(|place| !copies.contains_key(*place));
    let missing: Vec<_> = missing.take(5).collect();
    assert!(missing.is_empty(), "not there: {missing:?}");
    let foreign = copies.keys().filter(|place| !expected.contains(*place));
    let foreign: Vec<_> = foreign.take(5).collect();
    assert!(foreign.is_empty(), "never sent: {foreign:?}");
    in_order(arrived);
    let doubles = Doubles {
        records: copies.values().filter(|copies| **copies > 1).count(),
        copies: arrived.len() - copies.len(),
    };
    let allowed = match promise {
        Promise::Once => 0,
        Promise::AgainAfterAnOutage(batch) => batch * outages,
    };
    assert!(doubles.records <= allowed, "{doubles:?}, {allowed} allowed");
    doubles
}

/// That the first of each record came in the order of the trail.
fn in_order(arrived: &[Place]) {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for place @ (trail, number) in arrived {
        if !seen.insert(place) {
            continue;
        }
        if let Some(before) = last.insert(trail, *number) {
            assert!(before < *number, "{number} came after {before}");
        }
    }
}
