//! What a sink is asked besides batches: whether it would take any, and tests that people ask for.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    time::{Duration, Instant},
};

use super::{
    call::Failure,
    event::neutral,
    follower::Follower,
    name::SinkName,
    stats::Ledger,
    supervisor::{Supervisor, Worker},
    worker::CLOSE_GRACE,
};
use crate::{
    clock::{RecordId, Timestamp},
    evidence::leaf_hash,
    record::{Origin, Record, Service},
    sink::{Batch, Delivery},
    stats::SinkState,
};

/// How many tests of one sink may wait; more would only fill a destination with test events.
const MAX_ASKS: usize = 8;

/// How often a sink is asked what somebody should see to.
pub(crate) const CONCERNS_EVERY: Duration = Duration::from_secs(60);

/// How many such things of one sink are told.
const MAX_CONCERNS: usize = 8;

/// Whether a sink has shown that it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probing {
    /// It is to be asked.
    Due,
    /// It said no. What waits is offered all the same: a destination may take batches and no
    /// questions. When nothing waits, it is asked again.
    Failed,
    /// It said yes, or took a batch.
    Answered,
}

/// What one sink answered last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The sink's name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// The destination without secrets.
    pub address: String,
    /// Why it takes nothing; `None` when it does.
    pub problem: Option<String>,
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tested {
    /// The sink took the event.
    Taken,
    /// It did not, or did not answer in time.
    Failed(String),
    /// Delivery to it has ended, so that nobody asked.
    Ended,
}

/// Tests that wait until the follower is between two calls; a clone is the same queue.
#[derive(Debug, Clone)]
pub(crate) struct Asks(Arc<Mutex<Option<Vec<Ask>>>>);

/// One test event, and who waits for what becomes of it.
#[derive(Debug)]
pub(crate) struct Ask {
    batch: Batch,
    reply: mpsc::SyncSender<Tested>,
}

impl Default for Asks {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Some(Vec::new()))))
    }
}

impl Asks {
    /// Puts a test at the end; says why when that cannot be.
    fn push(&self, ask: Ask) -> Result<(), Tested> {
        match &mut *self.lock() {
            None => Err(Tested::Ended),
            Some(asks) if asks.len() >= MAX_ASKS => Err(Tested::Failed(format!(
                "{MAX_ASKS} tests of this sink wait already"
            ))),
            Some(asks) => {
                asks.push(ask);
                Ok(())
            }
        }
    }

    fn next(&self) -> Option<Ask> {
        let mut asks = self.lock();
        let asks = asks.as_mut().filter(|asks| !asks.is_empty())?;
        Some(asks.remove(0))
    }

    /// Turns away who waits, and who comes.
    pub(crate) fn close(&self) {
        let waiting = self.lock().take();
        for ask in waiting.into_iter().flatten() {
            let _ = ask.reply.try_send(Tested::Ended);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Ask>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The batch of one event that says it is a test. It belongs to a trail that nothing else is in,
/// named as the event, so that no position of a real one moves.
pub(crate) fn test_batch(service: &Service, id: RecordId, at: Timestamp) -> Batch {
    let instance = service.instance.as_ref().map(ToString::to_string);
    let origin = Origin::new(id.as_uuid(), service.name.to_string(), instance);
    let record = Record::system("audit.sink_test").success().detail(
        "note",
        "somebody tests this sink; this event is in no trail",
    );
    let json = record.finish(id, at, service).json;
    let delivery = Delivery::new(0, leaf_hash(json.as_bytes()), json);
    Batch::new(origin, at, vec![delivery], 1)
}

impl Follower {
    /// Asks the sink whether it would take batches; `false` when it did not say so.
    pub(crate) async fn probe(&mut self) -> bool {
        // First, so that what waits is known however long the answer takes.
        for index in 0..self.feeds.len() {
            // What cannot be read is told there, and tried again when its turn comes.
            let _ = self.load(index);
        }
        self.look_at_oldest();
        match self.call(|sink| sink.probe()).await {
            Ok(()) => {
                self.probing = Probing::Answered;
                let address = self.ledger.snapshot().address;
                tracing::info!(target: "tower_audit", sink = self.name, address, "the sink answers");
                true
            }
            Err(failure) => {
                self.probing = Probing::Failed;
                self.failed(failure);
                false
            }
        }
    }

    /// Asks the sink what somebody should see to, once it has answered at all.
    pub(crate) async fn look_for_concerns(&mut self) {
        self.concerns_at = tokio::time::Instant::now() + CONCERNS_EVERY;
        match self.call(|sink| sink.concerns()).await {
            Ok(concerns) => {
                let concerns = concerns.iter().take(MAX_CONCERNS);
                self.ledger
                    .concerns(concerns.map(|concern| neutral(concern)).collect());
            }
            Err(Failure::Panicked(message)) => self.panicked(message),
            // Whether records are taken, the next batch tells; what was known stays.
            Err(_) => {}
        }
    }

    /// Makes a test that somebody asked for; `false` when nobody did.
    pub(crate) async fn answer_ask(&mut self) -> bool {
        let Some(Ask { batch, reply }) = self.asks.next() else {
            return false;
        };
        let answer = self.call(|sink| sink.test(&batch)).await;
        let tested = match answer {
            Ok(()) => {
                // What was wrong is repaired: there is no reason to wait any longer.
                self.trouble.hurry();
                Tested::Taken
            }
            Err(Failure::Stopped) => Tested::Ended,
            Err(failure) => {
                let reason = failure.reason();
                if let Failure::Panicked(message) = failure {
                    self.panicked(message);
                }
                Tested::Failed(reason)
            }
        };
        // Who asked may have gone.
        let _ = reply.try_send(tested);
        true
    }
}

/// Whether a sink has answered to what there is: to a batch, or to a question while nothing waits.
fn has_answered(ledger: &Ledger) -> bool {
    let stats = ledger.snapshot();
    let stands = matches!(stats.state, SinkState::Stopped | SinkState::Paused);
    match ledger.answer() {
        None => stats.state == SinkState::Stopped,
        Some(Err(_)) => true,
        Some(Ok(())) => stands || stats.pending == 0 || stats.last_success.is_some(),
    }
}

impl Supervisor {
    /// Blocks until every sink has answered once, at most `timeout`, and says what: to a batch, if
    /// any waits, since a destination may answer questions and refuse what is sent.
    pub(crate) fn answers(&self, timeout: Duration) -> Vec<Answer> {
        let deadline = Instant::now() + timeout;
        let workers = self.workers();
        let answer = |worker: &Worker| {
            let ledger = &worker.ledger;
            ledger.wait(deadline, has_answered);
            let stats = ledger.snapshot();
            let problem = match ledger.answer() {
                Some(answer) => answer.err(),
                None if stats.state == SinkState::Stopped => Some("delivery has ended".to_owned()),
                None => Some(format!("no answer within {timeout:?}")),
            };
            Answer {
                name: stats.name,
                kind: stats.kind,
                address: stats.address,
                problem,
            }
        };
        workers.iter().map(answer).collect()
    }

    /// Has a sink tested between two calls, also a paused one, and blocks until it has answered;
    /// `None` when there is none so named.
    pub(crate) fn test(&self, name: &SinkName, batch: Batch) -> Option<Tested> {
        let workers = self.workers();
        let worker = workers.into_iter().find(|worker| worker.name == *name)?;
        let (reply, answer) = mpsc::sync_channel(1);
        if let Err(refused) = worker.ledger.asks().push(Ask { batch, reply }) {
            return Some(refused);
        }
        worker
            .control
            .send_modify(|control| control.asked = control.asked.wrapping_add(1));
        // The call under way, the tests that wait already, and this one.
        let calls = u32::try_from(MAX_ASKS)
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        let limit = worker.call_timeout.saturating_mul(calls) + CLOSE_GRACE;
        let answer = answer.recv_timeout(limit);
        Some(answer.unwrap_or_else(|_| {
            Tested::Failed("the sink blocks its thread and does not come to it".to_owned())
        }))
    }
}
