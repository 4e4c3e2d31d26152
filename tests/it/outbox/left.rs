//! What a process that died left in the outbox.

use std::{
    future::{pending, poll_fn},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use sqlx::{Sqlite, Transaction};
use tower_audit::{
    AuditScope, Outcome, Record, assert_recorded,
    clock::{Clock, RecordId, SystemClock},
    outbox::Outbox,
    testing::{
        TestTrail,
        disk::{Call, Fault, TestDisk},
    },
};

use super::{Service, create};

/// Runs work in a scope until it waits for ever, which it does not survive.
async fn until_it_hangs(mut work: Pin<&mut impl Future>, reached: &std::cell::Cell<bool>) {
    poll_fn(|context| {
        let _ = work.as_mut().poll(context);
        if reached.get() {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
}

#[tokio::test]
async fn a_crash_after_the_commit_is_made_good_at_the_next_start() {
    let service = Service::new().await;
    let disk = TestDisk::new();
    let trail = service.trail(&disk);
    let committed = std::cell::Cell::new(false);
    let mut work = Box::pin(trail.audit().scope(create()).run(async {
        AuditScope::current().unwrap().detail("name", "Plans");
        service.changed().await.commit().await.unwrap();
        committed.set(true);
        pending::<()>().await;
    }));
    until_it_hangs(work.as_mut(), &committed).await;
    trail.audit().flush().await.unwrap();
    let row = service.rows().await.remove(0);

    let again = service.trail(&disk.after_kill());
    let _ = again.shutdown();
    assert_eq!(service.rows().await, [""; 0]);
    let record = assert_recorded!(again, {"outcome": "unknown", "details": {"name": "Plans"}});
    assert!(
        record
            .reason
            .unwrap()
            .starts_with("the change was committed")
    );
    let ours: Vec<_> = again
        .lines()
        .into_iter()
        .filter(|line| **line == row)
        .collect();
    assert_eq!(ours.len(), 1, "the exact bytes of the row");
    assert_recorded!(again, {"action": "audit.outbox_left", "details": {"written": [record_id(&row)]}});

    let third = service.trail(&again.disk().after_kill());
    let _ = third.shutdown();
    assert_eq!(third.records().len(), 1, "once, not at every start");
}

fn record_id(json: &str) -> String {
    let record = Record::from_json(json).unwrap();
    record.id().unwrap().to_string()
}

#[tokio::test]
async fn a_crash_before_the_row_is_removed_doubles_nothing() {
    let service = Service::new().await;
    let disk = TestDisk::new();
    let trail = service.trail(&disk);
    let work = async { service.changed().await.commit().await.unwrap() };
    trail.audit().scope(create()).run(work).await;
    // The record is durable. A lock keeps the row from being removed.
    let mut tx = service.begin().await;
    let left = insert_again(&mut tx, &trail).await;
    tx.commit().await.unwrap();
    let crashed = service.copied().await;
    assert_eq!(crashed.rows().await, left);

    let again = crashed.trail(&disk.after_kill());
    let _ = again.shutdown();
    assert_eq!(crashed.rows().await, [""; 0]);
    assert_eq!(again.records().len(), 1);
    assert_recorded!(again, {"outcome": "success"});
}

/// Puts the row of the only record back, if it was removed meanwhile: as if that had been later.
async fn insert_again(tx: &mut Transaction<'_, Sqlite>, trail: &TestTrail) -> Vec<String> {
    let json = trail
        .lines()
        .into_iter()
        .find(|line| line.contains("document.create"));
    let json = json.unwrap().into_string();
    let trail = trail.audit().origin().trail.to_string();
    sqlx::query("INSERT OR REPLACE INTO audit_outbox VALUES (?1, ?2, ?3, ?4)")
        .bind(record_id(&json))
        .bind(trail)
        .bind("00000000-0000-4000-8000-000000000000")
        .bind(&json)
        .execute(&mut **tx)
        .await
        .unwrap();
    vec![json]
}

// A row is the only copy until the record is durable.
#[tokio::test]
async fn a_row_stays_while_its_record_is_only_in_memory() {
    let service = Service::new().await;
    let disk = TestDisk::new();
    let trail = service.trail(&disk);
    let work = async {
        service.changed().await.commit().await.unwrap();
        disk.inject(Fault::eio([Call::Sync]).until_cleared());
    };
    trail.audit().scope(create()).run(work).await;
    let report = trail.audit().shutdown(Duration::from_millis(300)).await;
    assert!(report.unstored > 0, "{report}");
    assert_eq!(service.rows().await.len(), 1);

    let again = service.trail(&TestDisk::new());
    let _ = again.shutdown();
    assert_eq!(
        again.records(),
        [],
        "a trail that is elsewhere may still write it"
    );
    let next = service.trail(&disk.after_kill());
    let _ = next.shutdown();
    assert_eq!(next.records().len(), 1);
    assert_eq!(service.rows().await, [""; 0]);
}

#[tokio::test]
async fn rows_of_a_living_instance_are_left_alone() {
    let service = Service::new().await;
    let disk = TestDisk::new();
    let trail = service.trail(&disk);
    let work = async {
        service.changed().await.commit().await.unwrap();
        let other = service.trail(&disk.clone());
        assert_ne!(other.audit().origin().trail, trail.audit().origin().trail);
        let _ = other.shutdown();
        assert_eq!(other.records(), [], "it is not the other's to write");
        assert_eq!(service.rows().await.len(), 1);
    };
    trail.audit().scope(create()).run(work).await;
    let _ = trail.shutdown();
    assert_eq!(service.rows().await, [""; 0]);
    assert_eq!(trail.records().len(), 1);
}

#[tokio::test]
async fn rows_of_a_dead_instance_are_settled_by_whoever_lives() {
    let service = Service::new().await;
    let disk = TestDisk::new();
    let living = service.trail(&disk);
    let dead = service.trail(&disk);
    let committed = std::cell::Cell::new(false);
    let mut work = Box::pin(dead.audit().scope(create()).run(async {
        service.changed().await.commit().await.unwrap();
        committed.set(true);
        pending::<()>().await;
    }));
    until_it_hangs(work.as_mut(), &committed).await;
    dead.audit().flush().await.unwrap();
    let _ = living.shutdown();
    assert_eq!(living.records(), []);
    assert_eq!(service.rows().await.len(), 1);

    // Both are dead now; one process comes back, and adopts the trail that it does not continue.
    let crashed = disk.after_kill();
    let first = service.trail(&crashed);
    let _ = first.shutdown();
    assert_eq!(service.rows().await, [""; 0]);
    assert_eq!(first.records().len(), 1);
    assert_recorded!(first, {"action": "document.create", "outcome": "unknown"});
}

/// A row of a trail that is nowhere below the base.
async fn stray(service: &Service, age: Duration, record: impl FnOnce(&str) -> String) {
    let at = SystemClock::new().now().saturating_sub(age);
    let id = RecordId::lowest_at(at);
    let id = id.to_string();
    sqlx::query("INSERT INTO audit_outbox VALUES (?1, ?2, ?2, ?3)")
        .bind(&id)
        .bind("11111111-1111-4111-8111-111111111111")
        .bind(record(&id))
        .execute(&service.pool)
        .await
        .unwrap();
}

fn stray_record(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","timestamp":"2026-11-20T13:34:01.000000Z","schema":"1.0","service":{{"name":"elsewhere"}},"action":"audit.pruned","category":"audit","outcome":"success"}}"#
    )
}

#[tokio::test]
async fn rows_of_a_trail_that_is_elsewhere_are_taken_over_only_when_they_are_old() {
    let service = Service::new().await;
    stray(&service, Duration::from_secs(60), stray_record).await;
    stray(&service, Duration::from_secs(7200), stray_record).await;
    let outbox = || Outbox::from(service.outbox.clone()).abandoned_after(Duration::from_secs(3600));
    let trail = TestTrail::with(|builder| builder.outbox(outbox()));
    let _ = trail.shutdown();
    assert_eq!(service.rows().await.len(), 1);
    let records = trail.records();
    assert_eq!(records.len(), 1, "{records:?}");
    // What a database says is not taken for the trail's own word.
    assert_eq!(records[0].action, "service.audit.pruned");
    assert_eq!(records[0].service().unwrap().name, "elsewhere");
    assert_eq!(records[0].outcome, Some(Outcome::Success));
}

#[tokio::test]
async fn a_row_that_is_no_record_is_told_once_and_left_in_the_table() {
    let service = Service::new().await;
    stray(&service, Duration::from_secs(7200), |_| "{}".into()).await;
    stray(&service, Duration::from_secs(7300), stray_record).await;
    let disk = TestDisk::new();
    let trail = service.trail(&disk);
    let _ = trail.shutdown();
    assert_eq!(service.rows().await, ["{}"]);
    assert_recorded!(trail, {"action": "audit.outbox_left", "outcome": "error"});
    let again = service.trail(&disk.after_kill());
    let _ = again.shutdown();
    let told = |record: &Record| record.action == "audit.outbox_left";
    assert_eq!(again.everything().iter().filter(|it| told(it)).count(), 1);
}
