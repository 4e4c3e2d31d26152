//! Further records that end as their work does: nothing that failed as a whole claims a success.

use axum::{Router, body::Body, http::StatusCode, routing::post};
use tower::ServiceExt as _;
use tower_audit::{
    AuditScope, Policy, Record, Rejected, assert_recorded,
    capture::Session,
    policy::Rule,
    record::{Actor, Fault, Outcome},
    testing::TestTrail,
};

use crate::support::web;

/// What the steps of a transfer are called.
const STEPS: [&str; 2] = ["account.debit", "account.credit"];

fn take_steps(scope: &AuditScope) {
    for action in STEPS {
        scope.step(Record::new(action)).unwrap();
    }
    scope.record(Record::new("transfer.request")).unwrap();
}

/// Outcome, error and reason of a record.
fn end(record: &Record) -> (Option<Outcome>, Option<&str>, Option<&str>) {
    let error = record.error.as_ref();
    let error = error.and_then(|error| error.message.as_deref());
    (record.outcome, error, record.reason.as_deref())
}

/// Both steps ended like the last record, which is that of the work; what was no step is a success.
#[track_caller]
fn all_ended(trail: &TestTrail, outcome: Outcome) -> Vec<Record> {
    let records = trail.records();
    let actions: Vec<_> = records
        .iter()
        .map(|record| record.action.as_str())
        .collect();
    assert_eq!(actions[..3], ["transfer.request", STEPS[0], STEPS[1]]);
    assert_eq!(actions.len(), 4);
    assert_eq!(records[0].outcome, Some(Outcome::Success));
    assert_eq!(records[3].outcome, Some(outcome));
    for step in &records[1..3] {
        assert_eq!(end(step), end(&records[3]), "{step:?}");
    }
    records
}

#[tokio::test]
async fn steps_of_a_job_end_as_the_job_does() {
    for expected in [Outcome::Success, Outcome::Error, Outcome::Denied] {
        let trail = TestTrail::start();
        let job = trail.audit().scope(Record::new("transfer.run"));
        let work = async {
            let scope = AuditScope::current().unwrap();
            take_steps(&scope);
            // Who it was is known only now.
            scope.actor(Actor::user("146"));
            if expected == Outcome::Denied {
                scope.denied("not your account");
            }
            match expected {
                Outcome::Error => Err("the account is empty"),
                _ => Ok(()),
            }
        };
        let _ = job.try_run(work).await;
        let records = all_ended(&trail, expected);
        let actor = records[1].actor.as_ref().unwrap();
        assert_eq!(actor.id.as_deref(), Some("146"));
        // Each has the time at which it was said; the work has that at which it began.
        assert!(records[1].id() < records[2].id());
        assert!(records[3].timestamp() <= records[1].timestamp());
    }
}

#[tokio::test]
async fn steps_of_work_that_panics_or_is_dropped_are_no_successes() {
    let trail = TestTrail::start();
    let job = trail.audit().scope(Record::new("transfer.run"));
    let panics = tokio::spawn(job.run(async {
        take_steps(&AuditScope::current().unwrap());
        panic!("boom");
    }));
    assert!(panics.await.unwrap_err().is_panic());
    let records = all_ended(&trail, Outcome::Error);
    assert_eq!(end(&records[1]).1, Some("boom"));

    let trail = TestTrail::start();
    let job = trail.audit().scope(Record::new("transfer.run"));
    let mut run = Box::pin(job.run(async {
        take_steps(&AuditScope::current().unwrap());
        std::future::pending::<()>().await;
    }));
    assert!(web::step(run.as_mut()).is_pending());
    drop(run);
    all_ended(&trail, Outcome::Cancelled);
}

/// A service whose only handler takes the steps and answers like this.
fn service(
    trail: &TestTrail,
    answer: impl Fn(AuditScope) -> StatusCode + Clone + Send + Sync + 'static,
) -> Router {
    let handler = move |scope: AuditScope| async move {
        take_steps(&scope);
        answer(scope)
    };
    Router::new()
        .route("/transfers", post(handler))
        .layer(trail.audit().layer().session(Session::cookie("sid")))
}

#[tokio::test]
async fn steps_of_a_request_end_as_its_answer_says() {
    for (status, expected) in [
        (StatusCode::OK, Outcome::Success),
        (StatusCode::UNPROCESSABLE_ENTITY, Outcome::Failure),
        (StatusCode::FORBIDDEN, Outcome::Denied),
        (StatusCode::BAD_GATEWAY, Outcome::Error),
    ] {
        let trail = TestTrail::start();
        let app = service(&trail, move |scope| {
            if status.is_server_error() {
                scope.error(Fault::new("no answer").code("bank.timeout"));
            }
            status
        });
        app.oneshot(web::post("/transfers")).await.unwrap();
        let records = all_ended(&trail, expected);
        let http = records[1].context.http.as_ref().unwrap();
        assert_eq!(http.route.as_deref(), Some("/transfers"));
    }
}

#[tokio::test]
async fn steps_of_a_request_that_a_rule_skips_at_its_end_are_written() {
    let skip = Rule::new("conflicts").status(409).skip();
    let trail = TestTrail::with(|builder| builder.policy(Policy::new().rule(skip)));
    let app = service(&trail, |_| StatusCode::CONFLICT);
    app.oneshot(web::post("/transfers")).await.unwrap();
    assert_eq!(trail.records().len(), 3);
    for action in STEPS {
        assert_recorded!(trail, {"action": action, "outcome": "failure"});
    }
}

#[tokio::test]
async fn steps_of_a_request_that_a_rule_skips_on_arrival_are_counted() {
    let skip = Rule::new("transfers").route("/transfers").skip();
    let trail = TestTrail::with(|builder| builder.policy(Policy::new().rule(skip)));
    let app = service(&trail, |_| StatusCode::OK);
    app.oneshot(web::post("/transfers")).await.unwrap();
    assert_eq!(trail.records(), []);
    assert_eq!(trail.audit().stats().skipped_further, 3);
}

#[tokio::test]
async fn an_outcome_an_error_and_a_reason_of_its_own_stay() {
    let trail = TestTrail::start();
    let job = trail.audit().scope(Record::new("transfer.run"));
    let work = async {
        let scope = AuditScope::current().unwrap();
        scope.step(Record::new("mail.send").success()).unwrap();
        let own = Record::new("account.debit").reason("limit reached");
        scope.step(own).unwrap();
        Err::<(), _>("rolled back")
    };
    let _ = job.try_run(work).await;
    let records = trail.records();
    assert_eq!(end(&records[0]), (Some(Outcome::Success), None, None));
    let expected = (
        Some(Outcome::Error),
        Some("rolled back"),
        Some("limit reached"),
    );
    assert_eq!(end(&records[1]), expected);
}

#[tokio::test]
async fn what_is_beyond_a_hundred_is_written_at_once_as_unknown() {
    let trail = TestTrail::start();
    let job = trail.audit().scope(Record::new("import.run"));
    let work = async {
        let scope = AuditScope::current().unwrap();
        for _ in 0..102 {
            scope.step(Record::new("row.import")).unwrap();
        }
        scope
            .step(Record::new("row.skip").denied("locked"))
            .unwrap();
        trail.records()
    };
    let early = job.run(work).await;
    let outcomes: Vec<_> = early.iter().map(|record| record.outcome).collect();
    let unknown = Some(Outcome::Unknown);
    assert_eq!(outcomes, [unknown, unknown, Some(Outcome::Denied)]);
    let records = trail.records();
    assert_eq!(records.len(), 104);
    let is_success = |record: &&Record| record.outcome == Some(Outcome::Success);
    assert_eq!(records.iter().filter(is_success).count(), 101);
}

#[tokio::test]
async fn a_step_of_work_that_is_over_is_refused_and_counted() {
    let trail = TestTrail::start();
    let job = trail.audit().scope(Record::new("transfer.run"));
    let scope = job.run(async { AuditScope::current().unwrap() }).await;
    let late = scope.step(Record::new("account.debit"));
    assert_eq!(late, Err(Rejected::Finished));
    assert_eq!(trail.records().len(), 1);
    assert_eq!(trail.audit().stats().late_setters, 1);
}

#[tokio::test]
async fn the_session_that_the_answer_sets_is_in_no_step() {
    const NEW: &str = "new-session-5b7c1a90";
    let trail = TestTrail::start();
    let handler = |scope: AuditScope| async move {
        let step = Record::new("session.begin").detail("note", format!("began {NEW}"));
        scope.step(step).unwrap();
        let answer = http::Response::builder().header("set-cookie", format!("sid={NEW}"));
        answer.body(Body::empty()).unwrap()
    };
    let app = Router::new()
        .route("/login", post(handler))
        .layer(trail.audit().layer().session(Session::cookie("sid")));
    app.oneshot(web::post("/login")).await.unwrap();
    let lines = trail.lines();
    assert!(lines.iter().any(|line| line.contains("session.begin")));
    assert!(lines.iter().all(|line| !line.contains(NEW)), "{lines:?}");
}
