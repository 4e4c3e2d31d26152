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
//! | an administrator, and nobody else, reads the trail in a browser | `reading.rs`, `sign_in.rs`, `sign_in_page.rs` |
//! | a history is made up, to have something to look at: `--seed 5000` | `seed/mod.rs` |
//! | operators see health, counters and what is wrong with a sink | `operations.rs` |
//!
//! `AUDIT_SINKS` adds sinks: see `docs/operations.md`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

mod admin;
mod app;
mod args;
mod clock;
mod documents;
mod editing;
mod failure;
mod login;
mod odd;
mod operations;
mod reading;
mod seed;
mod sessions;
mod sign_in;
mod sign_in_page;
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
    operations::log();
    let args = args::Args::parse();
    let listener = tokio::net::TcpListener::bind(args.listen).await;
    let listener = listener.map_err(|error| Failure::new(&format!("{}: {error}", args.listen)))?;
    seed::history(&args).await?;
    let audit = trail::start(&args).await?;
    let app = Arc::new(app::App::default());
    let viewer = reading::viewer(&audit, &args, &app).await?;

    let lasts = args.session_lasts();
    let job = tokio::spawn(sessions::expire(Arc::clone(&app), audit.clone(), lasts));
    let router = app::router(app, viewer.clone()).layer(trail::layer(&audit, &args));
    // Outside of the layer: what asks every few seconds is no request that anybody audits.
    let router = router.merge(operations::router(&audit));

    args.welcome(listener.local_addr()?);
    tokio::spawn(operations::tell_of_sinks(audit.clone()));
    // The layer finds the peer's address in what this puts into each request.
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service).with_graceful_shutdown(stop::and_close(viewer));
    tokio::select! {
        served = served => served?,
        () = stop::overdue(PATIENCE) => println!("some requests still run; they are not waited for"),
    }

    job.abort();
    let report = audit.shutdown(PATIENCE).await;
    println!("{report}");
    let closed = report.in_order.then_some(());
    closed.ok_or_else(|| Failure::new("the trail was not closed in order"))
}
