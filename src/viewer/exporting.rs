//! An export while it runs: until when it may, and what is left of it however it ends.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use http::request::Parts;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use super::{
    access::{self, AUTHORISE, Reader},
    body::{BodyError, Outlet, ViewerBody},
    closing::AtEnd,
    exports::Turn,
    failure::Failure,
    model::ExportState,
    reads::{Pen, by, filter_value, reader_key},
    shared::Shared,
};
use crate::{
    export::{Export, ExportFormat, Manifest},
    record::{Outcome, Record},
};

/// How long pieces may lie before the client takes them. A client that stopped reading would keep its
/// turn from others for as long as its connection stands.
const PATIENCE: Duration = Duration::from_secs(120);

/// How much of that a piece gives back when it was taken. A client that is slower than a piece (64 KiB)
/// in this time for good, which is 16 KiB a second, uses it up in the end: an export cannot be drawn out
/// for days.
const PER_PIECE: Duration = Duration::from_secs(4);

/// What belongs to an export that runs; dropped, it says how it ended.
pub(super) struct Running {
    pub(super) shared: Arc<Shared>,
    pub(super) pen: Pen,
    pub(super) reader: Reader,
    pub(super) filter: Vec<(String, String)>,
    pub(super) id: Uuid,
    pub(super) format: ExportFormat,
    /// What was given so far.
    pub(super) manifest: Manifest,
    /// How it ended, once it did.
    pub(super) outcome: Option<Outcome>,
    #[expect(dead_code, reason = "it is held until the export ends")]
    pub(super) turn: Turn,
}

/// What an export waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// For the client, which has not taken the last piece; or has not begun.
    Client,
    /// For the store.
    Store,
    Ended,
}

/// A running export, in the hands of its body and of its watch: whoever ends it first does so.
struct Lease {
    running: Mutex<Option<Running>>,
    phase: watch::Sender<Phase>,
}

/// What a body is made of. Dropped before its end, the client has left.
struct Stream {
    lease: Arc<Lease>,
    shared: Arc<Shared>,
    parts: Arc<Parts>,
    /// Who began it.
    reader: String,
    export: Export,
}

/// The body of an export.
///
/// A client that reads no more polls no body, so that a task of its own ends what stalls, and what
/// runs when the viewer is closed.
pub(super) fn body(running: Running, parts: &Arc<Parts>, export: Export) -> ViewerBody {
    let shared = Arc::clone(&running.shared);
    let reader = reader_key(&running.reader);
    let lease = Arc::new(Lease {
        running: Mutex::new(Some(running)),
        phase: watch::Sender::new(Phase::Client),
    });
    shared.closing.at_end(&lease);
    tokio::spawn(watch(Arc::clone(&lease)));
    let stream = Stream {
        lease,
        shared,
        parts: Arc::clone(parts),
        reader,
        export,
    };
    ViewerBody::pieces(move |outlet| stream.run(outlet))
}

/// Ends what stalls, or is too slow.
async fn watch(lease: Arc<Lease>) {
    let mut told = lease.phase.subscribe();
    let mut left = PATIENCE;
    loop {
        let phase = *told.borrow_and_update();
        if phase == Phase::Ended {
            return;
        }
        let since = Instant::now();
        let mut stalled = pin!(sleep_until(since + left));
        let mut changed = pin!(told.changed());
        let is_stalled = poll_fn(|cx| {
            // The sender is in the lease that is held here, so that an error is none.
            if changed.as_mut().poll(cx).is_ready() {
                return Poll::Ready(false);
            }
            if phase == Phase::Client && stalled.as_mut().poll(cx).is_ready() {
                return Poll::Ready(true);
            }
            Poll::Pending
        });
        if is_stalled.await {
            lease.end(Outcome::Cancelled);
            return;
        }
        if phase == Phase::Client {
            let taken = left.saturating_sub(since.elapsed()) + PER_PIECE;
            left = taken.min(PATIENCE);
        }
    }
}

impl AtEnd for Lease {
    fn end(&self) {
        self.end(Outcome::Cancelled);
    }
}

impl Lease {
    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it, unless somebody did.
    fn end(&self, outcome: Outcome) {
        let running = self.running().take();
        if let Some(mut running) = running {
            running.outcome = Some(outcome);
        }
        self.phase.send_replace(Phase::Ended);
    }

    /// Notes what was given so far. False when it was ended.
    fn note(&self, manifest: Manifest) -> bool {
        let mut running = self.running();
        let Some(running) = running.as_mut() else {
            return false;
        };
        let so_far = ExportState::Running(manifest.records);
        let exports = &running.shared.exports;
        exports.update(running.id, so_far, None);
        running.manifest = manifest;
        true
    }

    fn is_ended(&self) -> bool {
        self.running().is_none()
    }
}

impl Stream {
    async fn run(mut self, outlet: Outlet) -> Result<(), BodyError> {
        let mut authorise = Instant::now() + AUTHORISE;
        loop {
            if self.lease.is_ended() {
                return Err(BodyError(
                    "it was read too slowly, or the viewer was closed",
                ));
            }
            if self.shared.closing.is_closed() {
                return Err(self.broken(Outcome::Cancelled, "the viewer was closed"));
            }
            if Instant::now() >= authorise {
                if !self.is_still_allowed().await {
                    return Err(self.broken(Outcome::Cancelled, "access was withdrawn"));
                }
                authorise = Instant::now() + AUTHORISE;
            }
            self.lease.phase.send_replace(Phase::Store);
            let turn = self.shared.questions.turn(&self.reader).await;
            let next = self.export.next().await;
            drop(turn);
            match next {
                Ok(Some(piece)) => {
                    if self.lease.note(self.export.manifest()) {
                        self.lease.phase.send_replace(Phase::Client);
                        outlet.send(piece).await;
                    }
                }
                Ok(None) => {
                    self.lease.note(self.export.manifest());
                    self.lease.end(Outcome::Success);
                    return Ok(());
                }
                Err(error) => {
                    // Logged there.
                    let _ = Failure::from(error);
                    return Err(self.broken(Outcome::Error, "the store failed"));
                }
            }
        }
    }

    fn broken(&self, outcome: Outcome, why: &'static str) -> BodyError {
        self.lease.end(outcome);
        BodyError(why)
    }

    /// Whether the same reader may still read the same.
    async fn is_still_allowed(&self) -> bool {
        match access::decide(&self.shared.authorise, &self.parts).await {
            Ok(Some(reader)) => reader_key(&reader) == self.reader,
            Ok(None) | Err(access::Undecided) => false,
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.lease.end(Outcome::Cancelled);
    }
}

impl Running {
    /// What is there if nobody sees its end, because the process is killed.
    pub(super) fn begin(&self) {
        let record = self.record().detail("state", "begun");
        self.pen.write(record.outcome(Outcome::Unknown));
    }

    fn record(&self) -> Record {
        by(Record::new("audit.export"), &self.reader)
            .detail("format", self.format.as_str())
            .detail("filter", filter_value(&self.filter))
            .detail("export", self.id.to_string())
    }
}

impl Drop for Running {
    /// However it ends, it is recorded: also when the client has left.
    fn drop(&mut self) {
        let manifest = &self.manifest;
        let complete = manifest.complete && self.outcome == Some(Outcome::Success);
        let state = if complete {
            ExportState::Complete(manifest.records)
        } else {
            ExportState::Incomplete(manifest.records)
        };
        let text = serde_json::to_string(manifest).ok();
        self.shared.exports.update(self.id, state, text);
        let record = self
            .record()
            .detail("records", manifest.records)
            .detail("complete", complete)
            .outcome(self.outcome.unwrap_or(Outcome::Cancelled));
        self.pen.write(record);
    }
}
