//! How long entries are kept.

use std::time::Duration;

use serde_json::Value;
use tower_audit::{
    Audit, Record, SinkOptions,
    clock::{Clock as _, Timestamp},
    retention::{Pruner, Retention},
    sink::url::parse,
    store::Query,
    testing::FixedClock,
};

use super::service::{self, DAY};
use crate::support::{
    desk::cookie,
    service::{PATIENCE, end, until},
    stage::{NOW, Stage},
};

/// What instances of the months before wrote. The service itself would prune while its clock is put
/// from one of these times to the next.
fn history(address: &str) {
    let now: Timestamp = NOW.parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (days, count) in [(130, 5), (100, 20), (10, 6), (2, 1)] {
        let age = DAY * days + Duration::from_secs(60);
        let audit = Audit::builder("test")
            .dir(folder.path())
            .clock(FixedClock::at(now.saturating_sub(age)))
            .sink_with("database", parse(address).unwrap(), SinkOptions::new())
            .start_blocking()
            .unwrap();
        for _ in 0..count {
            audit.record(Record::new("backup_collected")).unwrap();
        }
        // An age counts from when a record came to the store, too.
        let report = audit.shutdown_blocking(PATIENCE);
        assert_eq!(report.sinks[0].undelivered, 0, "{report}");
    }
}

/// What the viewer's list has of the one record with this action.
async fn recorded(stage: &Stage, action: &str) -> Value {
    let (header, value) = cookie("auditor");
    let mut found = Value::Null;
    until("it is on record", async || {
        let path = format!("/audit/api/records?action={action}");
        let answer = stage.service.get(&path, &[(header, &value)]).await;
        found = answer.json()["records"].take();
        found.as_array().is_some_and(|found| found.len() == 1)
    })
    .await;
    found[0]["record"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn old_entries_go_after_a_dry_run_and_that_is_on_record() {
    let stage = service::start_on(history).await;
    let entries = Query::new().action("backup_collected".parse().unwrap());
    assert_eq!(stage.jsons(&entries).await.len(), 32);

    // duplistatus: by hand, with a dry run that says how many.
    let pruner = Pruner::open(&stage.address).await.unwrap();
    let mut pruner = pruner.idle(DAY * 365);
    let longer = Retention::new().keep(DAY * 120);
    let plan = pruner.plan(&longer, stage.clock.now()).await.unwrap();
    assert_eq!(plan.removed, 5, "{plan:?}");
    // What the trail says of itself stays for ever.
    assert!(plan.oldest_remaining.is_some(), "{plan:?}");
    assert_eq!(
        stage.jsons(&entries).await.len(),
        32,
        "a dry run changes nothing"
    );
    let report = pruner.prune(&longer, stage.clock.now()).await.unwrap();
    assert_eq!(report.done.removed, 5, "{report:?}");
    assert_eq!(stage.jsons(&entries).await.len(), 27);

    // duplistatus: daily, by itself.
    stage.clock.advance(Duration::from_secs(3601));
    until("the old entries are gone", async || {
        stage.jsons(&entries).await.len() == 7
    })
    .await;
    // duplistatus: a clean-up is recorded; here with the policy and the numbers, for whoever may read.
    let prune = recorded(&stage, "audit.prune").await;
    assert_eq!(
        (&prune["outcome"], &prune["actor"]["type"]),
        (&"success".into(), &"system".into())
    );
    assert!(
        prune["details"]["removed"].as_u64().unwrap() >= 20,
        "{prune}"
    );
    assert_eq!(prune["details"]["complete"], true, "{prune}");
    // duplistatus: a change of the retention is recorded, too: what was cleaned up by hand kept 120 days.
    let changed = recorded(&stage, "audit.retention_changed").await;
    let told = changed.to_string();
    assert!(told.contains("120d") && told.contains("90d"), "{told}");

    // duplistatus: never less than 30 days.
    let refused = Retention::new().keep(DAY * 29).check().unwrap_err();
    assert!(refused.to_string().contains("30d"), "{refused}");
    end(&stage.audit).await;
}
