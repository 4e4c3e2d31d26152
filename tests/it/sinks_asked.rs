//! What a running trail says of its sinks, and what it does when asked: probe, test, health.

use std::time::Duration;

use tower_audit::{
    Health, Record, SinkOptions, SinkTestError, assert_recorded,
    testing::{
        TestTrail,
        sinks::{Answer, MemoryStore, Script},
    },
};

const LONG: Duration = Duration::from_secs(30);

/// A trail with one sink named `good` and one named `bad`, whose destination is as the script says.
fn trail(script: &Script) -> (TestTrail, MemoryStore) {
    let store = MemoryStore::new();
    let trail = TestTrail::with(|builder| {
        builder
            .sink("good", MemoryStore::new().sink())
            .sink("bad", script.around(store.sink()))
    });
    (trail, store)
}

#[tokio::test]
async fn the_report_of_the_start_and_health_name_sink_and_cause_and_the_service_runs() {
    let script = Script::new();
    script.always(Answer::Block);
    let (trail, store) = trail(&script);
    let audit = trail.audit();
    audit.commit(Record::new("user.login")).await.unwrap();
    let report = audit.sinks().report(LONG).await;
    let lines: Vec<_> = report.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        ["good (memory:): ok", "bad (memory:): the script blocks",]
    );
    let Health::Degraded(reasons) = audit.health() else {
        panic!("{:?}", audit.health())
    };
    let [reason] = &reasons[..] else {
        panic!("{reasons:?}")
    };
    assert!(
        reason.starts_with("sink bad is blocked: ") && reason.ends_with("the script blocks"),
        "{reason}"
    );

    script.heal();
    audit.sinks().test("bad").await.unwrap();
    store.wait_until("what waited is there", |contents| {
        let mut records = contents.records.iter();
        records.any(|record| record.json.contains("user.login"))
    });
    // The answer is counted a moment after the records are there.
    let deadline = std::time::Instant::now() + LONG;
    while audit.health() != Health::Ok {
        assert!(std::time::Instant::now() < deadline, "{:?}", audit.health());
        std::thread::yield_now();
    }
    assert!(trail.shutdown().in_order);
    let outage =
        assert_recorded!(trail, {"action": "audit.sink_outage", "targets": [{"id": "bad"}]});
    let details = &outage.details;
    assert!(
        details["start"].as_str() < details["end"].as_str(),
        "{details:?}"
    );
    assert!(details["waited"].as_u64() >= Some(2), "{details:?}");
    assert!(
        outage
            .reason
            .is_some_and(|cause| cause.as_str().contains("the script blocks"))
    );
    let about_it = trail.everything().into_iter();
    let about_it = about_it.filter(|record| record.action.as_str().contains("outage"));
    assert_eq!(about_it.count(), 1, "one record for one outage");
}

#[tokio::test]
async fn a_test_is_recorded_with_its_outcome_and_belongs_to_no_trail() {
    let script = Script::new();
    let (trail, store) = trail(&script);
    let sinks = trail.audit().sinks();
    sinks.report(LONG).await;
    assert!(sinks.pause("bad"), "a paused sink can be tested");
    sinks.test("bad").await.unwrap();
    script.always(Answer::Refuse);
    let error = sinks.test("bad").await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("sink bad did not take the test event: the destination refused"),
        "{error}"
    );
    let unknown = sinks.test("no/body").await;
    assert!(
        matches!(unknown, Err(SinkTestError::Unknown { .. })),
        "{unknown:?}"
    );
    trail.audit().flush().await.unwrap();

    let target = [serde_json::json!({"type": "sink", "id": "bad"})];
    assert_recorded!(trail, {"action": "audit.sink_tested", "outcome": "success", "targets": target});
    assert_recorded!(trail, {"action": "audit.sink_tested", "outcome": "failure", "targets": target});
    let mut records = store.contents().records.into_iter();
    let event = records
        .find(|stored| stored.json.contains("audit.sink_test\""))
        .unwrap();
    assert_ne!(event.trail, trail.audit().origin().trail);
    let own = trail.lines();
    assert!(own.iter().all(|line| !line.contains("audit.sink_test\"")));

    assert!(trail.shutdown().in_order);
    let ended = trail.audit().sinks().test("bad").await;
    assert!(
        matches!(ended, Err(SinkTestError::Ended { .. })),
        "{ended:?}"
    );
}

#[cfg(feature = "file")]
#[tokio::test]
async fn a_sink_is_added_by_its_address_and_a_wrong_one_is_refused_without_its_secret() {
    let dir = tempfile::tempdir().unwrap();
    let trail = TestTrail::start();
    let sinks = trail.audit().sinks();
    let file = dir.path().join("audit.jsonl");
    let address = format!("file://{}", file.display());
    sinks.add_url("copy", &address, SinkOptions::new()).unwrap();
    assert_eq!(sinks.report(LONG).await[0].problem, None);
    trail
        .audit()
        .commit(Record::new("user.login"))
        .await
        .unwrap();
    assert!(trail.shutdown().in_order);
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .contains("user.login")
    );

    let error = sinks.add_url("x", "file:///a?token=hunter2", SinkOptions::new());
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("token") && !error.contains("hunter2"),
        "{error}"
    );
}

#[test]
fn the_state_of_a_sink_is_in_the_text_for_prometheus() {
    let script = Script::new();
    let (trail, _) = trail(&script);
    trail
        .audit()
        .commit_blocking(Record::new("user.login"))
        .unwrap();
    assert!(trail.audit().sinks().pause("bad"));
    let deadline = std::time::Instant::now() + LONG;
    let holds = |line: &str| {
        trail
            .audit()
            .prometheus()
            .lines()
            .any(|other| other == line)
    };
    for line in [
        "audit_sink_paused{sink=\"bad\"} 1",
        "audit_sink_paused{sink=\"good\"} 0",
        "audit_sink_failing{sink=\"good\"} 0",
        "audit_sink_resent_total{sink=\"good\"} 0",
        "audit_sink_stopped{sink=\"good\"} 0",
    ] {
        while !holds(line) {
            assert!(std::time::Instant::now() < deadline, "{line}");
            std::thread::yield_now();
        }
    }
    for metric in [
        "audit_sink_last_attempt_seconds",
        "audit_sink_last_success_seconds",
    ] {
        let is_recent = || {
            let text = trail.audit().prometheus();
            let start = format!("{metric}{{sink=\"good\"}} ");
            let value = text.lines().find_map(|line| line.strip_prefix(&start));
            value.and_then(|value| value.parse::<u64>().ok()) > Some(1_700_000_000)
        };
        while !is_recent() {
            assert!(std::time::Instant::now() < deadline, "{metric}");
            std::thread::yield_now();
        }
    }
}
