//! A whole trail in memory, to see what a service recorded.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde_json::Value;

use super::disk::TestDisk;
use crate::{
    Audit, AuditBuilder, HashKey,
    disk::SharedDisk,
    journal::{Most, Reader, block_on},
    record::{Actor, ActorType, Record},
};

/// A running trail on a disk in memory.
///
/// ```
/// use tower_audit::{Actor, Record, assert_recorded, testing::TestTrail};
///
/// let trail = TestTrail::start();
/// trail.audit().record(Record::new("user.login").actor(Actor::user("146"))).unwrap();
///
/// assert_recorded!(trail, {"action": "user.login", "outcome": "success", "actor": {"id": "146"}});
/// assert_eq!(trail.records().len(), 1);
/// ```
#[derive(Debug)]
pub struct TestTrail {
    audit: Audit,
    disk: TestDisk,
}

impl TestTrail {
    /// Starts a trail of the service `test` without sinks.
    ///
    /// # Panics
    ///
    /// When it does not start, which a test wants to know at once.
    #[must_use]
    pub fn start() -> Self {
        Self::with(|builder| builder)
    }

    /// Starts a trail that is configured further: with sinks, limits, a fixed clock.
    ///
    /// # Panics
    ///
    /// When the configuration is refused.
    #[must_use]
    pub fn with(configure: impl FnOnce(AuditBuilder) -> AuditBuilder) -> Self {
        Self::on(&TestDisk::new(), configure)
    }

    /// Starts a trail on a disk that was used before, or that is to fail.
    ///
    /// # Panics
    ///
    /// When the configuration is refused.
    #[must_use]
    pub fn on(disk: &TestDisk, configure: impl FnOnce(AuditBuilder) -> AuditBuilder) -> Self {
        let builder = Audit::builder("test")
            .dir("/audit")
            .reserve_bytes(0)
            // Hashes are the same in every run, and no test warns that the key is made up.
            .hash_key(HashKey::new("test", b"the key of every test trail"))
            .disk(disk.clone());
        #[expect(
            clippy::expect_used,
            reason = "a test helper: the test fails here, with the reason"
        )]
        let audit = configure(builder)
            .start_blocking()
            .expect("the test trail starts");
        Self {
            audit,
            disk: disk.clone(),
        }
    }

    /// The handle to give to the code under test.
    #[must_use]
    pub const fn audit(&self) -> &Audit {
        &self.audit
    }

    /// The disk below it.
    #[must_use]
    pub const fn disk(&self) -> &TestDisk {
        &self.disk
    }

    /// Everything the service recorded so far, in order; without the trail's records about itself:
    /// actions that begin with `audit.`, by the system.
    ///
    /// # Panics
    ///
    /// When the trail cannot be written or read.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let all = self.everything().into_iter();
        all.filter(|record| !is_own(record)).collect()
    }

    /// Everything in the trail, in order; with its records about itself.
    ///
    /// # Panics
    ///
    /// When the trail cannot be written or read.
    #[must_use]
    pub fn everything(&self) -> Vec<Record> {
        #[expect(
            clippy::expect_used,
            reason = "a test helper: what is not a record fails the test"
        )]
        let parse = |json: &str| Record::from_json(json).expect("the trail holds records");
        self.lines().iter().map(|line| parse(line)).collect()
    }

    /// The exact bytes of everything in the trail, in order.
    ///
    /// # Panics
    ///
    /// When the trail cannot be written or read.
    #[must_use]
    pub fn lines(&self) -> Vec<Box<str>> {
        let dir = PathBuf::from(self.audit.trail_dir());
        let disk: SharedDisk = Arc::new(self.disk.clone());
        let mut reader = Reader::open(disk, dir, 0);
        let mut lines = Vec::new();
        // After a shutdown everything is durable, and nothing can be.
        #[expect(
            clippy::expect_used,
            reason = "a test helper: a trail that fails is shown at once"
        )]
        block_on(self.audit.flush()).expect("the trail can be written");
        let most = Most {
            records: 1000,
            bytes: 1024 * 1024,
        };
        loop {
            #[expect(clippy::expect_used, reason = "a test helper: as above")]
            let chunk = reader.read(u64::MAX, most).expect("the trail can be read");
            assert!(
                chunk.gaps.is_empty(),
                "the trail has gaps: {:?}",
                chunk.gaps
            );
            if chunk.entries.is_empty() {
                break;
            }
            lines.extend(chunk.entries.into_iter().map(|entry| entry.json));
        }
        lines
    }

    /// Shuts the trail down, as at the end of a process.
    pub fn shutdown(&self) -> crate::ShutdownReport {
        self.audit.shutdown_blocking(Duration::from_secs(10))
    }
}

/// Whether the trail wrote this about itself: an action of the noun `audit`, by the system.
pub(super) fn is_own(record: &Record) -> bool {
    let by_system = |actor: &Actor| actor.kind == ActorType::System;
    is_own_action(record.action.as_str()) && record.actor.as_ref().is_some_and(by_system)
}

/// Whether the trail's records about itself have such an action.
pub(super) fn is_own_action(action: &str) -> bool {
    action.starts_with("audit.")
}

/// Whether `actual` has everything that `expected` has: objects by their members, lists by their
/// elements in order, anything else by equality. Returns where they part.
pub(super) fn differences(expected: &Value, actual: &Value, path: &str, found: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            for (key, value) in expected {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                match actual.get(key) {
                    Some(actual) => differences(value, actual, &path, found),
                    None => found.push(format!("{path}: expected {value}, absent")),
                }
            }
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                differences(expected, actual, &format!("{path}[{index}]"), found);
            }
        }
        _ if expected == actual => {}
        _ => found.push(format!("{path}: expected {expected}, found {actual}")),
    }
}
