//! Run with `cargo run --release --features cli --example demo`, and try the commands it prints.
//!
//! A small document service that audits itself into SQLite. It says where it listens; Ctrl-C or
//! SIGTERM drains it and prints what became of every record. Flags: `-- --help`.
//!
//! | to see how | look at |
//! |---|---|
//! | the trail is started: journal, database, policy, catalogue of actions | `trail.rs` |
//! | the layer is put around a router, outside of authentication | `app.rs` |
//! | a login, also a failed one, is recorded | `login.rs` |
//! | handlers say what they act on, and what they change | `editing.rs`, `admin.rs` |
//! | the actor is told | `users.rs` |
//! | a job of the system is recorded | `sessions.rs` |
//! | operators see health, counters and what is wrong with a sink | `operations.rs` |
//!
//! `AUDIT_SINKS` adds sinks: see `docs/operations.md`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

mod admin;
mod app;
mod args;
mod documents;
mod editing;
mod failure;
mod login;
mod odd;
mod operations;
mod sessions;
mod stop;
mod trail;
mod users;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use clap::Parser;
use failure::Failure;

/// How long requests that run may take to end, and then the trail to be delivered.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .init();
    let args = args::Args::parse();
    let listener = tokio::net::TcpListener::bind(args.listen).await;
    let listener = listener.map_err(|error| Failure::new(&format!("{}: {error}", args.listen)))?;
    let audit = trail::start(&args).await?;

    let app = Arc::new(app::App::default());
    let job = tokio::spawn(sessions::expire(
        Arc::clone(&app),
        audit.clone(),
        args.session_lasts(),
    ));
    let router = app::router(app).layer(trail::layer(&audit, &args));
    // Outside of the layer: what asks every few seconds is no request that anybody audits.
    let router = router.merge(operations::router(&audit));

    args.welcome(listener.local_addr()?);
    tokio::spawn(operations::tell_of_sinks(audit.clone()));
    // The layer finds the peer's address in what this puts into each request.
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service).with_graceful_shutdown(stop::signal());
    tokio::select! {
        served = served => served?,
        () = stop::overdue(PATIENCE) => println!("some requests still run; they are not waited for"),
    }

    job.abort();
    let report = audit.shutdown(PATIENCE).await;
    println!("{report}");
    if report.in_order {
        Ok(())
    } else {
        Err(Failure::new("the trail was not closed in order"))
    }
}
