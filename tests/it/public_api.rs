//! What the compiler has to accept: the layer in the stacks of axum, tower, hyper and tonic.

use std::{
    cell::Cell,
    convert::Infallible,
    fmt::Debug,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    Router,
    body::Body,
    http::{Request, Response},
    routing::{get, post as on_post},
};
use bytes::Bytes;
use http_body_util::{BodyExt, BodyStream, Empty, Full, StreamBody, combinators::BoxBody};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_audit::{
    Audit, AuditLayer, AuditScope,
    capture::{
        ActorLayer, ActorService, AuditBody, AuditService, ClientAddress, ResponseFuture, Session,
    },
    testing::TestTrail,
};

use crate::support::web::{exchange, get as get_of, post, serve};

fn is_shared<T: Send + Sync + Clone + 'static>() {}

fn is_sent<T: Send>() {}

/// A service whose futures are sent, but not shared between threads.
#[derive(Clone, Debug)]
struct NotShared;

struct NotSharedFuture(Cell<u8>);

impl Future for NotSharedFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.set(self.0.get() + 1);
        Poll::Ready(Ok(Response::new(Body::empty())))
    }
}

impl Service<Request<Body>> for NotShared {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = NotSharedFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> NotSharedFuture {
        NotSharedFuture(Cell::new(0))
    }
}

// Trap C11.
#[test]
fn what_is_public_can_be_shared_sent_and_cloned() {
    is_shared::<Audit>();
    is_shared::<AuditLayer>();
    is_shared::<AuditScope>();
    is_shared::<ActorLayer>();
    is_shared::<ClientAddress>();
    is_shared::<Session>();
    is_shared::<AuditService<NotShared>>();
    is_shared::<ActorService<NotShared>>();
    is_sent::<ResponseFuture<NotShared, Body>>();
    is_sent::<AuditBody<Body>>();
}

fn has_debug(value: &impl Debug) -> String {
    format!("{value:?}")
}

#[tokio::test]
async fn what_is_public_shows_itself_without_what_it_holds() {
    let trail = TestTrail::start();
    let mut service = trail.audit().layer().layer(NotShared);
    assert_eq!(has_debug(&service), "AuditService { inner: NotShared, .. }");
    let response = service.call(get_of("/secret"));
    assert_eq!(has_debug(&response), "ResponseFuture { .. }");
    let response = response.await.unwrap();
    assert_eq!(has_debug(response.body()), "AuditBody { .. }");
    assert_eq!(has_debug(&trail.audit().layer()), "AuditLayer { .. }");
    let actor = ActorLayer::new(|_| None);
    assert_eq!(has_debug(&actor), "ActorLayer { .. }");
    assert_eq!(
        has_debug(&actor.layer(())),
        "ActorService { inner: (), .. }"
    );
}

/// The layer can be named and kept, as a field or in a function's type.
struct App {
    layer: AuditLayer,
}

#[tokio::test]
async fn axum_takes_the_layer_wherever_it_takes_one() {
    let trail = TestTrail::start();
    let app = App {
        layer: trail.audit().layer(),
    };
    let plain = || async {};
    let routers: Vec<Router> = vec![
        Router::new()
            .route("/", on_post(plain))
            .layer(app.layer.clone()),
        Router::new()
            .route("/", on_post(plain))
            .route_layer(app.layer.clone()),
        Router::new().route("/", on_post(plain).layer(app.layer.clone())),
        Router::new().route("/", on_post(plain)).layer(
            ServiceBuilder::new()
                .layer(app.layer.clone())
                .layer(ActorLayer::new(|_| None)),
        ),
        Router::new().route_service("/", app.layer.layer(NotShared)),
        Router::new().fallback_service(
            app.layer
                .layer(Router::new().route("/", on_post(|_: AuditScope| async {}))),
        ),
        Router::new()
            .route("/", get(plain).post(plain))
            .with_state(())
            .layer(app.layer.clone()),
    ];
    let count = routers.len();
    for router in routers {
        router.oneshot(post("/")).await.unwrap();
    }
    assert_eq!(trail.records().len(), count);
}

/// Sends one request through a service with this body.
async fn through<B>(trail: &TestTrail, make: impl Fn() -> B + Clone) -> Bytes
where
    B: http_body::Body<Data = Bytes, Error: Debug>,
{
    let service = ServiceBuilder::new()
        .layer(trail.audit().layer())
        .service(service_fn(move |request: Request<()>| {
            let scope = request.extensions().get::<AuditScope>().unwrap();
            scope.action("body.give");
            std::future::ready(Ok::<_, Infallible>(Response::new(make())))
        }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    response.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn any_body_goes_through() {
    let trail = TestTrail::start();
    let bytes = Bytes::from_static(b"text");
    let full = || Full::new(Bytes::from_static(b"text"));
    assert_eq!(through(&trail, full).await, bytes);
    assert_eq!(through(&trail, || Body::from("text")).await, bytes);
    assert_eq!(
        through(&trail, || "text".to_owned().map_err(|never| match never {})).await,
        bytes
    );
    assert_eq!(
        through(&trail, || tonic::body::Body::new(full())).await,
        bytes
    );
    assert_eq!(
        through(&trail, || StreamBody::new(BodyStream::new(full()))).await,
        bytes
    );
    assert_eq!(through(&trail, || BoxBody::new(full())).await, bytes);
    assert_eq!(through(&trail, Empty::<Bytes>::new).await, "");
    assert_eq!(trail.records().len(), 7);
}

/// Errors of any kind go through as they are, also those that cannot be sent.
#[tokio::test]
async fn any_error_goes_through() {
    #[derive(Debug, PartialEq)]
    struct Odd(std::rc::Rc<u8>);
    let trail = TestTrail::start();
    let service = trail
        .audit()
        .layer()
        .layer(service_fn(async |_: Request<()>| {
            AuditScope::current().unwrap().action("work.do");
            Err::<Response<Body>, _>(Odd(7.into()))
        }));
    let error = service
        .oneshot(Request::new(()))
        .await
        .map(drop)
        .unwrap_err();
    assert_eq!(error, Odd(7.into()));
    tower_audit::assert_recorded!(trail, {"action": "work.do", "outcome": "error"});
}

#[tokio::test]
async fn plain_hyper_takes_the_service() {
    let trail = TestTrail::start();
    let service = trail.audit().layer().layer(service_fn(
        async |request: Request<hyper::body::Incoming>| {
            let scope = request.extensions().get::<AuditScope>().unwrap();
            scope.action("work.do");
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, Infallible>(Response::new(Full::new(body)))
        },
    ));
    let request =
        b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 4\r\n\r\ntext";
    let answer = exchange(serve(service).await, request).await;
    assert!(answer.ends_with(b"\r\n\r\ntext"), "{answer:?}");
    tower_audit::assert_recorded!(trail, {"action": "work.do", "outcome": "success"});
}

// The service that was polled ready is the one that is called.
#[tokio::test]
async fn the_service_that_is_ready_is_the_one_that_is_called() {
    #[derive(Debug)]
    struct ReadyOnce(bool);
    impl Clone for ReadyOnce {
        fn clone(&self) -> Self {
            Self(false)
        }
    }
    impl Service<Request<Body>> for ReadyOnce {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Response<Body>, Infallible>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            self.0 = true;
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, _: Request<Body>) -> Self::Future {
            assert!(self.0, "called although it was not ready");
            self.0 = false;
            std::future::ready(Ok(Response::new(Body::empty())))
        }
    }
    for assurance in [
        tower_audit::record::Assurance::Buffered,
        tower_audit::record::Assurance::Strict,
    ] {
        let rule = tower_audit::policy::Rule::new("all").assurance(assurance);
        let policy = tower_audit::Policy::new().rule(rule);
        let trail = TestTrail::with(|builder| builder.policy(policy));
        let mut service = trail.audit().layer().layer(ReadyOnce(false));
        for _ in 0..2 {
            service
                .ready()
                .await
                .unwrap()
                .call(post("/"))
                .await
                .unwrap();
        }
        assert_eq!(trail.records().len(), 2);
    }
}
