//! A piece of work leaves one record, whatever its end.

use std::{future::pending, time::Duration};

use tower_audit::{
    AuditScope, CommitError, Record, assert_recorded,
    record::{Actor, Outcome, Target},
    testing::{
        TestTrail,
        disk::{Call, Fault, TestDisk},
    },
};

fn prune() -> Record {
    Record::system("backup.prune")
}

fn only(trail: &TestTrail) -> Record {
    let mut records = trail.records();
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

#[tokio::test]
async fn work_that_returns_is_a_success_with_what_it_said() {
    let trail = TestTrail::start();
    let output = trail
        .audit()
        .scope(prune())
        .run(async {
            let scope = AuditScope::current().unwrap();
            scope
                .target(Target::new("backup", "7"))
                .detail("removed", 3);
            tokio::task::yield_now().await;
            assert_eq!(
                AuditScope::current().unwrap().id(),
                scope.id(),
                "current on every poll"
            );
            "done"
        })
        .await;
    assert_eq!(output, "done");
    assert!(AuditScope::current().is_none(), "and on no other");
    let record = assert_recorded!(trail, {
        "action": "backup.prune", "outcome": "success", "actor": {"type": "system"},
        "targets": [{"type": "backup", "id": "7"}], "details": {"removed": 3}
    });
    assert!(record.context.duration.is_some());
}

#[tokio::test]
async fn an_error_is_recorded_with_its_text_and_what_was_said_stays() {
    let trail = TestTrail::start();
    let job = trail.audit().scope(prune());
    let result: Result<(), &str> = job.try_run(async { Err("disk on fire") }).await;
    assert_eq!(result, Err("disk on fire"));
    assert_recorded!(trail, {"outcome": "error", "error": {"message": "disk on fire"}});

    let job = trail.audit().scope(Record::new("user.login"));
    let denied = async {
        AuditScope::current().unwrap().denied("bad password");
        Err::<(), _>("401")
    };
    let _ = job.try_run(denied).await;
    assert_recorded!(trail, {"action": "user.login", "outcome": "denied", "reason": "bad password"});
}

// Trap C4: a panic is told from a drop by catching it.
#[tokio::test]
async fn a_panic_is_recorded_and_goes_on() {
    let trail = TestTrail::start();
    let run = trail.audit().scope(prune()).run(async {
        AuditScope::current().unwrap().success();
        panic!("boom {}", 7);
    });
    let panic = tokio::spawn(run).await.unwrap_err();
    assert!(panic.is_panic());
    assert_recorded!(trail, {"outcome": "error", "error": {"type": "panic", "message": "boom 7"}});
    only(&trail);
    assert!(AuditScope::current().is_none());
}

// Trap C3: the future is dropped where it waits.
#[tokio::test]
async fn work_that_is_dropped_is_cancelled() {
    let trail = TestTrail::start();
    let mut run = Box::pin(trail.audit().scope(prune()).run(async {
        AuditScope::current().unwrap().detail("got", "this far");
        pending::<()>().await;
    }));
    let polled = futures_poll_once(run.as_mut()).await;
    assert!(!polled);
    assert_eq!(trail.audit().stats().open_scopes, 1);
    drop(run);
    assert_recorded!(trail, {"outcome": "cancelled", "details": {"got": "this far"}});
    only(&trail);
    assert_eq!(trail.audit().stats().open_scopes, 0);
}

async fn futures_poll_once(future: std::pin::Pin<&mut impl Future>) -> bool {
    let mut future = Some(future);
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(
            future
                .take()
                .is_some_and(|future| future.poll(cx).is_ready()),
        )
    })
    .await
}

#[tokio::test]
async fn scopes_nest_and_further_records_inherit() {
    let trail = TestTrail::start();
    let audit = trail.audit().clone();
    trail
        .audit()
        .scope(Record::new("import.run").actor(Actor::user("146")))
        .run(async {
            let outer = AuditScope::current().unwrap();
            audit
                .scope(prune())
                .run(async { assert_ne!(AuditScope::current().unwrap().id(), outer.id()) })
                .await;
            assert_eq!(AuditScope::current().unwrap().id(), outer.id());
            outer.record(Record::new("document.create")).unwrap();
        })
        .await;
    assert_recorded!(trail, {"action": "document.create", "actor": {"id": "146"}, "outcome": "success"});
    assert_eq!(trail.records().len(), 3);
}

/// Fills the queue for as long as the disk hangs.
fn fill(trail: &TestTrail) {
    trail.disk().stall(Call::Sync);
    while trail.audit().record(Record::new("queue.fill")).is_ok() {}
    assert!(trail.disk().wait_stalled(Call::Sync, 1));
}

#[tokio::test]
async fn work_without_room_for_its_record_keeps_to_its_own_scope_and_is_tried_again_at_the_end() {
    let trail = TestTrail::with(|builder| builder.queue_limit(4096));
    let audit = trail.audit();
    let outer = audit.scope(Record::system("import.run")).run(async {
        let outer = AuditScope::current().unwrap();
        fill(&trail);
        let inner = audit.scope(prune()).run(async {
            let scope = AuditScope::current().unwrap();
            assert_ne!(scope.id(), outer.id());
            scope.detail("removed", 3).denied("not now");
            trail.disk().release(Call::Sync);
            audit.flush().await.unwrap();
        });
        inner.await;
    });
    outer.await;
    let refused = audit.stats().rejected_full;
    assert!(refused >= 2, "the last to fill, and at the door: {refused}");
    assert_recorded!(trail, {"action": "backup.prune", "outcome": "denied", "details": {"removed": 3}});
    let outer = assert_recorded!(trail, {"action": "import.run", "outcome": "success"});
    assert!(outer.details.is_empty(), "{outer:?}");
}

// Trap C10: a clone works in a spawned task; after the end it changes nothing.
#[tokio::test]
async fn a_cloned_scope_works_elsewhere_until_the_record_is_written() {
    let trail = TestTrail::start();
    let run = trail.audit().scope(prune()).run(async {
        let scope = AuditScope::current().unwrap();
        tokio::spawn({
            let scope = scope.clone();
            async move {
                scope.detail("from", "a task");
            }
        })
        .await
        .unwrap();
        scope
    });
    let scope = run.await;
    assert!(scope.is_finished());
    scope.detail("late", true).failure("too late");
    let record = only(&trail);
    assert_eq!(record.details["from"], "a task");
    assert_eq!(
        (record.outcome, record.details.get("late")),
        (Some(Outcome::Success), None)
    );
}

#[tokio::test]
async fn strict_work_is_not_begun_when_its_intent_cannot_be_kept() {
    let trail = TestTrail::start();
    trail
        .disk()
        .inject(Fault::eio([Call::Sync]).until_cleared());
    let begun = std::sync::atomic::AtomicBool::new(false);
    let result = trail
        .audit()
        .scope(prune())
        .strict()
        .run(async { begun.store(true, std::sync::atomic::Ordering::Relaxed) })
        .await;
    assert!(
        matches!(result, Err(CommitError::Failing { .. })),
        "{result:?}"
    );
    assert!(!begun.into_inner());
    trail.disk().clear_faults();
    assert_eq!(
        trail
            .audit()
            .shutdown(Duration::from_secs(30))
            .await
            .unstored,
        0
    );
    assert_recorded!(trail, {"action": "backup.prune", "outcome": "error"});
    assert_eq!(trail.audit().stats().open_intents, 0);
}

#[tokio::test]
async fn an_intent_without_a_verdict_becomes_unknown_at_the_next_start() {
    let disk = TestDisk::new();
    let trail = TestTrail::on(&disk, |builder| builder);
    let mut run = Box::pin(
        trail
            .audit()
            .scope(prune().detail("area", "eu"))
            .strict()
            .run(pending::<()>()),
    );
    while trail.audit().stats().commits < 2 || trail.audit().stats().open_intents < 1 {
        assert!(!futures_poll_once(run.as_mut()).await);
        tokio::task::yield_now().await;
    }
    // The intent is durable once the trail can be flushed; then the process dies.
    trail.audit().flush().await.unwrap();
    let again = TestTrail::on(&disk.after_kill(), |builder| builder);
    let record = assert_recorded!(again, {"action": "backup.prune", "outcome": "unknown", "details": {"area": "eu"}});
    assert!(record.reason.is_some());
    assert_eq!(again.audit().stats().open_intents, 0);
    let _ = again.shutdown();
    drop(again);
    let third = TestTrail::on(&disk.after_kill(), |builder| builder);
    assert_eq!(third.records().len(), 1, "once, not at every start");
}

#[tokio::test]
async fn commit_makes_an_intent_of_what_is_known_so_far() {
    let disk = TestDisk::new();
    let trail = TestTrail::on(&disk, |builder| builder);
    let kill = disk.clone();
    let before = trail.audit().scope(prune()).run(async move {
        let scope = AuditScope::current().unwrap();
        scope.detail("known", 1);
        scope.commit().await.unwrap();
        scope.commit().await.unwrap();
        kill.after_kill()
    });
    let crashed = before.await;
    let again = TestTrail::on(&crashed, |builder| builder);
    assert_recorded!(again, {"action": "backup.prune", "outcome": "unknown", "details": {"known": 1}});
    // In the process that lived, the record closed the intent.
    assert_recorded!(trail, {"action": "backup.prune", "outcome": "success"});
    assert_eq!(trail.audit().stats().open_intents, 0);
}

#[tokio::test]
async fn a_shutdown_waits_for_open_scopes_and_says_which_it_left() {
    let trail = TestTrail::start();
    let mut run = Box::pin(trail.audit().scope(prune()).run(pending::<()>()));
    assert!(!futures_poll_once(run.as_mut()).await);
    let report = trail.audit().shutdown(Duration::from_millis(20)).await;
    assert_eq!((report.unfinished, report.in_order), (1, false), "{report}");
    drop(run);
    assert_eq!(
        trail.records().len(),
        0,
        "its record came too late, and is counted"
    );
    assert_eq!(trail.audit().stats().rejected_closed, 1);
}
