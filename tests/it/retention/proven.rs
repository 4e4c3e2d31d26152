//! What verification says of the numbers that prunes left behind.

use tower_audit::{
    retention::{Report, Retention},
    store::Store,
    verify::{self, Kind},
};

use super::{
    place::{NOW, Place, ago, all, batch, plain, record},
    pruned::DAY,
};
use crate::support::batches::origin;

async fn check(place: &Place) -> verify::Report {
    let store = Store::open(&place.address()).await.unwrap();
    verify::store(&store, verify::Options::new()).await.unwrap()
}

async fn prune(place: &Place) -> Report {
    let retention = Retention::new().keep(90 * DAY);
    place.pruner().await.prune(&retention, NOW).await.unwrap()
}

/// A store of which a hundred records were pruned, and twenty stayed.
async fn pruned(place: &Place) -> Report {
    place.put(plain(0..100, 100)).await;
    place.put(plain(100..120, 2)).await;
    prune(place).await
}

/// The trail's own record of a prune, under a number, said to have removed so many.
async fn recorded(place: &Place, number: u64, report: &Report, removed: u64) {
    let id = &report.id;
    let details = format!(r#","details":{{"run":"{id}","removed":{removed}}}"#);
    let told = record(number, ago(1, 0), "audit.prune", details);
    place.put(batch(&origin(1), vec![told])).await;
}

/// What an owner does by hand who removes these records, and leaves their leaves.
fn forged(place: &Place, numbers: &str) -> String {
    let guard = match place {
        Place::Postgres(_) => "SELECT set_config('audit.prune', pg_current_xact_id()::text, true);",
        _ => "",
    };
    format!(
        "BEGIN; {guard} INSERT INTO audit_emptied SELECT trail, number, leaf FROM audit_records \
         WHERE number IN ({numbers}); DELETE FROM audit_records WHERE number IN ({numbers}); COMMIT"
    )
}

/// Runs statements that the guards of PostgreSQL would refuse.
async fn unguarded(place: &Place, table: &str, change: &str) {
    let triggers = |what| match place {
        Place::Postgres(_) => format!("ALTER TABLE {table} {what} TRIGGER ALL;"),
        _ => String::new(),
    };
    let (off, on) = (triggers("DISABLE"), triggers("ENABLE"));
    place.run(&format!("{off} {change}; {on}")).await;
}

fn prunes(report: &verify::Report) -> (u64, u64, u64, u64) {
    let prunes = report.prunes.as_ref().unwrap();
    let verify::PruneReport {
        prunes,
        removed,
        leaves,
        recorded,
        ..
    } = *prunes;
    (prunes, removed, leaves, recorded)
}

/// The one thing that is wrong, in words.
fn wrong(report: &verify::Report) -> String {
    let found: Vec<_> = report.findings().collect();
    assert_eq!(found.len(), 1, "{report}");
    assert_eq!(found[0].kind, Kind::Prunes, "{report}");
    assert!(!report.holds() && report.to_string().ends_with("; prunes WRONG\n"));
    found[0].what.clone()
}

#[tokio::test]
async fn a_record_that_no_prune_removed_is_one_leaf_too_many() {
    for place in all() {
        pruned(&place).await;
        let before = check(&place).await;
        assert!(before.holds(), "{before}");
        assert_eq!(prunes(&before), (1, 100, 100, 0));
        place.run(&forged(&place, "110, 111")).await;
        let after = check(&place).await;
        assert!(after.trails[0].holds(), "{after}");
        let what = wrong(&after);
        let expected = "102 leaves are kept of removed records, and by audit_prunes all prunes together \
                        removed 100: 2 records were removed by something else";
        assert!(what.contains(expected), "{what}");
    }
}

#[tokio::test]
async fn a_prune_whose_number_was_changed_is_told_by_the_trails_own_record() {
    for place in all() {
        let report = pruned(&place).await;
        recorded(&place, 120, &report, 100).await;
        let before = check(&place).await;
        assert!(before.holds(), "{before}");
        assert_eq!(prunes(&before), (1, 100, 100, 1));
        // Whoever adjusts the number to the leaves is told by the record.
        place.run(&forged(&place, "110")).await;
        let change = "UPDATE audit_prunes SET removed = removed + 1";
        unguarded(&place, "audit_prunes", change).await;
        let what = wrong(&check(&place).await);
        assert!(
            what.contains("removed 101, and by the audit.prune of a trail 100"),
            "{what}"
        );
    }
}

#[tokio::test]
async fn a_prune_that_goes_on_or_was_never_recorded_is_no_finding() {
    for place in all() {
        let report = pruned(&place).await;
        // As in a copy from the middle of it, into which its record came afterwards.
        unguarded(
            &place,
            "audit_prunes",
            "UPDATE audit_prunes SET ended = NULL, removed = 100",
        )
        .await;
        recorded(&place, 120, &report, 150).await;
        let found = check(&place).await;
        assert!(found.holds(), "{found}");
        assert_eq!(prunes(&found), (1, 100, 100, 0));
        // Nor one that stands in a copy of the trail only.
        unguarded(
            &place,
            "audit_prunes",
            "UPDATE audit_prunes SET id = 'other'",
        )
        .await;
        let found = check(&place).await;
        assert!(found.holds(), "{found}");
    }
}

#[tokio::test]
async fn records_that_came_again_are_noted_and_leaves_that_are_gone_are_found() {
    for place in all() {
        pruned(&place).await;
        place
            .sink()
            .deliver(&plain(0..10, 100).chosen(true))
            .await
            .unwrap();
        let again = check(&place).await;
        assert!(again.holds(), "{again}");
        assert_eq!(prunes(&again), (1, 100, 100, 0));
        assert_eq!(prune(&place).await.done.removed, 10);
        let twice = check(&place).await;
        assert!(twice.holds(), "{twice}");
        assert_eq!(prunes(&twice), (2, 110, 100, 0));
        let notes = &twice.prunes.as_ref().unwrap().notes;
        assert!(
            notes[0]
                .what
                .contains("10 records were removed more than once"),
            "{twice}"
        );
        // Without its beginning the trail looks like one of which the store has only the end.
        unguarded(&place, "audit_emptied", "DELETE FROM audit_emptied").await;
        let what = wrong(&check(&place).await);
        assert!(
            what.contains("0 leaves are kept of removed records, and by audit_prunes one prune alone removed 100"),
            "{what}"
        );
    }
}

/// A step that was done, and of which nobody was told because the connection was lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_was_done_unnoticed_is_in_the_numbers_all_the_same() {
    for place in all() {
        place.put(plain(0..3000, 100)).await;
        place.put(plain(3000..3010, 2)).await;
        let step = forged(&place, "2990, 2991").replace(
            "COMMIT",
            "UPDATE audit_prunes SET removed = removed + 2; COMMIT",
        );
        let retention = Retention::new().keep(90 * DAY);
        let mut pruner = place.pruner().await;
        let mut steps = 0;
        let report = pruner.prune_while(&retention, NOW, |_removed| {
            steps += 1;
            if steps == 2 {
                tokio::task::block_in_place(|| {
                    tokio::runtime::Handle::current().block_on(place.run(&step));
                });
            }
            true
        });
        let report = report.await.unwrap();
        assert_eq!(report.done.removed, 3000, "{report:?}");
        recorded(&place, 3010, &report, 3000).await;
        let found = check(&place).await;
        assert!(found.holds(), "{found}");
        assert_eq!(prunes(&found), (1, 3000, 3000, 1));
    }
}
