//! Responses whose body decides: what breaks, what is dropped, and what is held until it is synced.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use axum::{
    Router,
    body::Body,
    http::{Request, Response},
    routing::get as on_get,
};
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{Layer, ServiceExt, service_fn};
use tower_audit::{
    AuditScope, Record, assert_recorded,
    capture::AuditBody,
    policy::{Policy, Rule, Until},
    record::Outcome,
    testing::{TestTrail, disk::Call},
};

use crate::support::web::{Broken, Line, Script, exchange, get, serve, until};

/// Everything is recorded, when its body has ended.
fn until_body() -> TestTrail {
    let policy = Policy::new().rule(Rule::new("all").until(Until::Body));
    TestTrail::with(|builder| builder.policy(policy))
}

/// Everything is recorded, at its head.
fn at_head() -> TestTrail {
    TestTrail::with(|builder| builder.policy(Policy::new().rule(Rule::new("all"))))
}

fn only(trail: &TestTrail) -> Record {
    let mut records = trail.records();
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

/// The response of a service that answers with this body.
async fn answer<B>(trail: &TestTrail, make: impl Fn() -> B + Clone + Send) -> Response<AuditBody<B>>
where
    B: http_body::Body<Data = Bytes>,
{
    let service = service_fn(move |_: Request<Body>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(make())))
    });
    let service = trail.audit().layer().layer(service);
    service.oneshot(get("/")).await.unwrap()
}

type Polled<B> = Poll<Option<Result<Frame<Bytes>, <B as http_body::Body>::Error>>>;

fn frame<B: http_body::Body<Data = Bytes>>(body: Pin<&mut B>) -> Polled<B> {
    body.poll_frame(&mut Context::from_waker(Waker::noop()))
}

fn data<E>(polled: Poll<Option<Result<Frame<Bytes>, E>>>) -> Option<Bytes> {
    match polled {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().ok(),
        _ => None,
    }
}

fn two_parts() -> Script {
    Script::of([Line::Data("one"), Line::Data("two")])
}

#[tokio::test]
async fn a_body_that_breaks_behind_its_record_is_counted_and_changes_nothing() {
    let trail = at_head();
    let twice = || Script::of([Line::Data("one"), Line::Break, Line::Break]);
    let response = answer(&trail, twice).await;
    assert_eq!(only(&trail).outcome, Some(Outcome::Success));
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    for _ in 0..2 {
        let broken = body.frame().await.unwrap().map(drop);
        assert_eq!(broken, Err(Broken), "the error is the client's");
    }
    assert_eq!(only(&trail).outcome, Some(Outcome::Success));
    assert_eq!(trail.audit().stats().broken_bodies, 1);
}

#[tokio::test]
async fn until_body_a_body_that_breaks_is_an_error() {
    let trail = until_body();
    let response = answer(&trail, || Script::of([Line::Data("one"), Line::Break])).await;
    assert_eq!(trail.records(), [], "nothing before the body ends");
    let whole = response.into_body().collect().await;
    assert_eq!(whole.map(|_| ()), Err(Broken));
    assert_recorded!(trail, {"outcome": "error", "reason": "the body of the response broke",
        "context": {"http": {"status": 200}}});
    only(&trail);
    assert_eq!(trail.audit().stats().broken_bodies, 0);
}

#[tokio::test]
async fn until_body_what_breaks_is_an_error_whatever_was_said_before() {
    for end in [Line::Break, Line::Panic] {
        let trail = until_body();
        let service = service_fn(move |request: Request<Body>| {
            let scope: &AuditScope = request.extensions().get().unwrap();
            scope.action("list.read").success();
            let response = Script::respond([Line::Data("one"), end.clone()]);
            std::future::ready(Ok::<_, Infallible>(response))
        });
        let service = trail.audit().layer().layer(service);
        let response = service.oneshot(get("/")).await.unwrap();
        let _ = tokio::spawn(response.into_body().collect()).await;
        assert_eq!(only(&trail).outcome, Some(Outcome::Error));
    }
}

#[tokio::test]
async fn until_body_a_body_that_panics_is_an_error() {
    let trail = until_body();
    let response = answer(&trail, || Script::of([Line::Data("one"), Line::Panic])).await;
    let whole = tokio::spawn(response.into_body().collect()).await;
    assert!(whole.unwrap_err().is_panic());
    assert_recorded!(trail, {"outcome": "error", "error": {"type": "panic"},
        "context": {"http": {"status": 200}}});
    only(&trail);
}

#[tokio::test]
async fn until_body_a_body_dropped_midway_is_cancelled() {
    for frames in 0..2 {
        let trail = until_body();
        let response = answer(&trail, two_parts).await;
        let mut body = Box::pin(response.into_body());
        for _ in 0..frames {
            assert!(data(frame(body.as_mut())).is_some());
        }
        drop(body);
        assert_eq!(only(&trail).outcome, Some(Outcome::Cancelled), "{frames}");
        assert_eq!(trail.audit().stats().open_scopes, 0);
    }
}

#[tokio::test]
async fn until_body_the_end_is_held_until_it_is_synced() {
    let trail = until_body();
    let response = answer(&trail, two_parts).await;
    let mut body = pin!(response.into_body());
    assert_eq!(data(frame(body.as_mut())).unwrap(), "one");
    assert_eq!(data(frame(body.as_mut())).unwrap(), "two");
    assert!(!body.is_end_stream(), "the end is still to come");
    trail.disk().stall(Call::Sync);
    assert!(frame(body.as_mut()).is_pending());
    assert!(trail.disk().wait_stalled(Call::Sync, 1));
    assert!(frame(body.as_mut()).is_pending());
    trail.disk().release(Call::Sync);
    let rest = body.as_mut().collect().await.unwrap();
    assert_eq!(rest.to_bytes(), "");
    assert_eq!(only(&trail).outcome, Some(Outcome::Success));
}

// A server that knows the length does not ask for more than the last part of it.
#[tokio::test]
async fn until_body_the_last_part_is_held_where_the_length_is_known() {
    let trail = until_body();
    let response = answer(&trail, || Full::new(Bytes::from_static(b"whole"))).await;
    let mut body = pin!(response.into_body());
    assert_eq!(body.size_hint().exact(), Some(5));
    assert!(!body.is_end_stream());
    trail.disk().stall(Call::Sync);
    assert!(frame(body.as_mut()).is_pending());
    assert!(trail.disk().wait_stalled(Call::Sync, 1));
    assert!(frame(body.as_mut()).is_pending());
    assert!(!body.is_end_stream(), "the only part is still here");
    trail.disk().release(Call::Sync);
    assert_eq!(body.as_mut().collect().await.unwrap().to_bytes(), "whole");
    assert!(body.is_end_stream());
    only(&trail);
}

#[tokio::test]
async fn until_body_an_end_that_came_keeps_its_outcome_when_the_client_left_during_the_sync() {
    let trail = until_body();
    let response = answer(&trail, || Full::new(Bytes::from_static(b"whole"))).await;
    trail.disk().stall(Call::Sync);
    let mut body = Box::pin(response.into_body());
    assert!(frame(body.as_mut()).is_pending());
    drop(body);
    trail.disk().release(Call::Sync);
    assert_eq!(only(&trail).outcome, Some(Outcome::Success));
}

#[tokio::test]
async fn until_body_an_empty_body_is_recorded_at_the_head() {
    let trail = until_body();
    let response = answer(&trail, Body::empty).await;
    assert!(response.body().is_end_stream());
    assert_eq!(only(&trail).outcome, Some(Outcome::Success));
}

#[tokio::test]
async fn the_scope_is_current_while_a_body_streams_and_gives_further_records() {
    struct Says;
    impl http_body::Body for Says {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled<Self> {
            let scope = AuditScope::current().unwrap();
            scope.record(Record::new("row.read")).unwrap();
            Poll::Ready(None)
        }
    }
    for trail in [at_head(), until_body()] {
        let response = answer(&trail, || Says).await;
        response.into_body().collect().await.unwrap();
        assert!(AuditScope::current().is_none());
        assert_recorded!(trail, {"action": "row.read", "context": {"http": {"method": "GET"}}});
        assert_eq!(trail.records().len(), 2);
    }
}

/// A body that says how long it is at the start, and nothing of its end.
struct Hinted(Script, u64);

impl http_body::Body for Hinted {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<Self> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.1)
    }
}

/// A body that says nothing of its length, but knows when it is at its end.
struct Ending(Script);

impl http_body::Body for Ending {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<Self> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_over()
    }
}

/// What a real server streams, with and without saying how long it is.
fn streams() -> Router {
    let counted = |length: Option<&'static str>, lines: fn() -> Script| {
        move || async move {
            let mut response = Response::new(Body::new(lines()));
            if let Some(length) = length {
                let length = length.parse().unwrap();
                response.headers_mut().insert("content-length", length);
            }
            response
        }
    };
    let paused = || Script::of([Line::Data("one"), Line::Pause, Line::Data("two")]);
    Router::new()
        .route("/full", on_get(|| async { "onetwo" }))
        .route("/chunked", on_get(counted(None, paused)))
        .route("/counted", on_get(counted(Some("6"), paused)))
        .route(
            "/hinted",
            on_get(|| async { Response::new(Body::new(Hinted(two_parts(), 6))) }),
        )
        .route(
            "/ending",
            on_get(|| async { Response::new(Body::new(Ending(two_parts()))) }),
        )
        .route(
            "/hinted-none",
            on_get(|| async { Response::new(Body::new(Hinted(Script::of([]), 0))) }),
        )
        .route("/none", on_get(counted(Some("0"), || Script::of([]))))
        .route(
            "/broken",
            on_get(counted(None, || {
                Script::of([Line::Data("one"), Line::Break])
            })),
        )
        .route("/short", on_get(counted(Some("7"), paused)))
}

// Through a real server, which stops asking for frames when it has what it announced.
#[tokio::test]
async fn until_body_a_server_s_whole_stream_is_a_success_in_http_1_and_2() {
    for http2 in [false, true] {
        for (path, expected) in [
            ("/full", "onetwo"),
            ("/chunked", "onetwo"),
            ("/counted", "onetwo"),
            ("/hinted", "onetwo"),
            ("/ending", "onetwo"),
            ("/hinted-none", ""),
            ("/none", ""),
        ] {
            let trail = until_body();
            let address = serve(streams().layer(trail.audit().layer())).await;
            let client = Client::builder(TokioExecutor::new())
                .http2_only(http2)
                .build_http::<Body>();
            let response = client
                .request(get(&format!("http://{address}{path}")))
                .await;
            let whole = response.unwrap().into_body().collect().await.unwrap();
            assert_eq!(whole.to_bytes(), expected, "{path} http2: {http2}");
            let record = only(&trail);
            assert_eq!(
                record.outcome,
                Some(Outcome::Success),
                "{path} http2: {http2}"
            );
        }
    }
}

#[tokio::test]
async fn until_body_a_server_s_broken_stream_is_no_success() {
    for path in ["/broken", "/short"] {
        let trail = until_body();
        let address = serve(streams().layer(trail.audit().layer())).await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        exchange(address, request.as_bytes()).await;
        until("the body ends", || trail.audit().stats().open_scopes == 0).await;
        assert_ne!(only(&trail).outcome, Some(Outcome::Success), "{path}");
    }
}

// The client does not see the last chunk before the record is on disk.
#[tokio::test(flavor = "multi_thread")]
async fn until_body_a_real_client_waits_for_the_end_as_long_as_the_disk() {
    for http2 in [false, true] {
        for path in ["/chunked", "/counted", "/hinted", "/full"] {
            let trail = until_body();
            let address = serve(streams().layer(trail.audit().layer())).await;
            let client = Client::builder(TokioExecutor::new())
                .http2_only(http2)
                .build_http::<Body>();
            trail.audit().flush().await.unwrap();
            trail.disk().stall(Call::Sync);
            let response = client
                .request(get(&format!("http://{address}{path}")))
                .await;
            let reading = tokio::spawn(response.unwrap().into_body().collect());
            assert!(tokio::task::block_in_place(|| {
                trail.disk().wait_stalled(Call::Sync, 1)
            }));
            assert!(!reading.is_finished(), "{path} http2: {http2}");
            trail.disk().release(Call::Sync);
            let whole = reading.await.unwrap().unwrap();
            assert_eq!(whole.to_bytes(), "onetwo");
            assert_eq!(only(&trail).outcome, Some(Outcome::Success));
        }
    }
}
