//! Run with `cargo bench --bench request [-- [--quick] [audited] [skipped]]`.
//!
//! What the layer adds to a request, beside the usual way on the same axum service. Each round
//! measures the bare service first; what a layer adds is the difference.
//!
//! - `audited`: a `POST` that the handler annotates, `Buffered`, against `TraceLayer` with JSON `fmt`
//!   at DEBUG into `tracing_appender`, which logs less; and against the same with the facts of the
//!   record logged by the handler.
//! - `skipped`: a `GET` that leaves no record, decided at the end and on arrival, against `TraceLayer`
//!   without a subscriber.

mod support;

use std::{convert::Infallible, fs, path::Path};

use axum::{Router, http::Method};
use support::{
    Asked, Bar, Fallible, Series, Taken, Unit, compare, place,
    place::Place,
    service::{bare, request, start, telling},
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

/// What is sent in every round.
struct Load<'a> {
    method: &'a Method,
    uri: &'a str,
    requests: u64,
}

impl Load<'_> {
    fn send(&self, app: &Router) -> Fallible<Taken> {
        send(app, self.method, self.uri, self.requests)
    }

    /// Measures what was added to the bare service, for each request.
    fn add(&self, series: &mut Series, app: &Router, bare: Taken) -> Fallible<()> {
        let taken = self.send(app)?;
        let less = Taken {
            wall: taken.wall.saturating_sub(bare.wall),
            cpu: taken.cpu.saturating_sub(bare.cpu),
        };
        series.each(self.requests, less);
        Ok(())
    }
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
    let load = Load {
        method: &Method::POST,
        uri: "/documents/4cq1mN0000000001",
        requests: asked.or_quick(200_000, 20_000),
    };
    let (path, _guard) = subscribe(place)?;
    let (mut ours, mut theirs) = (Series::default(), Series::default());
    let (mut alone, mut told) = (Series::default(), Series::default());
    for _ in 0..asked.rounds() {
        let bare_taken = load.send(&bare())?;
        alone.each(load.requests, bare_taken);

        let dir = place.join("journal");
        let audit = start(&dir, Assurance::Buffered)?;
        let app = bare().layer(audit.layer().session(Session::cookie("sid")));
        load.add(&mut ours, &app, bare_taken)?;
        drop(app);
        stop(&audit, &dir, load.requests)?;

        for (series, app) in [(&mut theirs, bare()), (&mut told, telling())] {
            load.add(series, &app.layer(TraceLayer::new_for_http()), bare_taken)?;
            place::settle(&path)?;
        }
    }
    show("the bare service, a request", Unit::Micros, &alone);
    let usual = "added by TraceLayer, JSON fmt at DEBUG, tracing_appender";
    let same_facts = "the same, and the handler logs the facts of the record";
    for (name, reference) in [(usual, &theirs), (same_facts, &told)] {
        compare(
            &format!(
                "added to an audited request, Buffered, {} in turn",
                load.requests
            ),
            Unit::Micros,
            &ours,
            (name, reference),
            Bar::AtMost {
                bar: 0.35,
                aim: 0.15,
            },
        );
    }
    Ok(())
}

fn skipped(asked: &Asked, place: &Place) -> Fallible<()> {
    let dir = place.join("skipped");
    let audit = start(&dir, Assurance::Durable)?;
    let layered = bare().layer(audit.layer().session(Session::cookie("sid")));
    let traced = bare().layer(TraceLayer::new_for_http());
    for (what, uri) in [
        ("decided at the end", "/documents/4cq1mN0000000001"),
        ("decided on arrival", "/health"),
    ] {
        let load = Load {
            method: &Method::GET,
            uri,
            requests: asked.or_quick(1_000_000, 50_000),
        };
        let (mut ours, mut theirs) = (Series::default(), Series::default());
        for _ in 0..asked.rounds() {
            let bare_taken = load.send(&bare())?;
            load.add(&mut ours, &layered, bare_taken)?;
            load.add(&mut theirs, &traced, bare_taken)?;
        }
        compare(
            &format!(
                "added to a skipped request, {what}, {} in turn",
                load.requests
            ),
            Unit::Micros,
            &ours,
            ("added by TraceLayer without a subscriber", &theirs),
            Bar::AtMost { bar: 1.5, aim: 0.7 },
        );
    }
    drop((layered, traced));
    let report = audit.shutdown_blocking(std::time::Duration::from_secs(60));
    let said = report.to_string();
    report.in_order.then_some(()).ok_or(said)?;
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
