//! Prunes that end in the middle: whole steps are done, and the next prune goes on.

use std::time::Duration;

use tower_audit::retention::{Pruner, Retention};

use super::{
    place::{NOW, Place, all, plain, root_of},
    pruned::DAY,
};
use crate::support::{mariadb::Scratch, postgres, services};

/// Ends a prune from its second step on, by dropping it.
async fn dropped(place: &Place, retention: &Retention) {
    let mut pruner = place.pruner().await;
    let (tell, told) = tokio::sync::oneshot::channel();
    let mut tell = Some(tell);
    let mut steps = 0;
    let pruning = pruner.prune_while(retention, NOW, |_removed| {
        steps += 1;
        if steps == 2 {
            tell.take().map(|tell| tell.send(()));
        }
        true
    });
    tokio::select! {
        biased;
        told = told => told.unwrap(),
        report = pruning => panic!("it ended before it was dropped: {report:?}"),
    }
}

#[tokio::test]
async fn a_prune_that_was_dropped_has_done_whole_steps_and_another_goes_on() {
    for place in all() {
        let (old, young) = (plain(0..3000, 100), plain(3000..3010, 2));
        let records = [old.records.clone(), young.records.clone()].concat();
        place.put(old).await;
        place.put(young).await;
        let retention = Retention::new().keep(90 * DAY);
        dropped(&place, &retention).await;
        let left = place.numbers().await;
        assert!(
            left.len() > 10 && left.len() < 3010,
            "{} are left",
            left.len()
        );
        assert_eq!(place.root().await, root_of(&records));
        let noted = "SELECT count(*) FROM audit_prunes WHERE ended IS NULL AND complete = 0";
        assert_eq!(place.number(noted).await, 1, "no prune without a trace");
        let removed = "SELECT CAST(sum(removed) AS signed) FROM audit_prunes";
        let removed = match place {
            Place::Mariadb(_) => removed.to_owned(),
            _ => removed.replace("signed", "bigint"),
        };
        let gone = 3010 - i64::try_from(left.len()).unwrap();
        assert_eq!(place.number(&removed).await, gone);

        let report = place.pruner().await.prune(&retention, NOW).await.unwrap();
        assert_eq!(report.done.removed.cast_signed(), 3000 - gone);
        assert_eq!(place.root().await, root_of(&records));
        assert_eq!(place.number(&removed).await, 3000);
    }
}

/// Kills the server of a place in the middle of a prune, starts it again, and goes on.
async fn killed(place: Place, server: &services::Instance) {
    let (old, young) = (plain(0..3000, 100), plain(3000..3010, 2));
    let records = [old.records.clone(), young.records.clone()].concat();
    place.put(old).await;
    place.put(young).await;
    let retention = Retention::new().keep(90 * DAY);
    let mut pruner = place.pruner().await;
    let mut steps = 0;
    let failed = pruner.prune_while(&retention, NOW, |_removed| {
        steps += 1;
        if steps == 2 {
            server.kill();
        }
        true
    });
    let failed = tokio::time::timeout(Duration::from_secs(120), failed)
        .await
        .unwrap();
    let error = failed.unwrap_err().to_string();
    assert!(!error.contains('@'), "{error}");
    server.start();
    let left = place.numbers().await.len();
    assert!(left > 10 && left < 3010, "{left} are left");
    assert_eq!(place.root().await, root_of(&records));
    // The same pruner: it connects again.
    let report = prune_again(&mut pruner, &retention).await;
    assert_eq!(report, left as u64 - 10);
    assert_eq!(place.root().await, root_of(&records));
}

async fn prune_again(pruner: &mut Pruner, retention: &Retention) -> u64 {
    let report = pruner.prune(retention, NOW).await.unwrap();
    assert!(report.complete);
    report.done.removed
}

#[tokio::test]
async fn a_postgres_that_is_killed_during_a_prune_loses_no_leaf() {
    let Some(server) = services::private("postgres") else {
        return;
    };
    let place = postgres::Place::on(server.get("POSTGRES_URL"));
    killed(Place::Postgres(place), &server).await;
}

#[tokio::test]
async fn a_mariadb_that_is_killed_during_a_prune_loses_no_leaf() {
    let Some(server) = services::private("mariadb") else {
        return;
    };
    let place = Scratch::on(&server.get("MARIADB_URL"));
    killed(Place::Mariadb(place), &server).await;
}
