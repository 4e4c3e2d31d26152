//! A request that is cut short, wherever that happens, leaves exactly one record.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, Response, StatusCode},
    routing::{get, post as on_post},
};
use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_audit::{
    AuditScope, Record,
    record::Outcome,
    testing::{TestTrail, disk::Call},
};

use crate::support::web::{Line, Script, get as get_of, pause, post, serve, step, until};

fn only(trail: &TestTrail) -> Record {
    let mut records = trail.records();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(trail.audit().stats().open_scopes, 0);
    records.remove(0)
}

const AWAITS: u64 = 5;

/// A handler that waits five times, and says each time how far it came.
async fn in_steps(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let scope = request.extensions().get::<AuditScope>().unwrap();
    scope.action("work.do").detail("step", 0);
    for step in 1..=AWAITS {
        pause().await;
        let current = AuditScope::current().unwrap();
        assert_eq!(current.id(), scope.id());
        scope.detail("step", step);
    }
    Ok(Response::new(Body::from("done")))
}

// Trap C3: the client is gone at each point where the handler waits, and before it began.
#[test]
fn a_client_gone_at_any_await_point_is_recorded_as_cancelled_once() {
    for polls in 0..=AWAITS {
        let trail = TestTrail::start();
        let mut service = trail.audit().layer().layer(service_fn(in_steps));
        let mut response = Box::pin(service.call(post("/work")));
        for _ in 0..polls {
            assert!(step(response.as_mut()).is_pending(), "{polls}");
        }
        drop(response);
        let record = only(&trail);
        assert_eq!(record.outcome, Some(Outcome::Cancelled), "{polls}");
        // Never polled: the handler said nothing.
        let step = polls.checked_sub(1).map(serde_json::Value::from);
        assert_eq!(record.details.get("step"), step.as_ref(), "{polls}");
        assert!(AuditScope::current().is_none());
    }
}

// Trap C3: what was answered was done, whether or not the client is still there to hear of it.
#[test]
fn an_answer_that_was_ready_keeps_its_outcome_when_the_client_left_during_the_sync() {
    let trail = TestTrail::start();
    let mut service = trail.audit().layer().layer(service_fn(in_steps));
    trail.disk().stall(Call::Sync);
    let mut response = Box::pin(service.call(post("/work")));
    for _ in 0..=AWAITS {
        assert!(step(response.as_mut()).is_pending());
    }
    assert!(trail.disk().wait_stalled(Call::Sync, 1));
    assert!(step(response.as_mut()).is_pending(), "held for the sync");
    drop(response);
    trail.disk().release(Call::Sync);
    let record = only(&trail);
    assert_eq!(record.outcome, Some(Outcome::Success));
    assert_eq!(record.details["step"], AWAITS);
}

#[test]
fn a_handler_that_panics_while_it_is_dropped_is_recorded_once() {
    struct PanicsInDrop;
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let trail = TestTrail::start();
    let mut service =
        trail
            .audit()
            .layer()
            .layer(service_fn(|request: Request<Body>| async move {
                let scope = request.extensions().get::<AuditScope>().unwrap().clone();
                scope.action("work.do");
                let _panics = PanicsInDrop;
                std::future::pending::<()>().await;
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }));
    let mut response = Box::pin(service.call(post("/work")));
    assert!(step(response.as_mut()).is_pending());
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(response)));
    assert!(dropped.is_err(), "the panic goes on");
    assert_eq!(only(&trail).outcome, Some(Outcome::Cancelled));
}

/// A real server with a handler that hangs; tells when it began.
async fn hanging(trail: &TestTrail) -> (std::net::SocketAddr, Arc<Notify>) {
    let began = Arc::new(Notify::new());
    let told = Arc::clone(&began);
    let hang = move || {
        let told = Arc::clone(&told);
        async move {
            told.notify_one();
            std::future::pending::<()>().await;
        }
    };
    let read = |body: Body| async move {
        let whole = body.collect().await;
        AuditScope::current()
            .unwrap()
            .detail("whole", whole.is_ok());
        StatusCode::BAD_REQUEST
    };
    let app = Router::new()
        .route("/slow", get(hang.clone()).post(hang))
        .route("/upload", on_post(read))
        .layer(trail.audit().layer());
    (serve(app).await, began)
}

// Trap C3, through a real server.
#[tokio::test]
async fn a_connection_closed_during_the_handler_is_recorded_as_cancelled() {
    let trail = TestTrail::start();
    let (address, began) = hanging(&trail).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = b"POST /slow HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(head).await.unwrap();
    began.notified().await;
    drop(stream);
    until("the request ends", || {
        trail.audit().stats().open_scopes == 0
    })
    .await;
    let record = only(&trail);
    assert_eq!(record.outcome, Some(Outcome::Cancelled));
    assert_eq!(record.action, "POST /slow");
    assert_eq!(record.context.http.unwrap().status, None);
}

#[tokio::test]
async fn a_stream_reset_during_the_handler_is_recorded_as_cancelled() {
    let trail = TestTrail::start();
    let (address, began) = hanging(&trail).await;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<Body>();
    let response = tokio::spawn(client.request(post(&format!("http://{address}/slow"))));
    began.notified().await;
    response.abort();
    until("the request ends", || {
        trail.audit().stats().open_scopes == 0
    })
    .await;
    assert_eq!(only(&trail).outcome, Some(Outcome::Cancelled));
}

#[tokio::test]
async fn a_connection_closed_in_the_middle_of_an_upload_leaves_one_record() {
    let trail = TestTrail::start();
    let (address, _) = hanging(&trail).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let part = b"POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nonly this";
    stream.write_all(part).await.unwrap();
    until("the request begins", || {
        trail.audit().stats().open_scopes == 1
    })
    .await;
    drop(stream);
    until("the request ends", || {
        trail.audit().stats().open_scopes == 0
    })
    .await;
    let record = only(&trail);
    // The server tells the handler, or drops it: it is never a success.
    let outcome = record.outcome.unwrap();
    assert!(
        matches!(outcome, Outcome::Cancelled | Outcome::Failure),
        "{outcome:?}"
    );
    assert_ne!(record.details.get("whole"), Some(&true.into()));
}

/// A stream that is upgraded, and says back what it is told.
async fn echo(mut request: Request<Body>) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut stream = hyper_util::rt::TokioIo::new(upgrade.await.unwrap());
        let mut word = [0; 4];
        stream.read_exact(&mut word).await.unwrap();
        stream.write_all(&word).await.unwrap();
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "upgrade")
        .header("upgrade", "echo")
        .body(Body::empty())
        .unwrap()
}

// Trap C17: the response is not the end of the connection, but it is the end of the request.
#[tokio::test]
async fn an_upgrade_works_and_is_recorded_as_a_success_when_it_is_made() {
    let trail = TestTrail::start();
    let annotated = |request: Request<Body>| async move {
        AuditScope::current().unwrap().action("socket.open");
        echo(request).await
    };
    let app = Router::new()
        .route("/socket", get(annotated))
        .layer(trail.audit().layer());
    let mut stream = TcpStream::connect(serve(app).await).await.unwrap();
    let head = b"GET /socket HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{answer:?}");
    let record = only(&trail);
    assert_eq!(record.outcome, Some(Outcome::Success));
    assert_eq!(record.context.http.unwrap().status, Some(101));
    stream.write_all(b"ping").await.unwrap();
    let mut word = [0; 4];
    stream.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"ping");
}

// Trap C3: a guard that is dropped by a panic elsewhere is a request that was cut short.
#[test]
fn a_request_dropped_while_another_panic_unwinds_is_cancelled() {
    let trail = TestTrail::start();
    let mut service = trail.audit().layer().layer(service_fn(in_steps));
    let mut response = Box::pin(service.call(post("/work")));
    assert!(step(response.as_mut()).is_pending());
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _response = response;
        panic!("elsewhere");
    }));
    assert!(unwound.is_err());
    assert_eq!(only(&trail).outcome, Some(Outcome::Cancelled));
}

// Trap C5: these are complete at the head, whoever reads their body or does not.
#[tokio::test]
async fn what_has_no_body_is_complete_at_the_head() {
    use tower_audit::policy::{Policy, Rule, Until};
    for (status, head) in [(204, false), (304, false), (101, false), (200, true)] {
        let policy = Policy::new().rule(Rule::new("all").until(Until::Body));
        let trail = TestTrail::with(|builder| builder.policy(policy));
        let service = trail
            .audit()
            .layer()
            .layer(service_fn(move |_: Request<Body>| async move {
                let mut response = Script::respond([Line::Hang]);
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                Ok::<_, Infallible>(response)
            }));
        let mut request = get_of("/");
        if head {
            *request.method_mut() = Method::HEAD;
        }
        let response = service.oneshot(request).await.unwrap();
        assert_eq!(only(&trail).outcome, Some(Outcome::Success), "{status}");
        drop(response);
        assert_eq!(trail.audit().stats().broken_bodies, 0, "{status}");
    }
}

#[tokio::test]
async fn trailers_pass_through_as_they_are() {
    let trail = TestTrail::start();
    let mut trailers = HeaderMap::new();
    trailers.insert("checksum", "7".parse().unwrap());
    let sent = trailers.clone();
    let service = trail
        .audit()
        .layer()
        .layer(service_fn(move |_: Request<Body>| {
            let lines = [Line::Data("a"), Line::Pause, Line::Trailers(sent.clone())];
            std::future::ready(Ok::<_, Infallible>(Script::respond(lines)))
        }));
    let response = service.oneshot(get_of("/")).await.unwrap();
    let whole = response.into_body().collect().await.unwrap();
    assert_eq!(whole.trailers(), Some(&trailers));
    assert_eq!(whole.to_bytes(), "a");
}

#[test]
fn a_finished_response_is_not_held_when_the_policy_records_nothing() {
    let trail = TestTrail::start();
    trail.disk().stall(Call::Sync);
    let called = AtomicBool::new(false);
    let mut service = trail.audit().layer().layer(service_fn(|_: Request<Body>| {
        called.store(true, Ordering::Relaxed);
        std::future::ready(Ok::<_, Infallible>(Response::new(Body::empty())))
    }));
    let mut response = Box::pin(service.call(get_of("/")));
    let Poll::Ready(Ok(_)) = step(response.as_mut()) else {
        panic!("a skipped request waited for the disk");
    };
    assert!(called.into_inner());
    trail.disk().release(Call::Sync);
}
