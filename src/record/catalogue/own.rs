//! What a trail says of itself, and of those who read it.

use std::collections::BTreeMap;

use super::{Catalogue, Declaration};

/// Every action of a trail's own, with what it means. A test holds it against the code.
const OWN: &[(&str, &str)] = &[
    (
        "audit.capacity_warning",
        "Records that wait for sinks have used up much of their share of the disk.",
    ),
    (
        "audit.clock_step",
        "The system's clock was set back or forward while the service ran.",
    ),
    (
        "audit.disk_full",
        "The volume is full; the reserve was given back so that this could be written.",
    ),
    (
        "audit.export",
        "Somebody exports records: once when it begins, and once when it ends, with how many were given.",
    ),
    (
        "audit.hold",
        "Records that match a filter are kept until somebody releases them, whatever the policy says.",
    ),
    (
        "audit.intent_unreadable",
        "An action had begun, and what was written of its beginning is no record.",
    ),
    (
        "audit.lost",
        "More records waited than memory allows; so many were lost.",
    ),
    (
        "audit.outage",
        "Nothing could be written for a while, and so many requests waited or were refused.",
    ),
    (
        "audit.outbox_left",
        "A process that died left these records of committed changes in the outbox.",
    ),
    (
        "audit.prune",
        "Records were removed from a store, a journal or files because a policy says so.",
    ),
    (
        "audit.pruned",
        "Segments of the journal are removed; written before the first of them is.",
    ),
    (
        "audit.read",
        "Somebody looked at records: who, and with which filter, or which record.",
    ),
    (
        "audit.release",
        "A hold was released; the policy says again what is removed when.",
    ),
    (
        "audit.retention_changed",
        "The policy that says what is removed when is another one than before.",
    ),
    (
        "audit.sink_added",
        "A sink was added while the service ran.",
    ),
    (
        "audit.sink_blocked",
        "A sink takes nothing until somebody repairs what the reason names.",
    ),
    (
        "audit.sink_cursor_unwritable",
        "How far a sink has come could not be written down; it may get records twice.",
    ),
    (
        "audit.sink_file_damaged",
        "A file in which a sink's state is kept does not hold, and was set aside.",
    ),
    ("audit.sink_missed", "A sink will never get these records."),
    (
        "audit.sink_outage",
        "A sink did not answer for a while; nothing was lost.",
    ),
    (
        "audit.sink_panicked",
        "The code of a sink panicked, and was called again.",
    ),
    ("audit.sink_paused", "A sink was told to wait."),
    (
        "audit.sink_refilled",
        "A sink no longer had records that it had taken; they are delivered again.",
    ),
    (
        "audit.sink_refused",
        "A sink will not take these records; they are kept as dead letters.",
    ),
    (
        "audit.sink_removed",
        "A sink was removed while the service ran.",
    ),
    ("audit.sink_resumed", "A sink that was paused goes on."),
    (
        "audit.sink_test",
        "An event to try a sink out; it belongs to no trail.",
    ),
    (
        "audit.sink_tested",
        "Somebody tried a sink out from within the service.",
    ),
    (
        "audit.start",
        "A run of the service begins: its version, its sinks, and how the run before ended.",
    ),
    ("audit.stop", "A run of the service ends in order."),
    (
        "audit.tracing_filtered",
        "A filter of the subscriber hides events of the target `audit`, so that records are missing.",
    ),
    (
        "audit.trail_adopted",
        "What a dead process left behind was recovered and will be delivered.",
    ),
    (
        "audit.trail_damaged",
        "A trail was left as it is, because what was sealed does not hold.",
    ),
    (
        "audit.unclean_start",
        "The run before did not end in order; records of its last milliseconds may be missing.",
    ),
    ("audit.verify", "The daily check of the own trail."),
];

impl Catalogue {
    /// The actions that a trail records by itself, such as `audit.start`, and those that its viewer
    /// and its retention record. No service can record one of them: they are believed.
    ///
    /// `docs/actions.md` is its [`to_markdown`](Self::to_markdown).
    #[must_use]
    pub fn own() -> Self {
        let declared = OWN.iter().map(|(action, description)| {
            let declared = Declaration::new(*action).description(*description);
            (declared.action.clone(), declared)
        });
        Self {
            actions: declared.collect(),
            routes: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_declared_once_in_the_order_of_names() {
        let names: Vec<&str> = OWN.iter().map(|(name, _)| *name).collect();
        assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
        assert_eq!(Catalogue::own().categories(), ["audit"]);
    }
}
