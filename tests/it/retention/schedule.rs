//! When a service prunes, by what the store says of earlier prunes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tower_audit::{
    clock::{Clock, Timestamp},
    retention::{Retention, Schedule},
    testing::FixedClock,
};

use super::{
    place::{IDLE, NOW, Place, all, plain},
    pruned::DAY,
    service::{recorded, schedule, service},
};

/// A clock that counts how often the thread that prunes looks at it.
#[derive(Debug, Clone)]
struct Watched {
    clock: FixedClock,
    looks: Arc<AtomicU64>,
}

impl Clock for Watched {
    fn now(&self) -> Timestamp {
        if std::thread::current().name() == Some("audit-retention") {
            self.looks.fetch_add(1, Ordering::AcqRel);
        }
        self.clock.now()
    }
}

impl Watched {
    fn new() -> Self {
        Self {
            clock: FixedClock::at(NOW),
            looks: Arc::default(),
        }
    }

    /// Returns when the thread has looked so many more times: once as a turn begins, and once as
    /// one with something to do ends.
    async fn looked_at(&self, more: u64) {
        let until = self.looks.load(Ordering::Acquire) + more;
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.looks.load(Ordering::Acquire) < until {
            assert!(Instant::now() < deadline, "the clock is not looked at");
            // Sleep: the thread looks once a second, and tells nobody.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Prunes by hand, at another time than now.
async fn prune_at(place: &Place, retention: &Retention, at: Timestamp) -> u64 {
    let mut pruner = place.pruner().await;
    pruner.prune(retention, at).await.unwrap().done.removed
}

const PRUNES: &str = "SELECT count(*) FROM audit_prunes";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_at_which_nobody_ran_is_caught_up_soon_after_the_start() {
    for place in all() {
        place.put(plain(0..10, 100)).await;
        place.put(plain(10..15, 92)).await;
        place.put(plain(15..20, 2)).await;
        let retention = Retention::new().keep(90 * DAY);
        assert_eq!(
            prune_at(&place, &retention, NOW.saturating_sub(3 * DAY)).await,
            10
        );
        let (dir, clock) = (tempfile::tempdir().unwrap(), Watched::new());
        // The next time is in 23 hours, and the last one was an hour ago.
        let at_eleven = Schedule::daily(place.address()).at_hour(23).idle(IDLE);
        let audit = service(&dir, &place, &clock.clock).clock(clock.clone());
        let audit = audit.retention(retention, at_eleven).start().await.unwrap();
        clock.looked_at(2).await;
        assert_eq!(place.number(PRUNES).await, 1, "not at once");
        clock.clock.advance(Duration::from_secs(16 * 60));
        let prunes = recorded(&dir, "audit.prune", 1).await;
        assert_eq!(prunes[0]["details"]["removed"], 5, "{prunes:?}");
        assert_eq!(place.number(PRUNES).await, 2);
        let report = audit.shutdown(Duration::from_secs(10)).await;
        assert!(report.in_order, "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_instance_did_is_not_done_again() {
    for place in all() {
        place.put(plain(0..10, 100)).await;
        place.put(plain(10..20, 2)).await;
        let (dir, clock) = (tempfile::tempdir().unwrap(), Watched::new());
        let retention = Retention::new().keep(90 * DAY);
        let every_minute = schedule(&place.address());
        let audit = service(&dir, &place, &clock.clock).clock(clock.clone());
        let audit = audit.retention(retention.clone(), every_minute);
        let audit = audit.start().await.unwrap();
        clock.looked_at(2).await;
        let shortly_before = NOW.saturating_add(Duration::from_secs(50));
        assert_eq!(prune_at(&place, &retention, shortly_before).await, 10);
        clock.clock.advance(Duration::from_secs(61));
        // The end of a turn that had begun, a whole turn, and the next one.
        clock.looked_at(4).await;
        assert_eq!(place.number(PRUNES).await, 1, "{}", place.address());
        clock.clock.advance(Duration::from_secs(61));
        let prunes = recorded(&dir, "audit.prune", 1).await;
        assert_eq!(prunes[0]["details"]["removed"], 0, "{prunes:?}");
        assert_eq!(place.number(PRUNES).await, 2);
        let report = audit.shutdown(Duration::from_secs(10)).await;
        assert!(report.in_order, "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_is_counted_until_it_does_not() {
    let place = Place::Sqlite(tempfile::tempdir().unwrap());
    place.put(plain(0..10, 100)).await;
    place.put(plain(10..20, 2)).await;
    let retention = Retention::new().keep(90 * DAY);
    let long_ago = NOW.saturating_sub(3 * DAY);
    prune_at(&place, &retention, long_ago).await;
    let (dir, clock) = (tempfile::tempdir().unwrap(), Watched::new());
    let audit = service(&dir, &place, &clock.clock).clock(clock.clone());
    let audit = audit.retention(retention, schedule(&place.address()));
    let audit = audit.start().await.unwrap();
    clock.looked_at(2).await;
    // What the store says is known before this process has done anything.
    assert_eq!(audit.stats().prunes.last, Some(long_ago));
    let rename = |from, to| format!("ALTER TABLE {from} RENAME TO {to}");
    place.run(&rename("audit_holds", "elsewhere")).await;
    clock.clock.advance(Duration::from_secs(61));
    clock.looked_at(4).await;
    let failed = audit.stats().prunes;
    assert_eq!((failed.failures, failed.failing), (1, true), "{failed:?}");
    let text = audit.prometheus();
    for line in [
        "audit_prune_failing 1",
        "audit_prune_failures_total 1",
        &format!(
            "audit_last_prune_seconds {}",
            long_ago.as_micros() / 1_000_000
        ),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    place.run(&rename("elsewhere", "audit_holds")).await;
    clock.clock.advance(Duration::from_secs(61));
    recorded(&dir, "audit.prune", 2).await;
    clock.looked_at(2).await;
    let healed = audit.stats().prunes;
    assert_eq!((healed.failures, healed.failing), (1, false), "{healed:?}");
    assert_eq!(healed.last, Some(clock.clock.now()));
    let report = audit.shutdown(Duration::from_secs(10)).await;
    assert!(report.in_order, "{report}");
}
