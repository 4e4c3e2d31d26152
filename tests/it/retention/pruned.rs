//! A prune while others write, month by month, and what verification says of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::Connection;
use tower_audit::{
    clock::Timestamp,
    retention::{Retention, RetentionError, Rule},
    sink::tables,
    store::Store,
    verify,
};

use super::place::{NOW, Place, ago, all, batch, plain, record, root_of};
use crate::support::{batches::origin, postgres};

pub(super) const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_of_a_store_goes_while_a_writer_goes_on_and_the_tree_stays() {
    for place in all() {
        let (old, young) = (plain(0..1500, 100), plain(1500..3000, 2));
        let mut records = [old.records.clone(), young.records.clone()].concat();
        place.put(old).await;
        place.put(young).await;
        let more = plain(3000..3400, 1);
        records.extend(more.records.clone());
        let writer = {
            let mut sink = place.sink();
            tokio::spawn(async move {
                for records in more.records.chunks(5) {
                    let part = batch(&origin(1), records.to_vec());
                    while let Err(error) = sink.deliver(&part).await {
                        assert!(error.to_string().contains("lock"), "{error}");
                    }
                }
                sink.close().await.unwrap();
            })
        };
        let retention = Retention::new().keep(90 * DAY);
        let mut pruner = place.pruner().await;
        let plan = pruner.plan(&retention, NOW).await.unwrap();
        assert_eq!(plan.removed, 1500, "{plan}");
        assert_eq!(place.number("SELECT count(*) FROM audit_emptied").await, 0);
        assert_eq!(place.number("SELECT count(*) FROM audit_prunes").await, 0);
        let report = pruner.prune(&retention, NOW).await.unwrap();
        assert!(report.complete, "{report:?}");
        assert_eq!(report.done.removed, plan.removed);
        assert_eq!(
            report.done.oldest_remaining,
            Some(Timestamp::from_micros(ago(2, 0).as_micros() + 1500))
        );
        writer.await.unwrap();
        assert_eq!(place.root().await, root_of(&records), "{}", place.address());
        assert_eq!(place.numbers().await, (1500..3400).collect::<Vec<_>>());
        assert_eq!(
            place.number("SELECT count(*) FROM audit_targets").await,
            1900
        );
        let noted = "SELECT count(*) FROM audit_prunes WHERE removed = 1500 AND complete = 1 \
                     AND ended IS NOT NULL";
        assert_eq!(place.number(noted).await, 1);
        let again = pruner.prune(&retention, NOW).await.unwrap();
        assert_eq!((again.done.removed, again.previous_policy), (0, None));
    }
}

#[tokio::test]
async fn a_writer_gets_in_between_any_two_steps() {
    for place in all() {
        place.put(plain(0..50, 100)).await;
        place.put(plain(50..60, 2)).await;
        let mut sink = place.sink();
        let mut pruner = place.pruner().await;
        let retention = Retention::new().keep(90 * DAY);
        let (mut next, mut runs) = (60, 0);
        loop {
            let mut asked = 0;
            let one_step = |_removed| {
                asked += 1;
                asked < 2
            };
            let report = pruner.prune_while(&retention, NOW, one_step).await.unwrap();
            sink.deliver(&plain(next..next + 1, 1)).await.unwrap();
            (next, runs) = (next + 1, runs + 1);
            if report.complete {
                break;
            }
        }
        assert!(runs > 1);
        assert_eq!(place.numbers().await, (50..next).collect::<Vec<_>>());
        place.root().await;
    }
}

#[tokio::test]
async fn a_verified_store_counts_what_was_removed_and_misses_what_vanished() {
    for place in all() {
        place.put(plain(0..100, 100)).await;
        place.put(plain(100..120, 2)).await;
        let store = Store::open(&place.address()).await.unwrap();
        let before = verify::store(&store, verify::Options::new()).await.unwrap();
        let keep_some = Rule::action("document.*").unwrap().keep(90 * DAY);
        let retention = Retention::new().rule(keep_some);
        let report = place.pruner().await.prune(&retention, NOW).await.unwrap();
        assert_eq!(report.done.removed, 100);
        let expected = verify::Expected::head(origin(1).trail, before.trails[0].head.unwrap());
        let options = verify::Options::new().expect(expected);
        let after = verify::store(&store, options.clone()).await.unwrap();
        assert!(after.holds(), "{after}");
        assert_eq!(after.trails[0].head, before.trails[0].head);
        assert_eq!(
            (after.trails[0].records, after.trails[0].emptied),
            (20, 100)
        );
        assert!(
            after.to_string().contains("100 removed by prunes"),
            "{after}"
        );
        let guards = |what| match &place {
            Place::Postgres(_) => format!("ALTER TABLE audit_emptied {what} TRIGGER ALL;"),
            _ => String::new(),
        };
        for (change, number) in [
            ("DELETE FROM audit_emptied WHERE number = 7", 7),
            ("UPDATE audit_emptied SET leaf = '0' WHERE number = 0", 0),
        ] {
            let (off, on) = (guards("DISABLE"), guards("ENABLE"));
            let leaf = match &place {
                Place::Sqlite(_) => "zeroblob(32)",
                Place::Postgres(_) => "decode(repeat('00', 32), 'hex')",
                Place::Mariadb(_) => "REPEAT(CHAR(0), 32)",
            };
            let change = change.replace("'0'", leaf);
            place.run(&format!("{off} {change}; {on}")).await;
            let found = verify::store(&store, options.clone()).await.unwrap();
            assert!(!found.holds(), "{change}: {found}");
            let numbers: Vec<_> = found.findings().map(|finding| finding.number).collect();
            let is_told = number == 0 || numbers.contains(&Some(number));
            assert!(is_told, "{change}: {found}");
        }
    }
}

#[tokio::test]
async fn what_declares_a_gap_outlives_every_policy() {
    for place in all() {
        let trail = origin(1).trail;
        let more = format!(
            r#","targets":[{{"type":"trail","id":"{trail}"}}],"details":{{"from_number":5,"to_number":9}}"#
        );
        let declared = record(9, ago(100, 0), "audit.sink_missed", more);
        let of_old = record(10, ago(100, 0), "audit.verify", "");
        place.put(plain(0..5, 101)).await;
        let late = batch(&origin(1), vec![declared, of_old]);
        place.put(late).await;
        place.put(plain(11..15, 2)).await;
        let store = Store::open(&place.address()).await.unwrap();
        let before = verify::store(&store, verify::Options::new()).await.unwrap();
        assert!(before.holds(), "{before}");
        let all_own = Rule::action("audit.*").unwrap().keep(90 * DAY);
        let retention = Retention::new().rule(all_own).keep(90 * DAY);
        place.pruner().await.prune(&retention, NOW).await.unwrap();
        assert_eq!(place.numbers().await, [9, 11, 12, 13, 14]);
        let after = verify::store(&store, verify::Options::new()).await.unwrap();
        assert!(after.holds(), "{after}");
    }
}

#[tokio::test]
async fn a_record_that_comes_again_is_removed_again_and_its_leaf_is_kept_once() {
    for place in all() {
        place.put(plain(0..10, 100)).await;
        place.put(plain(10..12, 2)).await;
        let retention = Retention::new().keep(90 * DAY);
        let mut pruner = place.pruner().await;
        pruner.prune(&retention, NOW).await.unwrap();
        // As after a restore: the same bytes, which came long ago.
        let mut again = plain(0..10, 100);
        again = again.chosen(true);
        place.sink().deliver(&again).await.unwrap();
        assert_eq!(place.numbers().await.len(), 12);
        place.root().await;
        let report = pruner.prune(&retention, NOW).await.unwrap();
        assert_eq!(report.done.removed, 10);
        assert_eq!(place.number("SELECT count(*) FROM audit_emptied").await, 10);
        // Another leaf under the number of one that was removed is not passed over.
        let other = record(3, ago(100, 0), "user.login", "");
        let other = batch(&origin(1), vec![other]).chosen(true);
        place.sink().deliver(&other).await.unwrap();
        let error = pruner.prune(&retention, NOW).await.unwrap_err().to_string();
        assert!(error.contains("another leaf"), "{error}");
        assert_eq!(place.numbers().await, [3, 10, 11]);
    }
}

/// A store on PostgreSQL whose records have parts of their own month.
async fn in_months() -> Option<Place> {
    let place = Place::Postgres(postgres::place()?);
    let months = [(0..300, 200), (300..500, 160), (500..700, 100)];
    for (numbers, days) in months {
        place.put(plain(numbers, days)).await;
    }
    place.put(plain(700..710, 2)).await;
    tables::migrate(&place.address(), None).await.unwrap();
    Some(place)
}

const PARTS: &str = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit_records'::regclass \
                     AND inhrelid::regclass::text ~ 'y2026m0[1-8]'";

#[tokio::test]
async fn months_of_which_everything_goes_are_dropped() {
    let Some(place) = in_months().await else {
        return;
    };
    assert_eq!(place.number(PARTS).await, 3);
    let root = place.root().await;
    let retention = Retention::new().keep(120 * DAY);
    let mut pruner = place.pruner().await;
    let plan = pruner.plan(&retention, NOW).await.unwrap();
    assert_eq!((plan.removed, plan.parts.len()), (500, 2), "{plan}");
    let report = pruner.prune(&retention, NOW).await.unwrap();
    assert_eq!(report.done.parts, plan.parts, "{report:?}");
    assert_eq!((report.done.removed, report.left.len()), (500, 0));
    assert_eq!(place.number(PARTS).await, 1);
    assert_eq!(place.root().await, root);
    assert_eq!(
        place.number("SELECT count(*) FROM audit_targets").await,
        210
    );
    let noted = "SELECT sum(removed)::bigint FROM audit_prunes";
    assert_eq!(place.number(noted).await, 500);
}

#[tokio::test]
async fn a_month_with_something_that_stays_goes_row_by_row() {
    let Some(place) = in_months().await else {
        return;
    };
    let kept = record(710, ago(160, 1), "user.login", "");
    place
        .sink()
        .deliver(&batch(&origin(2), vec![kept]))
        .await
        .unwrap();
    let forever = Rule::action("user.*").unwrap().forever();
    let retention = Retention::new().rule(forever).keep(120 * DAY);
    let report = place.pruner().await.prune(&retention, NOW).await.unwrap();
    assert_eq!(
        (report.done.parts.len(), report.done.removed),
        (1, 500),
        "{report:?}"
    );
    assert_eq!(place.number(PARTS).await, 2);
    let of_one = "SELECT count(*) FROM audit_records WHERE action = 'user.login'";
    assert_eq!(place.number(of_one).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_that_is_read_all_the_time_goes_row_by_row() {
    let Some(place) = in_months().await else {
        return;
    };
    let Place::Postgres(server) = &place else {
        return;
    };
    let root = place.root().await;
    let mut reader = server.connect().await;
    let mut reading = reader.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM audit_records")
        .fetch_one(&mut *reading)
        .await
        .unwrap();
    // Whoever writes meanwhile waits for less than the prune does.
    let is_over = Arc::new(AtomicBool::new(false));
    let writer = {
        let (mut sink, is_over) = (place.sink(), Arc::clone(&is_over));
        tokio::spawn(async move {
            let mut next = 710;
            while !is_over.load(Ordering::Relaxed) {
                sink.deliver(&plain(next..next + 1, 1)).await.unwrap();
                next += 1;
            }
            next
        })
    };
    let retention = Retention::new().keep(120 * DAY);
    let report = place.pruner().await.prune(&retention, NOW).await.unwrap();
    is_over.store(true, Ordering::Relaxed);
    let next = writer.await.unwrap();
    assert!(next > 710, "nothing was written");
    assert_eq!(
        (report.done.parts.len(), report.left.len()),
        (0, 2),
        "{report:?}"
    );
    assert!(
        report.left[0].contains("it is read all the time"),
        "{report:?}"
    );
    assert_eq!(report.done.removed, 500);
    reading.rollback().await.unwrap();
    assert_eq!(
        place.number(PARTS).await,
        3,
        "empty, and dropped another time"
    );
    assert_ne!(place.root().await, root);
    let again = place.pruner().await.prune(&retention, NOW).await.unwrap();
    assert_eq!((again.done.parts.len(), again.done.removed), (2, 0));
    assert_eq!(place.number(PARTS).await, 1, "{again:?}");
    let other = place.pruner().await.prune(&Retention::new(), NOW).await;
    assert!(matches!(other, Ok(report) if report.previous_policy.is_some()));
    let wrong = Retention::new().keep(DAY);
    let wrong = place.pruner().await.prune(&wrong, NOW).await;
    assert!(matches!(wrong, Err(RetentionError::Rule { .. })));
}
