//! What nothing is removed for: a floor, a clock, another prune, a guard.

use tower_audit::{
    clock::Timestamp,
    retention::{Filter, Pruner, Retention, RetentionError, Rule},
};

use super::{
    place::{IDLE, NOW, Place, ago, all, plain},
    pruned::DAY,
};

#[tokio::test]
async fn a_clock_that_jumped_ahead_does_not_empty_a_store() {
    for place in all() {
        place.put(plain(0..10, 40)).await;
        // Each day until now there is something.
        for (number, days) in (10..50).zip((1..41).rev()) {
            place.put(plain(number..number + 1, days)).await;
        }
        let retention = Retention::new().keep(90 * DAY);
        let mut pruner = place.wary_pruner().await;
        assert_eq!(pruner.prune(&retention, NOW).await.unwrap().done.removed, 0);
        let later = Timestamp::from_micros(NOW.as_micros() + 3 * 365 * 86_400_000_000);
        for refused in [
            pruner.prune(&retention, later).await.unwrap_err(),
            pruner.plan(&retention, later).await.unwrap_err(),
        ] {
            let told = refused.to_string();
            assert!(matches!(refused, RetentionError::Clock { .. }), "{told}");
            assert!(told.contains("idle"), "{told}");
        }
        // Nor when the machine with that clock has written since, for two nights or for weeks.
        let mut next = 50;
        for (nights, until) in [(-1..1, 1), (1..20, 20)] {
            for night in nights {
                let ahead = plain(next..next + 10, -3 * 365 - night);
                place.put(ahead).await;
                next += 10;
            }
            let now = later.saturating_add(until * DAY + DAY / 24);
            let refused = pruner.prune(&retention, now).await.unwrap_err();
            let told = refused.to_string();
            assert!(matches!(refused, RetentionError::Clock { .. }), "{told}");
        }
        assert_eq!(place.numbers().await, (0..next).collect::<Vec<_>>());
        // A clock that is behind removes less, and nothing that it should not.
        let report = pruner.prune(&retention, ago(30, 0)).await.unwrap();
        assert_eq!(report.done.removed, 0);
        // It was off for long, and somebody says so.
        let mut pruner = place.pruner().await.idle(4000 * DAY);
        let plan = pruner.plan(&retention, later).await.unwrap();
        assert_eq!(plan.removed, 50, "{plan}");
    }
}

#[tokio::test]
async fn an_empty_store_and_an_empty_policy_are_no_errors() {
    for place in all() {
        place.sink().probe().await.unwrap();
        let mut pruner = place.pruner().await;
        let everything = Retention::new();
        for retention in [everything, Retention::new().keep(90 * DAY)] {
            let report = pruner.prune(&retention, NOW).await.unwrap();
            assert_eq!((report.done.removed, report.complete), (0, true));
            assert_eq!(report.done.oldest_remaining, None);
        }
    }
}

#[tokio::test]
async fn where_there_is_no_store_none_is_made() {
    for place in all() {
        let error = Pruner::open(&place.address()).await.unwrap_err();
        let told = error.to_string();
        assert!(matches!(error, RetentionError::NoStore { .. }), "{told}");
        if let Place::Sqlite(dir) = &place {
            assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none());
        }
    }
}

#[tokio::test]
async fn a_policy_below_its_floor_removes_nothing() {
    let place = Place::Sqlite(tempfile::tempdir().unwrap());
    place.put(plain(0..10, 20)).await;
    place.put(plain(10..12, 2)).await;
    let low = Rule::action("document.*").unwrap().keep(7 * DAY);
    let mut pruner = place.pruner().await;
    let low = Retention::new().rule(low);
    for refused in [low.clone(), low.clone().floor(7 * DAY)] {
        let refused = pruner.prune(&refused, NOW).await.unwrap_err();
        assert!(matches!(refused, RetentionError::Rule { .. }), "{refused}");
    }
    assert_eq!(place.numbers().await.len(), 12);
    let meant = low.dangerous_floor(7 * DAY);
    let report = pruner.prune(&meant, NOW).await.unwrap();
    assert_eq!(report.done.removed, 10);
}

#[tokio::test]
async fn two_prunes_of_one_store_are_one_too_many() {
    for place in all() {
        if matches!(place, Place::Sqlite(_)) {
            continue;
        }
        place.put(plain(0..10, 100)).await;
        place.put(plain(10..12, 2)).await;
        let retention = Retention::new().keep(90 * DAY);
        let address = place.address();
        let mut others = Vec::new();
        let mut pruner = place.pruner().await;
        let report = pruner.prune_while(&retention, NOW, |_removed| {
            others.push(elsewhere(address.clone(), retention.clone()));
            true
        });
        assert!(report.await.unwrap().complete);
        assert!(!others.is_empty());
        for other in others {
            assert!(
                matches!(other, Err(RetentionError::Busy { .. })),
                "{other:?}"
            );
        }
        assert!(elsewhere(address, retention).is_ok(), "the lock is gone");
    }
}

#[tokio::test]
async fn two_prunes_of_one_file_count_each_record_once() {
    let place = Place::Sqlite(tempfile::tempdir().unwrap());
    place.put(plain(0..4000, 100)).await;
    place.put(plain(4000..4002, 2)).await;
    let retention = Retention::new().keep(90 * DAY);
    let both = [(); 2].map(|()| {
        let (address, retention) = (place.address(), retention.clone());
        std::thread::spawn(move || elsewhere(address, retention).unwrap())
    });
    let removed: u64 = both.into_iter().map(|prune| prune.join().unwrap()).sum();
    assert_eq!(removed, 4000);
    let noted = "SELECT sum(removed) FROM audit_prunes";
    assert_eq!(place.number(noted).await, 4000);
    assert_eq!(place.numbers().await, [4000, 4001]);
    place.root().await;
}

#[tokio::test]
async fn a_prune_whose_connection_was_lost_has_the_lock_again() {
    let Some(server) = crate::support::postgres::place() else {
        return;
    };
    let place = Place::Postgres(server);
    place.put(plain(0..10, 100)).await;
    place.put(plain(10..12, 2)).await;
    let retention = Retention::new().keep(90 * DAY);
    let (address, mut asked) = (place.address(), 0);
    let mut other = None;
    let mut pruner = place.pruner().await;
    let report = pruner.prune_while(&retention, NOW, |_removed| {
        asked += 1;
        if asked == 1 {
            ended(&place);
        } else {
            other = Some(elsewhere(address.clone(), retention.clone()));
        }
        true
    });
    let report = report.await.unwrap();
    assert_eq!((report.complete, report.done.removed), (true, 10));
    assert!(
        matches!(other, Some(Err(RetentionError::Busy { .. }))),
        "{other:?}"
    );
}

/// Ends the connection that prunes, from within a call that cannot wait.
fn ended(place: &Place) {
    let Place::Postgres(server) = place else {
        return;
    };
    let sql = format!(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_locks WHERE locktype = 'advisory' \
         AND pid <> pg_backend_pid() AND (classid::bigint << 32) | objid::bigint IN ( \
            SELECT hashtextextended('tower-audit prune ' || names.name, 0) \
            FROM (VALUES ('{0}.audit_records'), ('\"{0}\".audit_records'), \
                ('{0}.\"audit_records\"'), ('\"{0}\".\"audit_records\"')) AS names (name))",
        server.schema
    );
    std::thread::scope(|scope| {
        let ending = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(place.number(&sql))
        });
        assert_eq!(ending.join().unwrap(), 1, "no connection was ended");
    });
}

/// Prunes on a thread of its own, from within a call that cannot wait.
fn elsewhere(address: String, retention: Retention) -> Result<u64, RetentionError> {
    let pruning = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let mut pruner = Pruner::open(&address).await?.idle(IDLE);
            let report = pruner.prune(&retention, NOW).await?;
            Ok(report.done.removed)
        })
    });
    pruning.join().unwrap()
}

#[tokio::test]
async fn the_traces_of_pruning_are_guarded() {
    let Some(server) = crate::support::postgres::place() else {
        return;
    };
    let place = Place::Postgres(server);
    place.put(plain(0..10, 100)).await;
    place.put(plain(10..12, 2)).await;
    let mut pruner = place.pruner().await.by("ann");
    pruner
        .prune(&Retention::new().keep(90 * DAY), NOW)
        .await
        .unwrap();
    let filter = Filter::new([("actor", "146")], NOW).unwrap();
    let hold = pruner.hold(&filter, "case 7", "ann", NOW).await.unwrap();
    pruner.release(&hold.id, "bob", NOW).await.unwrap();
    let Place::Postgres(server) = &place else {
        return;
    };
    let told = "SELECT set_config('audit.prune', pg_current_xact_id()::text, true);";
    for sql in [
        "DELETE FROM audit_emptied",
        "UPDATE audit_emptied SET number = number + 1",
        "TRUNCATE audit_emptied",
        "DELETE FROM audit_holds",
        "UPDATE audit_holds SET released = NULL, released_by = NULL",
        "UPDATE audit_holds SET released_by = 'eve'",
        "TRUNCATE audit_holds",
        "DELETE FROM audit_prunes",
        "UPDATE audit_prunes SET removed = removed + 1",
        "TRUNCATE audit_prunes",
    ] {
        for sql in [sql.to_owned(), format!("{told} {sql}")] {
            let error = server.try_run(&sql).await.unwrap_err().to_string();
            assert!(error.contains("never removed"), "{sql}: {error}");
        }
    }
}
