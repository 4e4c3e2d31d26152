//! Records, batches and calls, as a follower makes them.

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use uuid::Uuid;

use super::{Destination, Stored};
use crate::{
    clock::{RecordId, Timestamp},
    evidence::leaf_hash,
    record::Origin,
    sink::{Batch, Delivery, Sink, SinkError},
};

/// What went wrong, for a person.
pub(super) type Checked<T = ()> = Result<T, String>;

/// Longer than any single call should take.
const PATIENCE: Duration = Duration::from_secs(60);

/// 2026-11-20T13:34:01Z: when the first record of every trail began.
const START: i64 = 1_795_181_641_000_000;

/// Trail number `which`.
pub(super) fn origin(which: u8) -> Origin {
    let trail = Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 | u128::from(which));
    Origin::new(trail, "docs", Some("web-1".to_owned()))
}

/// A record of the published format, with `details` as they stand there.
pub(super) fn record(origin: &Origin, number: u64, details: &str) -> Delivery {
    let [.., which] = *origin.trail.as_bytes();
    let offset = i64::try_from(number).unwrap_or(0) + i64::from(which) * 1_000_000_000;
    let timestamp = Timestamp::from_micros(START + offset);
    let id = RecordId::lowest_at(timestamp);
    let json = format!(
        r#"{{"id":"{id}","timestamp":"{timestamp}","schema":"1.0","service":{{"name":"docs"}},"action":"document.create","category":"document","outcome":"success","actor":{{"type":"user","id":"146"}},"details":{details}}}"#
    );
    Delivery::new(number, leaf_hash(json.as_bytes()), json)
}

/// A batch of these records, up to `next`.
pub(super) fn batch(origin: &Origin, records: Vec<Delivery>, next: u64) -> Batch {
    let received = Timestamp::from_micros(START + 3_600_000_000);
    Batch::new(origin.clone(), received, records, next)
}

/// A batch of small records with these numbers.
pub(super) fn plain(origin: &Origin, numbers: std::ops::Range<u64>) -> Batch {
    let next = numbers.end;
    let records = numbers.map(|number| record(origin, number, "{}")).collect();
    batch(origin, records, next)
}

/// A destination, the sink that is open on it, and what should be there.
pub(super) struct Session<'a> {
    destination: &'a Destination,
    pub(super) sink: Box<dyn Sink>,
    expected: BTreeMap<(Uuid, u64), Box<str>>,
}

impl<'a> Session<'a> {
    pub(super) async fn open(destination: &'a Destination) -> Self {
        Self {
            destination,
            sink: (destination.open)().await,
            expected: BTreeMap::new(),
        }
    }

    /// Drops the sink and opens another.
    pub(super) async fn reopen(self) -> Self {
        drop(self.sink);
        Self {
            destination: self.destination,
            sink: (self.destination.open)().await,
            expected: self.expected,
        }
    }

    /// Delivers a batch that must be taken.
    pub(super) async fn deliver(&mut self, batch: &Batch) -> Checked {
        self.expect(batch);
        let what = format!("a batch of {} records", batch.records.len());
        answered(&what, self.sink.deliver(batch)).await
    }

    /// Begins to deliver a batch and drops the call at its poll number `polls`; whether it had
    /// answered before.
    pub(super) async fn deliver_and_cancel(
        &mut self,
        batch: &Batch,
        polls: usize,
    ) -> Checked<bool> {
        self.expect(batch);
        let mut call = pin!(self.sink.deliver(batch));
        let mut polled = 0;
        let answer = poll_fn(|context| {
            polled += 1;
            match call.as_mut().poll(context) {
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
                Poll::Pending if polled >= polls => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        match answer {
            None => Ok(false),
            Some(Ok(())) => Ok(true),
            Some(Err(error)) => Err(format!("a small batch was not taken: {error}")),
        }
    }

    /// After an unknown outcome: sends again what the sink does not say it has.
    pub(super) async fn deliver_again(&mut self, batch: &Batch) -> Checked {
        let first = batch.records.first().map_or(0, |record| record.number);
        match self.position(&batch.origin).await? {
            Some(position) if position > first => {
                if holds(position, batch) {
                    return Ok(());
                }
                Err(format!(
                    "its position {position} lies within the batch {first}..{}: all of a batch or \
                     none must be stored",
                    batch.next
                ))
            }
            _ => self.deliver(batch).await,
        }
    }

    pub(super) async fn position(&mut self, origin: &Origin) -> Checked<Option<u64>> {
        answered("the question for its position", self.sink.position(origin)).await
    }

    /// Whether the sink keeps its position; wrong ones are found here.
    pub(super) async fn keeps_position(&mut self, last: &Batch) -> Checked<bool> {
        match self.position(&last.origin).await? {
            None => Ok(false),
            Some(position) if holds(position, last) => Ok(true),
            Some(position) => Err(format!(
                "after a batch that ends before number {} its position is {position}",
                last.next
            )),
        }
    }

    pub(super) async fn close(&mut self) -> Checked {
        answered("being closed", self.sink.close()).await
    }

    fn expect(&mut self, batch: &Batch) {
        let trail = batch.origin.trail;
        let records = batch.records.iter();
        self.expected
            .extend(records.map(|record| ((trail, record.number), record.json.clone())));
    }

    /// Everything that is stored, each record whole and in order.
    ///
    /// `doubles` says whether a record may be there more than once.
    pub(super) async fn verify(&self, doubles: Doubles) -> Checked {
        let stored = (self.destination.read_back)().await;
        let mut seen = BTreeMap::<(Uuid, u64), usize>::new();
        let mut last = BTreeMap::<Uuid, u64>::new();
        for Stored {
            trail,
            number,
            json,
        } in stored
        {
            let Some(expected) = self.expected.get(&(trail, number)) else {
                return Err(format!(
                    "number {number} of trail {trail} is there and was never sent"
                ));
            };
            if **expected != *json {
                return Err(difference(number, expected, &json));
            }
            let times = seen.entry((trail, number)).or_default();
            *times += 1;
            if *times > 1 && doubles == Doubles::Forbidden {
                return Err(format!("number {number} is there {times} times"));
            }
            let before = last.insert(trail, number);
            if *times == 1 && before.is_some_and(|before| before > number) {
                return Err(format!("number {number} arrived after {before:?}"));
            }
        }
        match self.expected.keys().find(|key| !seen.contains_key(*key)) {
            Some((trail, number)) => Err(format!(
                "number {number} of trail {trail} was sent and is not there"
            )),
            None => Ok(()),
        }
    }
}

/// Whether a record may be there more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubles {
    /// After an unclear answer, where the sink keeps no position.
    Allowed,
    /// Otherwise.
    Forbidden,
}

/// Whether a position says that this batch is stored: after its last record, or after the gap that
/// follows it.
fn holds(position: u64, batch: &Batch) -> bool {
    let last = batch.records.last().map_or(0, |record| record.number);
    position > last && position <= batch.next
}

async fn answered<T>(what: &str, call: impl Future<Output = Result<T, SinkError>>) -> Checked<T> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(format!("it answered {what} with: {error}")),
        Err(_) => Err(format!("it did not answer {what} within {PATIENCE:?}")),
    }
}

fn difference(number: u64, expected: &str, found: &str) -> String {
    let pairs = expected.bytes().zip(found.bytes());
    let same = pairs.take_while(|(one, other)| one == other).count();
    let around = |text: &str| -> String {
        let start = text.floor_char_boundary(same.saturating_sub(20));
        text.get(start..).unwrap_or("").chars().take(60).collect()
    };
    format!(
        "number {number} differs from byte {same} on: sent {:?} ({} bytes), found {:?} ({} bytes)",
        around(expected),
        expected.len(),
        around(found),
        found.len()
    )
}
