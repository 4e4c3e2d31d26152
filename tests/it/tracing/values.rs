//! What the fields of a span or event say.

use tower_audit::{
    Actor, assert_recorded,
    record::{ActorType, Outcome},
};
use tracing::{field::Empty, instrument};

use super::{actions, listening, request};

// Trap R7: without `skip_all` every argument is a field.
#[tokio::test]
async fn an_argument_without_a_documented_name_never_reaches_the_trail() {
    struct Password(&'static str);
    impl std::fmt::Debug for Password {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("{} was formatted", self.0)
        }
    }
    #[instrument(target = "audit", name = "user.login")]
    async fn login(user: &str, password: Password, token: &str) -> usize {
        user.len() + password.0.len() + token.len()
    }
    let (trail, tracing, _guard) = listening();
    request(&trail, login("alice", Password("CANARY-1"), "CANARY-2")).await;
    login("alice", Password("CANARY-1"), "CANARY-2").await;
    let text = trail.lines().concat();
    assert_eq!(actions(&trail), ["user.login", "user.login"]);
    assert!(
        !text.contains("CANARY") && !text.contains("alice"),
        "{text}"
    );
    assert_eq!(tracing.counts().ignored_fields, 6);
}

// Trap C22: a dotted field may not come first; the examples of docs/tracing.md are doc tests.
#[test]
fn every_documented_field_has_its_place_in_the_record() {
    let (trail, tracing, _guard) = listening();
    tracing::info!(
        target: "audit",
        action = "member.add", category = "team", outcome = "failure", reason = "full",
        error = "limit", error.type = "QuotaError", error.code = 409,
        actor.type = "service", actor.id = 7, actor.name = "sync", actor.email = "s@example.org",
        actor.claimed = "root", actor.auth_method = "mtls",
        target.type = "user", target.id = "u1", target.name = "Alice",
    );
    tracing::info!(
        target: "audit",
        action = "member.add",
        tenant.id = "t1", tenant.name = "T", tenant.domain = "t.example.org",
        application.id = "web", application.name = "Console",
        change.role.previous = "guest", change.role.current = "admin", change.limit.current = 5,
        detail.a.b = true, detail.a.c = 1.5, detail.list = ?[1, 2],
    );
    assert_recorded!(trail, {
        "action": "member.add", "category": "team", "outcome": "failure", "reason": "full",
        "error": {"message": "limit", "type": "QuotaError", "code": "409"},
        "actor": {"type": "service", "id": "7", "name": "sync", "email": "s@example.org",
                  "claimed": "root", "auth_method": "mtls"},
        "targets": [{"type": "user", "id": "u1", "name": "Alice"}]
    });
    assert_recorded!(trail, {
        "tenant": {"id": "t1", "name": "T", "domain": "t.example.org"},
        "application": {"id": "web", "name": "Console"},
        "changes": [{"field": "role", "previous": "guest", "current": "admin"}, {"field": "limit", "current": 5}],
        "details": {"a": {"b": true, "c": 1.5}, "list": "[1, 2]"}
    });
    assert_eq!(tracing.counts().ignored_fields, 0);
}

#[test]
fn an_actor_is_completed_or_replaced_as_its_id_says() {
    let (trail, _tracing, _guard) = listening();
    let kind = |n: usize| trail.records()[n].actor.clone().map(|actor| actor.kind);
    tracing::info!(target: "audit", action = "user.login", actor.claimed = "alice");
    tracing::info!(target: "audit", action = "user.login", actor.id = 146);
    assert_eq!(kind(0), Some(ActorType::Anonymous));
    assert_eq!(kind(1), Some(ActorType::User));
    let span = tracing::info_span!(target: "audit", "user.switch", actor.id = 1, actor.name = "Alice", actor.email = Empty);
    span.record("actor.email", "a@example.org");
    span.in_scope(|| tracing::info!(target: "audit", { actor.id = 2 }, "switched"));
    drop(span);
    assert_eq!(trail.records()[2].actor, Some(Actor::user("2")));
    assert_eq!(trail.records()[2].outcome, Some(Outcome::Unknown));
}

#[test]
fn a_huge_value_is_cut_with_a_mark() {
    let (trail, _tracing, _guard) = listening();
    let huge = vec![7; 1_000_000];
    tracing::info!(target: "audit", action = "report.make", detail.huge = ?huge);
    let record = trail.records().remove(0);
    assert_eq!(record.details["huge"].as_str().unwrap().len(), 4096);
    assert!(
        record.truncated["details.huge"] > 4096,
        "{:?}",
        record.truncated
    );
}

#[test]
fn a_value_may_use_tracing_and_the_scope_while_it_is_formatted() {
    struct Chatty;
    impl std::fmt::Debug for Chatty {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            tracing::info!(target: "audit", { detail.nested = 1 }, "while formatting");
            tower_audit::AuditScope::current()
                .unwrap()
                .detail("formatted", true);
            f.write_str("chatty")
        }
    }
    let (trail, _tracing, _guard) = listening();
    let work = async {
        let span = tracing::info_span!(target: "audit", "report.make", detail.a = ?Chatty, detail.b = Empty);
        span.record("detail.b", tracing::field::debug(Chatty));
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(request(&trail, work));
    assert_recorded!(trail, {"details": {"a": "chatty", "b": "chatty", "formatted": true}});
}
