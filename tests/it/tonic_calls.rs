//! A real tonic server and client, with the layer around the server and below axum.

use std::{
    convert::Infallible,
    net::SocketAddr,
    task::{Context, Poll},
};

use axum::http::{Request, Response};
use tonic::{
    Code, Status,
    body::Body,
    client::Grpc,
    codegen::{BoxFuture, tokio_stream},
    server::{NamedService, ServerStreamingService, UnaryService},
    service::Routes,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tonic_prost::ProstCodec;
use tower::Service;
use tower_audit::{
    AuditScope, Record,
    record::Outcome,
    testing::{
        TestTrail,
        disk::{Call, Fault},
    },
};

use crate::support::web::until;

/// `docs.Documents`: what it is asked with decides how a call ends.
#[derive(Clone)]
struct Documents;

impl NamedService for Documents {
    const NAME: &'static str = "docs.Documents";
}

fn answer(word: &str) -> Result<String, Status> {
    match word {
        "denied" => Err(Status::permission_denied("not yours")),
        "panic" => panic!("on purpose"),
        word => Ok(word.to_owned()),
    }
}

struct Create;

impl UnaryService<String> for Create {
    type Response = String;
    type Future = BoxFuture<tonic::Response<String>, Status>;

    fn call(&mut self, request: tonic::Request<String>) -> Self::Future {
        Box::pin(async move {
            let word = request.get_ref().clone();
            let scope: Option<&AuditScope> = request.extensions().get();
            scope.unwrap().detail("word", &word);
            if word == "hang" {
                std::future::pending::<()>().await;
            }
            answer(&word).map(tonic::Response::new)
        })
    }
}

struct List;

impl ServerStreamingService<String> for List {
    type Response = String;
    type ResponseStream = tokio_stream::Iter<std::vec::IntoIter<Result<String, Status>>>;
    type Future = BoxFuture<tonic::Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: tonic::Request<String>) -> Self::Future {
        let items = vec![Ok("first".to_owned()), answer(request.get_ref())];
        let stream = tokio_stream::iter(items);
        Box::pin(std::future::ready(Ok(tonic::Response::new(stream))))
    }
}

impl Service<Request<Body>> for Documents {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::default());
            Ok(match request.uri().path() {
                "/docs.Documents/Create" => grpc.unary(Create, request).await,
                "/docs.Documents/List" => grpc.server_streaming(List, request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

/// How the service is served.
type Serve = fn(&TestTrail, TcpIncoming);

fn by_tonic(trail: &TestTrail, incoming: TcpIncoming) {
    let mut server = Server::builder().layer(trail.audit().layer());
    let served = server.add_service(Documents).serve_with_incoming(incoming);
    tokio::spawn(served);
}

fn below_axum(trail: &TestTrail, incoming: TcpIncoming) {
    let routes = Routes::new(Documents).into_axum_router();
    let routes = routes.layer(trail.audit().layer());
    let served = Server::builder().add_routes(Routes::from(routes));
    tokio::spawn(served.serve_with_incoming(incoming));
}

async fn client(trail: &TestTrail, serve: Serve) -> Grpc<Channel> {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let incoming = TcpIncoming::bind(any).unwrap();
    let address = incoming.local_addr().unwrap();
    serve(trail, incoming);
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut client = Grpc::new(endpoint.connect().await.unwrap());
    client.ready().await.unwrap();
    client
}

async fn create(
    client: &mut Grpc<Channel>,
    method: &'static str,
    word: &str,
) -> Result<String, Status> {
    let path = method.parse().unwrap();
    let codec = ProstCodec::<String, String>::default();
    client.ready().await.unwrap();
    let request = tonic::Request::new(word.to_owned());
    client
        .unary(request, path, codec)
        .await
        .map(tonic::Response::into_inner)
}

fn only(trail: &TestTrail) -> Record {
    let mut records = trail.records();
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

// Trap C6, with a real server and client.
#[tokio::test]
async fn a_call_is_recorded_by_its_method_with_the_code_that_the_client_sees() {
    for serve in [by_tonic as Serve, below_axum] {
        for (method, word, code, outcome, action) in [
            (
                "/docs.Documents/Create",
                "made",
                Code::Ok,
                Outcome::Success,
                "docs.Documents/Create",
            ),
            (
                "/docs.Documents/Create",
                "denied",
                Code::PermissionDenied,
                Outcome::Denied,
                "docs.Documents/Create",
            ),
        ] {
            let trail = TestTrail::start();
            let mut client = client(&trail, serve).await;
            let answer = create(&mut client, method, word).await;
            assert_eq!(
                answer.map_or_else(|status| status.code(), |_| Code::Ok),
                code
            );
            let record = only(&trail);
            assert_eq!(record.outcome, Some(outcome), "{word}");
            assert_eq!(record.action, action, "{word}");
            assert_eq!(record.details["word"], word);
        }
    }
}

#[tokio::test]
async fn a_method_that_is_not_there_leaves_no_name_of_the_client_s() {
    for serve in [by_tonic as Serve, below_axum] {
        for method in ["/docs.Documents/Forged", "/made.Up/ByTheClient"] {
            let trail = TestTrail::start();
            let mut client = client(&trail, serve).await;
            let answer = create(&mut client, method, "").await;
            assert_eq!(answer.unwrap_err().code(), Code::Unimplemented, "{method}");
            for line in trail.lines() {
                assert!(
                    !line.contains("Forged") && !line.contains("ByTheClient"),
                    "{line}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_stream_is_recorded_when_its_trailers_came() {
    for (word, outcome) in [("second", Outcome::Success), ("denied", Outcome::Denied)] {
        let trail = TestTrail::start();
        let mut client = client(&trail, by_tonic).await;
        let path = "/docs.Documents/List".parse().unwrap();
        let request = tonic::Request::new(tokio_stream::once(word.to_owned()));
        let codec = ProstCodec::<String, String>::default();
        let stream = client.streaming(request, path, codec).await.unwrap();
        let mut stream = stream.into_inner();
        assert_eq!(stream.message().await.unwrap().unwrap(), "first");
        let second = stream.message().await;
        assert_eq!(second.is_ok(), outcome == Outcome::Success);
        if second.is_ok() {
            assert_eq!(stream.message().await.unwrap(), None);
        }
        assert_eq!(only(&trail).outcome, Some(outcome));
    }
}

// Trap C3.
#[tokio::test]
async fn a_call_that_the_client_gives_up_is_cancelled() {
    let trail = TestTrail::start();
    let mut client = client(&trail, by_tonic).await;
    let call =
        tokio::spawn(async move { create(&mut client, "/docs.Documents/Create", "hang").await });
    until("the call begins", || trail.audit().stats().open_scopes == 1).await;
    call.abort();
    until("the call ends", || trail.audit().stats().open_scopes == 0).await;
    assert_eq!(only(&trail).outcome, Some(Outcome::Cancelled));
}

// Trap C4.
#[tokio::test]
async fn a_call_that_panics_is_an_error() {
    let trail = TestTrail::start();
    let mut client = client(&trail, by_tonic).await;
    let answer = create(&mut client, "/docs.Documents/Create", "panic").await;
    assert_ne!(answer.unwrap_err().code(), Code::Ok);
    until("the call ends", || trail.audit().stats().open_scopes == 0).await;
    assert_eq!(only(&trail).outcome, Some(Outcome::Error));
}

#[tokio::test]
async fn a_refused_call_is_unavailable_to_a_real_client() {
    use tower_audit::{
        policy::{Policy, Rule},
        record::Assurance,
    };
    let rule = Rule::new("all").assurance(Assurance::Strict);
    let trail = TestTrail::with(|builder| builder.policy(Policy::new().rule(rule)));
    let mut client = client(&trail, by_tonic).await;
    trail
        .disk()
        .inject(Fault::eio([Call::Sync]).until_cleared());
    let answer = create(&mut client, "/docs.Documents/Create", "made").await;
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(
        status.message(),
        "no audit record of this call could be kept"
    );
    trail.disk().clear_faults();
    assert_eq!(trail.audit().stats().refused, 1);
}
