//! A viewer that belongs to a trail: what is read is recorded there, and it ends with it.

use std::sync::{Arc, Mutex, PoisonError};

use http::request::Parts as RequestParts;

use super::Audit;
use crate::{
    capture::{Beside, Recorder},
    clock::{Clock, Timestamp},
    export::Manifest,
    record::{Actor, Outcome},
    stats::{SinkState, SinkStats},
    store::{Query, Store},
    viewer::{
        Access, Closing, Destination, DestinationState, Pen, Viewer, ViewerBuilder,
        exported_elsewhere, read_elsewhere,
    },
};

/// The viewers of a trail, to be ended with it.
#[derive(Debug, Default)]
pub(super) struct Viewers {
    closings: Mutex<Vec<Closing>>,
}

impl Viewers {
    /// Ends what streams.
    pub(super) fn close(&self) {
        for closing in self.closings().iter() {
            closing.close();
        }
    }

    fn add(&self, closing: Closing) {
        let mut closings = self.closings();
        closings.retain(Closing::is_in_use);
        closings.push(closing);
    }

    fn closings(&self) -> std::sync::MutexGuard<'_, Vec<Closing>> {
        self.closings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock of the trail.
#[derive(Debug)]
struct TrailClock(Recorder);

impl Clock for TrailClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

impl Audit {
    /// Begins the configuration of a web viewer on a store, usually one that this trail fills.
    ///
    /// What is read is recorded in this trail: `audit.read`, one in five minutes for each reader and
    /// filter, one more with the number of all that was shown when more was shown than the first says, and
    /// one for each record that was opened; `audit.export`, when an export begins and when it ends. They
    /// have address, program, session and request as the [layer](Self::layer) finds them; without
    /// a layer around the viewer, the peer of the connection if axum tells it. A refusal is recorded
    /// as `audit.read` with outcome `denied`, in place of the request's own record.
    ///
    /// The viewer shows the destinations of this trail, takes its clock, and its streams end when
    /// the shutdown of the trail begins.
    ///
    /// `authorise` says what each request may read: see [`Viewer::builder`].
    pub fn viewer<F, Fut>(&self, store: Store, authorise: F) -> ViewerBuilder
    where
        F: Fn(Arc<RequestParts>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Access> + Send + 'static,
    {
        let recorder = self.parts().recorder.clone();
        let (audit, reading) = (self.clone(), recorder.clone());
        let builder = Viewer::builder(store, authorise)
            .clock(TrailClock(recorder))
            .pen(move |parts| pen(&reading, parts))
            .destinations(move || {
                let sinks = audit.sinks().list();
                sinks.into_iter().map(destination).collect()
            });
        self.parts().viewers.add(builder.closing());
        builder
    }
}

impl Audit {
    /// Writes down that records were read by other means than a viewer, as by a command: `audit.read`.
    ///
    /// `page` says by what means, `query` what was asked for, `records` how many were shown, when that is known, and
    /// `outcome` how it ended. False when the trail does not take records.
    #[must_use = "whether it is in the trail"]
    pub fn record_read(
        &self,
        reader: Actor,
        page: &str,
        query: &Query,
        records: Option<u64>,
        outcome: Outcome,
    ) -> bool {
        let record = read_elsewhere(reader, page, query, records).outcome(outcome);
        self.parts().recorder.own(record).is_some()
    }

    /// Writes down an [`Export`](crate::export::Export) that was made by other means than a viewer: `audit.export`.
    ///
    /// It holds what the manifest says then; one that did not end in success is not complete. False when the trail
    /// does not take records.
    #[must_use = "whether it is in the trail"]
    pub fn record_export(&self, reader: Actor, manifest: &Manifest, outcome: Outcome) -> bool {
        let record = exported_elsewhere(reader, manifest, outcome);
        self.parts().recorder.own(record).is_some()
    }
}

fn pen(recorder: &Recorder, parts: &RequestParts) -> Pen {
    let beside = Beside::of(recorder, parts);
    Pen {
        client: beside.client(),
        write: Arc::new(move |record| beside.own(record)),
    }
}

fn destination(sink: SinkStats) -> Destination {
    let state = match sink.state {
        SinkState::Ok => DestinationState::Ok,
        SinkState::Retrying => DestinationState::Retrying,
        SinkState::Blocked => DestinationState::Blocked,
        SinkState::Paused => DestinationState::Paused,
        SinkState::Stopped => DestinationState::Stopped,
    };
    let mut shown = Destination::new(sink.name, sink.kind)
        .address(sink.address)
        .state(state)
        .delivered(sink.delivered)
        .pending(sink.pending)
        .dead(sink.dead)
        .missed(sink.missed);
    shown.lag = sink.lag;
    shown.last_attempt = sink.last_attempt;
    shown.last_success = sink.last_success;
    shown.last_error = sink.last_error;
    shown.last_refusal = sink.last_refusal;
    shown.concerns = sink.concerns;
    shown
}
