//! Run with `cargo bench --bench allocations`.
//!
//! How often one request asks for memory, and for how many bytes, on the thread that serves it: the
//! bare service, what the layer adds to it, and what `TraceLayer` without a subscriber adds.

mod support;

use allocation_counter::{AllocationInfo, measure};
use axum::{Router, http::Method};
use support::{
    Fallible,
    place::{self, Place},
    say,
    service::{bare, request, start},
};
use tower::ServiceExt as _;
use tower_audit::{capture::Session, record::Assurance};
use tower_http::trace::TraceLayer;

/// Enough for what is made once to have been made.
const WARM: u64 = 1000;

fn main() -> Fallible<()> {
    let place = Place::new()?;
    let dir = place.join("journal");
    let audit = start(&dir, Assurance::Buffered)?;
    let layered = bare().layer(audit.layer().session(Session::cookie("sid")));
    let traced = bare().layer(TraceLayer::new_for_http());
    for (what, method, uri) in [
        (
            "audited, Buffered",
            Method::POST,
            "/documents/4cq1mN0000000001",
        ),
        (
            "skipped at the end",
            Method::GET,
            "/documents/4cq1mN0000000001",
        ),
        ("skipped on arrival", Method::GET, "/health"),
    ] {
        let alone = one(&bare(), &method, uri)?;
        say(&format!(
            "\n{what}\n  bare service    {}",
            line(alone, AllocationInfo::default())
        ));
        say(&format!(
            "  AuditLayer adds {}",
            line(one(&layered, &method, uri)?, alone)
        ));
        say(&format!(
            "  TraceLayer adds {}",
            line(one(&traced, &method, uri)?, alone)
        ));
    }
    drop((layered, traced));
    let report = audit.shutdown_blocking(std::time::Duration::from_secs(60));
    report
        .in_order
        .then_some(())
        .ok_or_else(|| report.to_string())?;
    place::settle(&dir)
}

/// What one request asks for, as the mean of a thousand.
fn one(app: &Router, method: &Method, uri: &str) -> Fallible<AllocationInfo> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let send = || {
        runtime.block_on(async {
            for _ in 0..WARM {
                drop(app.clone().oneshot(request(method, uri)).await);
            }
        });
    };
    send();
    let mut info = measure(send);
    info.count_total /= WARM;
    info.bytes_total /= WARM;
    Ok(info)
}

fn line(info: AllocationInfo, less: AllocationInfo) -> String {
    let count = info.count_total.saturating_sub(less.count_total);
    let bytes = info.bytes_total.saturating_sub(less.bytes_total);
    format!("{count:>3} allocations, {bytes:>5} bytes")
}
