//! The service. With `protoc` most of this is written for you.

use std::{array, convert::Infallible, task};

use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::{BoxFuture, Service, http, tokio_stream},
    server::{Grpc, NamedService},
};
use tonic_prost::ProstCodec;
use tower_audit::{AuditScope, Target};

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Line {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

type Lines = tokio_stream::Iter<array::IntoIter<Result<Line, Status>, 2>>;

/// Greets everybody, and tells a secret to Alice.
async fn greet(call: Request<Line>) -> Result<Response<Lines>, Status> {
    if let Some(scope) = call.extensions().get::<AuditScope>() {
        scope
            .action("secret.tell")
            .target(Target::of_kind("secret"));
    }
    let name = call.into_inner().text;
    let text = "the key is under the mat".into();
    let secret = match name.as_str() {
        "Alice" => Ok(Line { text }),
        _ => Err(Status::permission_denied("not for you")),
    };
    let text = format!("hello, {name}");
    let lines = [Ok(Line { text }), secret];
    Ok(Response::new(tokio_stream::iter(lines)))
}

#[derive(Clone)]
pub(crate) struct Greeter;

impl Greeter {
    pub(crate) const GREET: &str = "/hello.Greeter/Greet";
}

impl NamedService for Greeter {
    const NAME: &'static str = "hello.Greeter";
}

impl Service<http::Request<Body>> for Greeter {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> task::Poll<Result<(), Infallible>> {
        task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            if request.uri().path() != Self::GREET {
                return Ok(Status::unimplemented("only Greet").into_http());
            }
            let greet = tower::service_fn(greet);
            let mut grpc = Grpc::new(ProstCodec::default());
            Ok(grpc.server_streaming(greet, request).await)
        })
    }
}
