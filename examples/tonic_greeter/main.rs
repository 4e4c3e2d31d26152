//! Run with `cargo run --example tonic_greeter`.
//!
//! The same layer audits gRPC, where each answer is a 200 and only the trailers say how it ended. The
//! service calls itself twice: the call that is refused half-way is recorded as denied. Then it shows
//! the records; the first and the last are the trail's own.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

mod greeter;

use std::{error::Error, net::IpAddr, time::Duration};

use greeter::{Greeter, Line};
use http::{request::Parts, uri::PathAndQuery};
use tonic::transport::server::{TcpConnectInfo, TcpIncoming};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Status, client::Grpc};
use tonic_prost::ProstCodec;
use tower_audit::{Audit, sink::FileSink};

/// The peer's address, where tonic puts it.
fn peer(call: &Parts) -> Option<IpAddr> {
    let connection = call.extensions.get::<TcpConnectInfo>()?;
    Some(connection.remote_addr?.ip())
}

async fn greet(client: &mut Grpc<Channel>, name: &str) -> Result<(), Status> {
    let call = Request::new(Line { text: name.into() });
    let path = PathAndQuery::from_static(Greeter::GREET);
    let codec = ProstCodec::<Line, Line>::default();
    let answer = client.server_streaming(call, path, codec).await?;
    let mut lines = answer.into_inner();
    while let Some(line) = lines.message().await? {
        println!("{name} is told: {}", line.text);
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let (journal, file) = (dir.path().join("journal"), dir.path().join("audit.jsonl"));
    let sink = FileSink::builder(&file).build()?;
    let audit = Audit::builder("greeter")
        .dir(journal)
        .sink("file", sink)
        .start()
        .await?;

    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?;
    let address = incoming.local_addr()?;
    let mut server = Server::builder().layer(audit.layer().peer(peer));
    let server = server.add_service(Greeter).serve_with_incoming(incoming);
    tokio::spawn(server);

    let channel = Endpoint::new(format!("http://{address}"))?
        .connect()
        .await?;
    let mut client = Grpc::new(channel);
    for name in ["Alice", "Mallory"] {
        client.ready().await?;
        match greet(&mut client, name).await {
            Ok(()) => println!("{name}: done"),
            Err(status) => println!("{name}: {:?}, {}", status.code(), status.message()),
        }
    }

    println!("{}", audit.shutdown(Duration::from_secs(5)).await);
    print!("{}", std::fs::read_to_string(&file)?);
    Ok(())
}
