//! Anybody can be refused as often as they like: the counts are exact, the trail stays small.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{Method, Request, Response, StatusCode},
};
use tower::{Layer, Service, service_fn};
use tower_audit::{
    Actor, Audit, AuditScope, Policy, Record,
    capture::AuditLayer,
    policy::Rule,
    record::{Assurance, Outcome},
    testing::{FixedClock, TestTrail},
};

/// The layer, told peer and route by the request itself.
fn layer(audit: &Audit) -> AuditLayer {
    audit
        .layer()
        .peer(|parts| parts.extensions.get().copied())
        .route(|parts| (parts.uri.path() != "/nowhere").then(|| parts.uri.path().into()))
}

fn request(path: &'static str, peer: Ipv4Addr) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = path.parse().unwrap();
    request.extensions_mut().insert(IpAddr::V4(peer));
    request
}

/// Refuses everybody but the administrator.
async fn answer(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = match request.uri().path() {
        "/admin" => {
            let scope = request.extensions().get::<AuditScope>().unwrap();
            scope.action("admin.act").actor(Actor::user("1"));
            let durable = scope.commit().await.is_ok();
            assert!(
                durable,
                "what must be seen is done only when it is in the trail"
            );
            StatusCode::OK
        }
        "/nowhere" => StatusCode::NOT_FOUND,
        _ => StatusCode::UNAUTHORIZED,
    };
    Ok(response)
}

async fn send(audit: &Audit, requests: impl Iterator<Item = Request<Body>>) {
    let mut service = layer(audit).layer(service_fn(answer));
    for request in requests {
        service.call(request).await.unwrap();
    }
}

fn total(records: &[Record]) -> u64 {
    let weights = records.iter().map(|record| record.count.unwrap_or(1));
    weights.sum()
}

const ATTACKER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

#[tokio::test]
async fn refusals_of_an_actor_who_is_unknown_and_has_no_id_are_folded() {
    for (actor, expected) in [
        (Actor::unknown(), 101),
        (Actor::unknown().id("7"), 150),
        (Actor::user("7"), 150),
    ] {
        let trail = TestTrail::start();
        let told = actor.clone();
        let layer = layer(trail.audit()).actor(move |_| Some(told.clone()));
        let mut service = layer.layer(service_fn(answer));
        for _ in 0..150 {
            service.call(request("/login", ATTACKER)).await.unwrap();
        }
        assert!(trail.shutdown().in_order);
        let records = trail.records();
        let own = records
            .iter()
            .filter(|record| record.action == "POST /login");
        let own: Vec<_> = own.cloned().collect();
        assert_eq!((own.len(), total(&own)), (expected, 150), "{actor:?}");
    }
}

// Trap C19: from one address and from very many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anonymous_refusals_of_few_and_of_very_many_are_counted_exactly() {
    const EACH: u32 = 40_000;
    let trail = TestTrail::start();
    let audit = trail.audit();
    let attack = |spread: u32| {
        let audit = audit.clone();
        let sender = async move {
            let peer = |n: u32| Ipv4Addr::from_bits(0x0a00_0000 | (n % spread));
            let requests = (0..EACH).map(move |n| request("/login", peer(n)));
            send(&audit, requests).await;
        };
        tokio::spawn(sender)
    };
    let attacks = [attack(1), attack(10), attack(3000), attack(EACH)];
    send(audit, [request("/admin", ATTACKER)].into_iter()).await;
    for attack in attacks {
        attack.await.unwrap();
    }
    let folded = audit.stats().folded;
    let lines = u64::from(4 * EACH) - folded;
    assert!(trail.shutdown().in_order);

    let (admin, refused): (Vec<_>, Vec<_>) = trail
        .records()
        .into_iter()
        .partition(|record| record.action == "admin.act");
    assert_eq!(admin.len(), 1);
    assert_eq!(total(&refused), u64::from(4 * EACH));
    let written = refused.iter().filter(|record| record.count.is_none());
    assert_eq!(written.count() as u64, lines);
    let stats = audit.stats();
    assert_eq!((stats.lost, stats.rejected_full), (0, 0), "{stats:?}");
    assert!(
        refused
            .iter()
            .all(|record| record.outcome == Some(Outcome::Denied))
    );
}

#[tokio::test]
async fn a_minute_that_is_over_is_written_without_anybody_asking() {
    let clock = FixedClock::default();
    let trail = TestTrail::with(|builder| builder.clock(clock.clone()));
    let audit = trail.audit();
    send(audit, (0..150).map(|_| request("/login", ATTACKER))).await;
    assert_eq!(audit.stats().folded, 50);
    assert_eq!(trail.records().len(), 100);
    clock.advance(Duration::from_secs(60));

    let begun = Instant::now();
    while trail.records().len() == 100 && begun.elapsed() < Duration::from_secs(30) {
        tokio::task::yield_now().await;
    }
    let records = trail.records();
    let folded = records.last().unwrap();
    assert_eq!(folded.count, Some(50));
    assert_eq!(folded.action, "POST /login");
    assert_eq!(folded.timestamp(), folded.first);
    assert_eq!(folded.context.ip_address.as_deref(), Some("192.0.2.1"));
    assert_eq!(folded.context.http.as_ref().unwrap().status, Some(401));
}

#[tokio::test]
async fn requests_of_an_actor_and_successes_are_never_folded() {
    let trail =
        TestTrail::with(|builder| builder.policy(Policy::default().flood_per_minute(Some(1))));
    let audit = trail.audit();
    send(audit, (0..20).map(|_| request("/admin", ATTACKER))).await;
    assert_eq!(audit.stats().folded, 0);
    assert_eq!(trail.records().len(), 20);
}

#[tokio::test]
async fn without_a_rate_nothing_is_folded() {
    let trail = TestTrail::with(|builder| builder.policy(Policy::default().flood_per_minute(None)));
    let audit = trail.audit();
    send(audit, (0..300).map(|_| request("/login", ATTACKER))).await;
    assert_eq!(trail.records().len(), 300);
}

#[tokio::test]
async fn requests_on_no_route_leave_nothing_and_are_counted() {
    let trail = TestTrail::start();
    let audit = trail.audit();
    send(audit, (0..300).map(|_| request("/nowhere", ATTACKER))).await;
    assert_eq!(trail.records(), Vec::<Record>::new());
    assert_eq!(audit.stats().folded, 0);
}

// Trap C19: a strict route writes before anybody knows who it is.
#[tokio::test]
async fn who_floods_a_strict_route_is_turned_away_and_nobody_else() {
    let strict = Rule::new("strict")
        .route("/vault")
        .route("/admin")
        .assurance(Assurance::Strict);
    let policy = Policy::new().rule(strict).flood_per_minute(Some(20));
    let trail = TestTrail::with(|builder| {
        let noon = "2026-11-20T12:00:00Z".parse().unwrap();
        builder.policy(policy).clock(FixedClock::at(noon))
    });
    let stranger = Ipv4Addr::new(203, 0, 113, 9);
    let mut service = layer(trail.audit()).layer(service_fn(answer));
    let mut statuses = Vec::new();
    for _ in 0..50 {
        let answer = service.call(request("/vault", stranger)).await.unwrap();
        statuses.push(answer.status());
    }
    let (served, refused) = statuses.split_at(20);
    assert!(served.iter().all(|it| *it == StatusCode::UNAUTHORIZED));
    assert!(
        refused
            .iter()
            .all(|it| *it == StatusCode::SERVICE_UNAVAILABLE)
    );
    // The administrator is at another address.
    let admin = service.call(request("/admin", Ipv4Addr::LOCALHOST)).await;
    assert_eq!(admin.unwrap().status(), StatusCode::OK);
    assert_eq!(trail.audit().stats().refused, 30);
}
