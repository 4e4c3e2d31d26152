//! A service that prunes its store by itself, and says what it did.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;
use tower_audit::{
    Audit, AuditBuilder, Health, StartError,
    clock::{Clock, Timestamp},
    retention::{Retention, Schedule},
    testing::FixedClock,
};

use super::{
    place::{IDLE, NOW, Place, all, plain},
    pruned::DAY,
};
use crate::support::postgres;

pub(super) fn schedule(address: &str) -> Schedule {
    Schedule::daily(address)
        .every(Duration::from_secs(60))
        .idle(IDLE)
}

/// A service at this time, with its store and a journal of its own.
pub(super) fn service(dir: &tempfile::TempDir, place: &Place, clock: &FixedClock) -> AuditBuilder {
    let builder = Audit::builder("docs").dir(dir.path().join("journal"));
    let sink = tower_audit::sink::url::parse(&place.address()).unwrap();
    let builder = builder.sink_with("store", sink, tower_audit::SinkOptions::new());
    builder.clock(clock.clone())
}

/// The records of an action in a journal, once there are so many.
pub(super) async fn recorded(dir: &tempfile::TempDir, action: &str, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let mut found = Vec::new();
        for trail in std::fs::read_dir(dir.path().join("journal")).unwrap() {
            let trail = trail.unwrap().path();
            let Ok(files) = std::fs::read_dir(trail) else {
                continue;
            };
            for file in files {
                let path = file.unwrap().path();
                let text = std::fs::read_to_string(path).unwrap_or_default();
                let lines = text
                    .lines()
                    .filter_map(|line| serde_json::from_str::<Value>(line).ok());
                let records = lines.map(|mut line| line["record"].take());
                found.extend(records.filter(|record| record["action"] == action));
            }
        }
        if found.len() >= count {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "{} of {count} {action}",
            found.len()
        );
        // Sleep: the thread that prunes looks at the clock once a second.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_prunes_its_store_and_writes_it_down() {
    for place in all() {
        place.put(plain(0..100, 100)).await;
        place.put(plain(100..110, 2)).await;
        let (dir, clock) = (tempfile::tempdir().unwrap(), FixedClock::at(NOW));
        let retention = Retention::new().keep(90 * DAY);
        let audit = service(&dir, &place, &clock);
        let audit = audit.retention(retention, schedule(&place.address()));
        let audit = audit.start().await.unwrap();
        recorded(&dir, "audit.start", 1).await;
        clock.advance(Duration::from_secs(61));
        let prunes = recorded(&dir, "audit.prune", 1).await;
        let details = &prunes[0]["details"];
        assert_eq!(
            (&prunes[0]["outcome"], &details["removed"]),
            (&"success".into(), &100.into())
        );
        assert_eq!(details["complete"], true, "{details}");
        // Counted once it is written down.
        let stats = audit.stats().prunes;
        assert_eq!(
            (stats.removed, stats.failures, stats.failing),
            (100, 0, false)
        );
        assert_eq!(stats.last, Some(clock.now()));
        let health = audit.health();
        let is_ours = |reason: &String| reason.starts_with("old records");
        assert!(!health.reasons().iter().any(is_ours), "{health:?}");
        let report = audit.shutdown(Duration::from_secs(10)).await;
        assert!(report.in_order, "{report}");
        let old =
            "SELECT count(*) FROM audit_records WHERE number < 100 AND action = 'document.create'";
        assert_eq!(place.number(old).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_not_remove_is_told_of_at_the_start_and_once() {
    let Some(server) = postgres::place() else {
        return;
    };
    let place = Place::Postgres(server);
    place.put(plain(0..10, 100)).await;
    let Place::Postgres(server) = &place else {
        return;
    };
    let role = format!("sink_{}", server.schema);
    server
        .run(&format!("CREATE ROLE {role} LOGIN PASSWORD 'secret'"))
        .await;
    tower_audit::sink::tables::migrate(&place.address(), Some(&role))
        .await
        .unwrap();
    let (dir, clock) = (tempfile::tempdir().unwrap(), FixedClock::at(NOW));
    let address = server.address_of(&role, "secret");
    let audit = service(&dir, &place, &clock);
    let audit = audit.retention(Retention::new().keep(90 * DAY), schedule(&address));
    let audit = audit.start().await.unwrap();
    let told = recorded(&dir, "audit.prune", 1).await;
    let reason = told[0]["error"]["message"].as_str().unwrap();
    assert!(
        reason.contains("permission denied") && !reason.contains("secret"),
        "{reason}"
    );
    let Health::Degraded(reasons) = audit.health() else {
        panic!("{:?}", audit.health());
    };
    assert!(
        reasons[0].starts_with("old records are not removed:"),
        "{reasons:?}"
    );
    clock.advance(Duration::from_secs(61));
    let report = audit.shutdown(Duration::from_secs(10)).await;
    assert!(report.in_order, "{report}");
    assert_eq!(recorded(&dir, "audit.prune", 1).await.len(), 1);
    assert_eq!(
        place
            .number("SELECT count(*) FROM audit_records WHERE action = 'document.create'")
            .await,
        10
    );
    server
        .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_whose_store_is_not_there_yet_is_well() {
    let place = Place::Sqlite(tempfile::tempdir().unwrap());
    let (dir, clock) = (tempfile::tempdir().unwrap(), FixedClock::at(NOW));
    let audit = Audit::builder("docs")
        .dir(dir.path().join("journal"))
        .clock(clock);
    let retention = Retention::new().keep(90 * DAY);
    let audit = audit.retention(retention, schedule(&place.address()));
    let audit = audit.start().await.unwrap();
    let report = audit.shutdown(Duration::from_secs(10)).await;
    assert!(report.in_order, "{report}");
    let reasons = audit.health().reasons().to_vec();
    assert!(
        !reasons.iter().any(|reason| reason.contains("old records")),
        "{reasons:?}"
    );
    let Place::Sqlite(store) = &place else { return };
    assert!(std::fs::read_dir(store.path()).unwrap().next().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_meets_another_one_pruning_is_well() {
    let Some(server) = postgres::place() else {
        return;
    };
    let place = Place::Postgres(server);
    place.put(plain(0..10, 100)).await;
    place.put(plain(10..12, 2)).await;
    let (dir, clock) = (tempfile::tempdir().unwrap(), FixedClock::at(NOW));
    let retention = Retention::new().keep(90 * DAY);
    let audit = service(&dir, &place, &clock);
    let audit = audit.retention(retention.clone(), schedule(&place.address()));
    let audit = audit.start().await.unwrap();
    recorded(&dir, "audit.start", 1).await;
    let mut pruner = place.pruner().await;
    place
        .run("ALTER TABLE audit_prunes RENAME TO elsewhere")
        .await;
    let deadline = Instant::now() + Duration::from_secs(60);
    let is_told = |reason: &String| reason.starts_with("old records");
    while !audit.health().reasons().iter().any(is_told) {
        assert!(Instant::now() < deadline, "{:?}", audit.health());
        clock.advance(Duration::from_secs(61));
        // Sleep: health is asked until it says so.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    place
        .run("ALTER TABLE elsewhere RENAME TO audit_prunes")
        .await;
    let pruned = pruner.prune_while(&retention, NOW, |_removed| {
        while audit.health().reasons().iter().any(is_told) {
            assert!(Instant::now() < deadline, "{:?}", audit.health());
            clock.advance(Duration::from_secs(61));
            // Sleep: as above, in a call that cannot wait.
            std::thread::sleep(Duration::from_millis(100));
        }
        true
    });
    assert_eq!(pruned.await.unwrap().done.removed, 10);
    let report = audit.shutdown(Duration::from_secs(10)).await;
    assert!(report.in_order, "{report}");
}

/// A clock that panics on the thread that prunes, as long as it is told to.
#[derive(Debug, Clone)]
struct Broken {
    is_broken: Arc<AtomicBool>,
    clock: FixedClock,
}

impl Clock for Broken {
    fn now(&self) -> Timestamp {
        let is_there = std::thread::current().name() == Some("audit-retention");
        assert!(
            !(is_there && self.is_broken.load(Ordering::Relaxed)),
            "a clock that is broken"
        );
        self.clock.now()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_told_and_does_not_end_pruning() {
    let place = Place::Sqlite(tempfile::tempdir().unwrap());
    place.put(plain(0..10, 100)).await;
    place.put(plain(10..12, 2)).await;
    let (dir, clock) = (tempfile::tempdir().unwrap(), FixedClock::at(NOW));
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = Broken {
        is_broken: Arc::clone(&is_broken),
        clock: clock.clone(),
    };
    let audit = service(&dir, &place, &clock).clock(broken);
    let audit = audit.retention(Retention::new().keep(90 * DAY), schedule(&place.address()));
    let audit = audit.start().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let is_told = |reason: &String| reason.starts_with("old records") && reason.contains("panick");
    while !audit.health().reasons().iter().any(is_told) {
        assert!(Instant::now() < deadline, "{:?}", audit.health());
        // Sleep: health is asked until it says so.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The thread has not seen the time yet: what is due is counted from the start, not from then.
    clock.advance(Duration::from_secs(61));
    is_broken.store(false, Ordering::Relaxed);
    let prunes = recorded(&dir, "audit.prune", 1).await;
    assert_eq!(prunes[0]["details"]["removed"], 10, "{prunes:?}");
    let health = audit.health();
    assert!(!health.reasons().iter().any(is_told), "{health:?}");
    let report = audit.shutdown(Duration::from_secs(10)).await;
    assert!(report.in_order, "{report}");
}

#[tokio::test]
async fn a_policy_or_schedule_that_cannot_be_meant_keeps_a_service_from_starting() {
    let address = "sqlite://audit.db";
    let low = Retention::new().keep(DAY);
    let fine = Retention::new().keep(90 * DAY);
    for (retention, schedule) in [
        (low, schedule(address)),
        (fine.clone(), Schedule::daily(address).at_hour(24)),
        (fine, schedule("sqlit://audit.db")),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let audit = Audit::builder("docs")
            .dir(dir.path())
            .retention(retention, schedule);
        let error = audit.start().await.unwrap_err();
        let is_ours = matches!(
            &error,
            StartError::Config {
                setting: "retention",
                ..
            }
        );
        assert!(is_ours, "{error}");
    }
}
