//! Run with `cargo bench --bench request [-- [--quick] [audited] [skipped]]`.
//!
//! What the layer adds to a request, beside the usual way on the same axum service. Each round
//! measures the bare service first; what a layer adds is the difference.
//!
//! - `audited`: a `POST` that the handler annotates, `Buffered`, against `TraceLayer` with JSON `fmt`
//!   at DEBUG into `tracing_appender`.
//! - `skipped`: a `GET` that leaves no record, decided at the end and on arrival, against `TraceLayer`
//!   without a subscriber.

mod support;

use std::{convert::Infallible, fs, path::Path};

use axum::{Router, http::Method};
use support::{
    Asked, Bar, Fallible, Series, Taken, Unit, compare, place,
    place::Place,
    service::{bare, request, start},
    show, timed,
};
use tower::ServiceExt as _;
use tower_audit::{Audit, capture::Session, record::Assurance};
use tower_http::trace::TraceLayer;
use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};

fn main() -> Fallible<()> {
    let asked = Asked::read();
    let place = Place::new()?;
    // Before any subscriber is set: without one is how the skipped request's reference runs.
    if asked.part("skipped") {
        skipped(&asked, &place)?;
    }
    if asked.part("audited") {
        audited(&asked, &place)?;
    }
    Ok(())
}

/// Sends requests one after another through a clone of the service for each, as a server does.
fn send(app: &Router, method: &Method, path: &str, requests: u64) -> Fallible<Taken> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let ((), taken) = timed(|| {
        runtime.block_on(async {
            for _ in 0..requests {
                let answered: Result<_, Infallible> =
                    app.clone().oneshot(request(method, path)).await;
                drop(answered);
            }
        });
        Ok(())
    })?;
    Ok(taken)
}

/// What was added to the bare service, for each request.
fn add(series: &mut Series, requests: u64, taken: Taken, bare: Taken) {
    let less = Taken {
        wall: taken.wall.saturating_sub(bare.wall),
        cpu: taken.cpu.saturating_sub(bare.cpu),
    };
    series.each(requests, less);
}

fn stop(audit: &Audit, dir: &Path, records: u64) -> Fallible<()> {
    let report = audit.shutdown_blocking(std::time::Duration::from_secs(60));
    let stats = audit.stats();
    // The start and the stop of the trail are records too.
    if !report.in_order || stats.stored != records + 2 {
        return Err(format!("{} of {records} records: {report}", stats.stored).into());
    }
    place::settle(dir)
}

fn audited(asked: &Asked, place: &Place) -> Fallible<()> {
    let requests = asked.or_quick(200_000, 20_000);
    let (path, _guard) = subscribe(place)?;
    let (method, uri) = (Method::POST, "/documents/4cq1mN0000000001");
    let (mut ours, mut theirs) = (Series::default(), Series::default());
    let mut alone = Series::default();
    for _ in 0..asked.rounds() {
        let bare_taken = send(&bare(), &method, uri, requests)?;

        let dir = place.join("journal");
        let audit = start(&dir, Assurance::Buffered)?;
        let app = bare().layer(audit.layer().session(Session::cookie("sid")));
        add(
            &mut ours,
            requests,
            send(&app, &method, uri, requests)?,
            bare_taken,
        );
        drop(app);
        stop(&audit, &dir, requests)?;

        let app = bare().layer(TraceLayer::new_for_http());
        add(
            &mut theirs,
            requests,
            send(&app, &method, uri, requests)?,
            bare_taken,
        );
        place::settle(&path)?;
        alone.each(requests, bare_taken);
    }
    let what = format!("added to an audited request, Buffered, {requests} in turn");
    show("the bare service, a request", Unit::Micros, &alone);
    compare(
        &what,
        Unit::Micros,
        &ours,
        (
            "added by TraceLayer, JSON fmt at DEBUG, tracing_appender",
            &theirs,
        ),
        Bar::AtMost {
            bar: 0.35,
            aim: 0.15,
        },
    );
    Ok(())
}

fn skipped(asked: &Asked, place: &Place) -> Fallible<()> {
    let requests = asked.or_quick(1_000_000, 50_000);
    let method = Method::GET;
    let dir = place.join("skipped");
    let audit = start(&dir, Assurance::Durable)?;
    let layered = bare().layer(audit.layer().session(Session::cookie("sid")));
    let traced = bare().layer(TraceLayer::new_for_http());
    for (what, uri) in [
        ("decided at the end", "/documents/4cq1mN0000000001"),
        ("decided on arrival", "/health"),
    ] {
        let (mut ours, mut theirs) = (Series::default(), Series::default());
        for _ in 0..asked.rounds() {
            let bare_taken = send(&bare(), &method, uri, requests)?;
            add(
                &mut ours,
                requests,
                send(&layered, &method, uri, requests)?,
                bare_taken,
            );
            add(
                &mut theirs,
                requests,
                send(&traced, &method, uri, requests)?,
                bare_taken,
            );
        }
        compare(
            &format!("added to a skipped request, {what}, {requests} in turn"),
            Unit::Micros,
            &ours,
            ("added by TraceLayer without a subscriber", &theirs),
            Bar::AtMost { bar: 1.5, aim: 0.7 },
        );
    }
    drop((layered, traced));
    let report = audit.shutdown_blocking(std::time::Duration::from_secs(60));
    report
        .in_order
        .then_some(())
        .ok_or_else(|| report.to_string())?;
    Ok(())
}

/// The usual way: JSON lines at DEBUG, through a channel to a thread that writes a file.
fn subscribe(place: &Place) -> Fallible<(std::path::PathBuf, WorkerGuard)> {
    let path = place.join("trace.jsonl");
    let (writer, guard) = NonBlocking::new(fs::File::create(&path)?);
    tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(writer)
        .init();
    Ok((path, guard))
}
