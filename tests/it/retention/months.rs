//! Months on PostgreSQL of which little stays: made anew, with everything as it was.

use sqlx::Connection;
use tower_audit::{retention::Filter, store::Store, verify};

use super::{
    month::{MONTH, Month, late, retention, run},
    place::{NOW, root_of},
};
use crate::support::{batches::origin, postgres, services};

#[tokio::test]
async fn a_month_of_which_little_stays_is_made_anew_with_it_byte_for_byte() {
    let Some(month) = Month::new().await else {
        return;
    };
    let place = &month.place;
    let (file, bytes) = (month.file().await, month.bytes().await);
    let store = Store::open(&place.address()).await.unwrap();
    let before = verify::store(&store, verify::Options::new()).await.unwrap();
    let plan = place.pruner().await.plan(&retention(), NOW).await.unwrap();
    assert_eq!(month.file().await, file, "a dry run changes nothing");

    let report = month.prune().await;
    assert_eq!(
        (report.renewed.len(), report.left.len()),
        (1, 0),
        "{report:?}"
    );
    assert!(report.renewed[0].ends_with(".audit_records_y2026m06"));
    assert_eq!(report.done, plan, "what was planned was done, by each rule");
    let detail = format!("{:?}", report.record());
    assert!(detail.contains("audit_records_y2026m06"), "{detail}");
    let anew = month.file().await;
    assert_ne!(anew, file, "the old file is still there");
    assert_eq!(month.bytes().await, bytes);
    month.is_pruned().await;
    let targets = "SELECT count(*) FROM audit_targets";
    assert_eq!(place.number(targets).await, 15);
    let expected = verify::Expected::head(origin(1).trail, before.trails[0].head.unwrap());
    let options = verify::Options::new().expect(expected);
    let after = verify::store(&store, options).await.unwrap();
    assert!(after.holds(), "{after}");
    assert_eq!(after.trails[0].head, before.trails[0].head);

    // Guarded as before, written to as before, and made anew once.
    let mut owner = month.connect().await;
    for change in [
        "TRUNCATE audit_records_y2026m06",
        "DELETE FROM audit_records WHERE number = 7",
        "UPDATE audit_records_y2026m06 SET action = 'a.b'",
    ] {
        let refused = sqlx::raw_sql(change).execute(&mut owner).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("never changed"), "{refused}");
    }
    place.sink().deliver(&late(MONTH + 10)).await.unwrap();
    let again = month.prune().await;
    assert_eq!((again.renewed.len(), again.done.removed), (0, 0));
    assert_eq!(month.file().await, anew);
}

#[tokio::test]
async fn a_month_that_was_emptied_row_by_row_gives_its_room_back() {
    let Some(month) = Month::new().await else {
        return;
    };
    // Somebody else uses the month by his own table.
    month
        .place
        .run("CREATE TABLE notes (record uuid REFERENCES audit_records)")
        .await;
    let (file, bytes) = (month.file().await, month.bytes().await);
    let report = month.prune().await;
    assert!(
        report.left[0].contains("referenced in a foreign key"),
        "{report:?}"
    );
    assert!(report.complete && report.renewed.is_empty(), "{report:?}");
    month.is_pruned().await;
    assert_eq!(month.file().await, file);

    month.place.run("DROP TABLE notes").await;
    let report = month.prune().await;
    assert_eq!((report.renewed.len(), report.done.removed), (1, 0));
    assert_ne!(month.file().await, file);
    assert_eq!(month.bytes().await, bytes);
    month.is_pruned().await;
}

#[tokio::test]
async fn a_month_of_which_more_stays_goes_row_by_row() {
    let Some(month) = Month::new().await else {
        return;
    };
    let (file, mut pruner) = (month.file().await, month.place.pruner().await);
    // One target in two.
    let filter = Filter::new([("q", "5")], NOW).unwrap();
    pruner.hold(&filter, "case", "ann", NOW).await.unwrap();
    let report = pruner.prune(&retention(), NOW).await.unwrap();
    assert_eq!((report.renewed.len(), report.left.len()), (0, 0));
    assert_eq!(month.file().await, file);
    assert!(report.done.removed > 500, "{report:?}");
    assert_eq!(month.place.root().await, root_of(&month.records));
}

#[tokio::test]
async fn a_month_that_is_made_anew_keeps_what_is_held() {
    let Some(month) = Month::new().await else {
        return;
    };
    let mut pruner = month.place.pruner().await;
    let held = Filter::new([("target", "document:10")], NOW).unwrap();
    pruner.hold(&held, "case", "ann", NOW).await.unwrap();
    let file = month.file().await;
    let report = pruner.prune(&retention(), NOW).await.unwrap();
    assert_eq!(report.renewed.len(), 1, "{report:?}");
    assert_ne!(month.file().await, file);
    let numbers = month.place.numbers().await;
    assert_eq!(numbers[..3], [7, 10, 700]);
    assert_eq!(numbers.len(), 16);
    assert_eq!(month.place.root().await, root_of(&month.records));
}

#[tokio::test]
async fn a_hold_that_is_placed_before_a_month_is_locked_keeps_its_records() {
    let Some(month) = Month::new().await else {
        return;
    };
    // The prune waits where it notes itself: it has judged the month, and knows of no hold.
    let mut stopping = month.connect().await;
    run(
        &mut stopping,
        "BEGIN; LOCK TABLE audit_prunes IN SHARE MODE",
    )
    .await;
    let (report, ()) = tokio::join!(month.prune(), async {
        month.waits("relname = 'audit_prunes'").await;
        let held = Filter::new([("target", "document:10")], NOW).unwrap();
        let mut placing = month.place.pruner().await;
        placing.hold(&held, "case", "ann", NOW).await.unwrap();
        run(&mut stopping, "COMMIT").await;
    });
    assert_eq!(report.renewed.len(), 0, "{report:?}");
    assert_eq!(report.done.removed, MONTH - 6);
    assert_eq!(month.place.numbers().await[..3], [7, 10, 700]);
    assert_eq!(month.place.root().await, root_of(&month.records));
}

#[tokio::test]
async fn what_comes_into_a_month_before_it_is_locked_stays() {
    let Some(mut month) = Month::new().await else {
        return;
    };
    // Counted already, and not yet locked.
    let mut stopping = month.connect().await;
    run(
        &mut stopping,
        "BEGIN; LOCK TABLE audit_prunes IN SHARE MODE",
    )
    .await;
    let (report, ()) = tokio::join!(month.prune(), async {
        month.waits("relname = 'audit_prunes'").await;
        let mut sink = month.place.sink();
        sink.deliver(&late(MONTH + 10)).await.unwrap();
        run(&mut stopping, "COMMIT").await;
    });
    assert!(
        report.left[0].contains("records came into it meanwhile"),
        "{report:?}"
    );
    month.records.extend(late(MONTH + 10).records);
    month.is_pruned().await;
    assert_eq!(month.prune().await.renewed.len(), 1);
    month.is_pruned().await;
}

#[tokio::test]
async fn who_writes_into_a_month_while_it_is_made_anew_waits_and_loses_nothing() {
    let Some(mut month) = Month::new().await else {
        return;
    };
    let mut sink = month.place.sink();
    sink.probe().await.unwrap();
    let mut holder = month.stop(71).await;
    let file = month.file().await;
    let late = late(MONTH + 10);
    let (report, delivered, ()) = tokio::join!(
        month.prune(),
        async {
            month.waits("locktype = 'advisory' AND objid = 71").await;
            sink.deliver(&late).await
        },
        async {
            // Behind the one that makes the month anew, which is not through.
            month.waits("relname = 'audit_records_y2026m06'").await;
            run(&mut holder, "SELECT pg_advisory_unlock(71)").await;
        }
    );
    assert_eq!(delivered, Ok(()));
    assert_eq!(report.renewed.len(), 1, "{report:?}");
    assert_ne!(month.file().await, file);
    month.records.extend(late.records);
    month.is_pruned().await;
    let once = "SELECT count(*) FROM audit_records WHERE number = 3010";
    assert_eq!(month.place.number(once).await, 1);
}

#[tokio::test]
async fn a_reader_with_an_old_snapshot_sees_what_stays() {
    let Some(month) = Month::new().await else {
        return;
    };
    let mut connection = month.connect().await;
    let mut reading = connection
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ")
        .await
        .unwrap();
    run(&mut reading, "SELECT 1 FROM audit_trails").await;
    assert_eq!(month.prune().await.renewed.len(), 1);
    let own = "SELECT count(*) FROM audit_records WHERE action = 'audit.verify'";
    let seen: i64 = sqlx::query_scalar(own)
        .fetch_one(&mut *reading)
        .await
        .unwrap();
    assert_eq!(seen, 5);
}

#[tokio::test]
async fn a_prune_that_is_dropped_while_it_makes_a_month_anew_has_changed_nothing() {
    let Some(month) = Month::new().await else {
        return;
    };
    let mut holder = month.stop(72).await;
    let (file, bytes) = (month.file().await, month.bytes().await);
    tokio::select! {
        report = month.prune() => panic!("{report:?}"),
        () = month.waits("locktype = 'advisory' AND objid = 72") => {}
    }
    run(&mut holder, "SELECT pg_advisory_unlock(72)").await;
    month.is_untouched(file, bytes).await;
    assert_eq!(month.prune().await.renewed.len(), 1);
    month.is_pruned().await;
    assert_eq!(month.bytes().await, bytes);
}

#[tokio::test]
async fn a_server_that_is_killed_while_a_month_is_made_anew_has_changed_nothing() {
    let Some(server) = services::private("postgres") else {
        return;
    };
    let month = Month::on(postgres::Place::on(server.get("POSTGRES_URL"))).await;
    let holder = month.stop(73).await;
    let (file, bytes) = (month.file().await, month.bytes().await);
    let mut pruner = month.place.pruner().await;
    let policy = retention();
    let (failed, ()) = tokio::join!(pruner.prune(&policy, NOW), async {
        month.waits("locktype = 'advisory' AND objid = 73").await;
        server.kill();
    });
    assert!(failed.is_err(), "{failed:?}");
    drop(holder);
    server.start();
    month.is_untouched(file, bytes).await;
    let report = pruner.prune(&policy, NOW).await.unwrap();
    assert_eq!(report.renewed.len(), 1, "{report:?}");
    month.is_pruned().await;
    assert_eq!(month.bytes().await, bytes);
}
