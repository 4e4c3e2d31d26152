//! Holds: nobody's policy removes what one keeps, whenever it was placed.

use tower_audit::retention::{Filter, Pruner, Retention, RetentionError};

use super::{
    place::{NOW, Place, ago, all, batch, plain, record},
    pruned::DAY,
};
use crate::support::batches::origin;

/// Old records of two actors in turn, and young ones.
async fn filled(place: &Place) {
    let old = (0..40).map(|number| {
        let actor = if number % 2 == 0 { "146" } else { "7" };
        let more = format!(r#","actor":{{"type":"user","id":"{actor}"}}"#);
        record(
            number,
            ago(100, 40 - number.cast_signed()),
            "document.create",
            more,
        )
    });
    place.put(batch(&origin(1), old.collect())).await;
    place.put(plain(40..42, 2)).await;
}

fn evens() -> Vec<u64> {
    (0..40)
        .filter(|number| number % 2 == 0)
        .chain([40, 41])
        .collect()
}

#[tokio::test]
async fn what_a_hold_keeps_goes_once_it_is_released() {
    for place in all() {
        filled(&place).await;
        let retention = Retention::new().keep(90 * DAY);
        let mut pruner = place.pruner().await;
        let filter = Filter::new([("actor", "146")], NOW).unwrap();
        let hold = pruner.hold(&filter, "case 7", "ann", NOW).await.unwrap();
        let plan = pruner.plan(&retention, NOW).await.unwrap();
        assert_eq!((plan.removed, plan.rules[0].held, plan.holds), (20, 20, 1));
        let report = pruner.prune(&retention, NOW).await.unwrap();
        assert_eq!(report.done.removed, 20);
        assert_eq!(place.numbers().await, evens());
        place.root().await;

        assert_eq!(pruner.holds().await.unwrap(), std::slice::from_ref(&hold));
        let released = pruner.release(&hold.id, "bob", NOW).await.unwrap();
        assert_eq!(
            (released.released, released.released_by.as_deref()),
            (Some(NOW), Some("bob"))
        );
        for id in [hold.id.as_str(), "nobody's"] {
            let error = pruner.release(id, "bob", NOW).await.unwrap_err();
            assert!(matches!(error, RetentionError::NoHold { .. }), "{error}");
        }
        let report = pruner.prune(&retention, NOW).await.unwrap();
        assert_eq!((report.done.removed, report.done.holds), (20, 0));
        assert_eq!(place.numbers().await, [40, 41]);
        for (reason, by) in [("", "ann"), ("case 8", "  ")] {
            let error = pruner.hold(&filter, reason, by, NOW).await.unwrap_err();
            assert!(matches!(error, RetentionError::Filter { .. }), "{error}");
        }
    }
}

#[tokio::test]
async fn a_hold_that_is_placed_during_a_prune_keeps_what_is_still_there() {
    for place in all() {
        filled(&place).await;
        let retention = Retention::new().keep(90 * DAY);
        let address = place.address();
        let mut pruner = place.pruner().await;
        let mut is_placed = false;
        // After the prune has read which holds there are, before it removes anything.
        let pruning = pruner.prune_while(&retention, NOW, |_removed| {
            if !is_placed {
                is_placed = true;
                elsewhere(address.clone());
            }
            true
        });
        let report = pruning.await.unwrap();
        assert_eq!(
            (report.done.removed, report.done.holds),
            (20, 1),
            "{report:?}"
        );
        assert_eq!(place.numbers().await, evens());
        place.root().await;
    }
}

/// Places a hold on a thread of its own, from within a call that cannot wait.
fn elsewhere(address: String) {
    let placing = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let mut pruner = Pruner::open(&address).await.unwrap();
            let filter = Filter::new([("actor", "146")], NOW).unwrap();
            pruner.hold(&filter, "case 7", "ann", NOW).await.unwrap();
        });
    });
    placing.join().unwrap();
}

#[tokio::test]
async fn a_hold_in_words_of_a_newer_version_keeps_everything() {
    for place in all() {
        filled(&place).await;
        let mut pruner = place.pruner().await;
        place
            .run(
                "INSERT INTO audit_holds (id, filter, reason, placed_by, since) \
                 VALUES ('1', '{\"mood\":\"odd\"}', 'case', 'ann', 0)",
            )
            .await;
        let report = pruner
            .prune(&Retention::new().keep(90 * DAY), NOW)
            .await
            .unwrap();
        assert_eq!((report.done.removed, report.done.rules[0].held), (0, 40));
    }
}
