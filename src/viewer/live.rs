//! Live views: one poller for all of them, and a stream of events for each.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use http::{HeaderMap, HeaderName, Method};
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, sleep, sleep_until},
};

use super::{
    access::{self, AUTHORISE, Reader},
    answer::Answer,
    body::{BodyError, Outlet, ViewerBody},
    closing::Closing,
    failure::Failure,
    lens::Lens,
    model::{Entry, Search},
    reads::{Read, actor_key},
    search::Asked,
    service::Asking,
    shared::Shared,
};
use crate::store::{Store, StoreError};

/// How often the store is asked whether something arrived.
const POLL: Duration = Duration::from_secs(1);

/// How often a stream says something, so that nobody on the way takes it for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The most records that are read at once for one stream.
const BATCH: usize = 100;

/// What the browser is told when it connects: to come back after 3 seconds when it breaks.
const HELLO: &str = "retry: 3000\n\n";

/// What the poller found last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct News {
    arrival: u64,
    /// The store does not answer.
    failing: bool,
}

/// The streams of a viewer, and what they share.
#[derive(Debug)]
pub(super) struct Hub {
    store: Store,
    max_streams: usize,
    closing: Closing,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    streams: usize,
    poller: Option<Poller>,
}

/// The task that asks the store. It runs as long as there is a stream.
#[derive(Debug)]
struct Poller {
    news: watch::Sender<News>,
    task: AbortHandle,
}

/// A stream's place among those that there may be.
#[derive(Debug)]
struct Seat {
    hub: Arc<Hub>,
    news: watch::Receiver<News>,
}

impl Hub {
    pub(super) fn new(store: Store, max_streams: usize, closing: Closing) -> Arc<Self> {
        Arc::new(Self {
            store,
            max_streams,
            closing,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a stream that knows of everything up to `arrival`.
    fn join(self: &Arc<Self>, arrival: u64) -> Result<Seat, Failure> {
        if self.closing.is_closed() {
            return Err(Failure::Store);
        }
        let mut state = self.state();
        if state.streams >= self.max_streams {
            return Err(Failure::TooMany);
        }
        state.streams += 1;
        let poller = state.poller.get_or_insert_with(|| {
            let news = watch::Sender::new(News {
                arrival,
                failing: false,
            });
            let task = tokio::spawn(poll(self.store.clone(), news.clone())).abort_handle();
            Poller { news, task }
        });
        Ok(Seat {
            news: poller.news.subscribe(),
            hub: Arc::clone(self),
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.hub.state();
        state.streams = state.streams.saturating_sub(1);
        if state.streams == 0
            && let Some(poller) = state.poller.take()
        {
            poller.task.abort();
        }
    }
}

async fn poll(store: Store, news: watch::Sender<News>) {
    loop {
        sleep(POLL).await;
        let found = match store.last_arrival().await {
            Ok(arrival) => News {
                arrival,
                failing: false,
            },
            Err(error) => {
                let before = *news.borrow();
                if !before.failing {
                    // Logged there, once for each time that it goes away.
                    let _ = Failure::from(error);
                }
                News {
                    failing: true,
                    ..before
                }
            }
        };
        news.send_if_modified(|known| std::mem::replace(known, found) != found);
    }
}

/// Why a stream woke up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wake {
    News,
    Time,
    Closed,
}

/// One live view.
struct Stream {
    shared: Arc<Shared>,
    parts: Arc<http::request::Parts>,
    lens: Lens,
    reader: Reader,
    search: Search,
    seat: Seat,
    /// What was sent, or passed over, so far.
    after: u64,
}

/// Answers with a live view.
pub(super) async fn stream(
    asking: &Asking<'_>,
    reader: &Reader,
    mut asked: Asked,
) -> Result<Answer, Failure> {
    let shared = asking.shared;
    let lens = Lens::take(asking, &mut asked)?;
    let since = asked.number("since", (0, u64::MAX))?;
    asked.switch("live")?;
    let search = asked.search(shared.clock.now(), Some(lens.zone()))?;
    let since = last_event(&asking.parts.headers)?.or(since);
    let newest = shared.store.last_arrival().await?;
    let answer = |body| {
        let answer = Answer::new("text/event-stream", body);
        // Proxies that gather an answer before they pass it on would gather this one for ever.
        answer.header(HeaderName::from_static("x-accel-buffering"), "no")
    };
    if asking.parts.method == Method::HEAD {
        return Ok(answer(ViewerBody::empty()));
    }
    let seat = shared.live.join(newest)?;
    let mut read = Read::of("live");
    read.filter = search.filter();
    shared.reads.note(&asking.pen, reader, &read);
    let stream = Stream {
        shared: Arc::clone(shared),
        parts: Arc::clone(asking.parts),
        lens,
        reader: reader.clone(),
        search,
        seat,
        after: since.unwrap_or(newest),
    };
    Ok(answer(ViewerBody::pieces(move |outlet| stream.run(outlet))))
}

/// Where a browser that comes back has been.
fn last_event(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or("?");
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |_| Failure::parameter("Last-Event-ID", "write the id of the last event, a number");
    text.parse().map(Some).map_err(wrong)
}

impl Stream {
    async fn run(mut self, outlet: Outlet) -> Result<(), BodyError> {
        outlet.send(HELLO).await;
        let mut heartbeat = Instant::now() + HEARTBEAT;
        let mut authorise = Instant::now() + AUTHORISE;
        let mut was_failing = false;
        loop {
            // First: what the client did not take for a while must not be sent on an old word.
            if Instant::now() >= authorise {
                if !self.is_still_allowed().await {
                    outlet.send("event: denied\ndata:\n\n").await;
                    return Ok(());
                }
                authorise = Instant::now() + AUTHORISE;
            }
            let news = *self.seat.news.borrow_and_update();
            let failing = news.failing || !self.catch_up(news.arrival, authorise, &outlet).await;
            if failing != was_failing {
                let event = if failing { "unavailable" } else { "available" };
                outlet.send(format!("event: {event}\ndata:\n\n")).await;
                was_failing = failing;
            }
            if Instant::now() >= heartbeat {
                outlet.send(": \n\n").await;
                heartbeat = Instant::now() + HEARTBEAT;
            }
            // What failed here is tried again with the next round of the poller.
            let retry = if failing {
                Some(Instant::now() + POLL)
            } else {
                None
            };
            let until = heartbeat.min(authorise);
            let until = retry.map_or(until, |retry| until.min(retry));
            if self.wait(until).await == Wake::Closed {
                outlet.send("event: closed\ndata:\n\n").await;
                return Ok(());
            }
        }
    }

    /// Waits for news, for the end, or until then.
    async fn wait(&mut self, until: Instant) -> Wake {
        let mut closed = pin!(self.shared.closing.closed());
        let mut news = pin!(self.seat.news.changed());
        let mut time = pin!(sleep_until(until));
        poll_fn(|cx| {
            if closed.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Wake::Closed);
            }
            // The poller outlives its streams, so that an error is none.
            if news.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Wake::News);
            }
            time.as_mut().poll(cx).map(|()| Wake::Time)
        })
        .await
    }

    /// Sends what arrived until then. False when the store does not answer.
    async fn catch_up(&mut self, upto: u64, authorise: Instant, outlet: &Outlet) -> bool {
        // Behind it, too: the poller may know less than this stream, or the store has gone back.
        while self.after != upto && Instant::now() < authorise {
            if self.shared.closing.is_closed() {
                return true;
            }
            let query = self.search.query.clone().limit(BATCH);
            let query = query.within(self.reader.reach.clone());
            let arrivals = match self.shared.store.follow(&query, self.after).await {
                Ok(arrivals) => arrivals,
                Err(StoreError::Ahead { last, .. }) => {
                    outlet.send(reset(last)).await;
                    self.after = last;
                    continue;
                }
                Err(error) => {
                    let _ = Failure::from(error);
                    return false;
                }
            };
            if arrivals.next <= self.after {
                return true;
            }
            for stored in arrivals.records {
                // A slow client may take a batch for longer than a word of the authoriser is good.
                if Instant::now() >= authorise {
                    return true;
                }
                let arrival = stored.arrival;
                let entry = Entry::new(stored);
                if !self.is_own_read(&entry) {
                    let row = self.lens.row(&self.shared, &self.reader, &entry);
                    outlet.send(event(arrival, &row)).await;
                }
                self.after = arrival;
            }
            self.after = arrivals.next;
        }
        true
    }

    /// What one's own reading left: fed back, a live view would never be still.
    fn is_own_read(&self, entry: &Entry) -> bool {
        let Some(record) = &entry.record else {
            return false;
        };
        let is_read = matches!(record.action.as_str(), "audit.read" | "audit.export");
        let own = actor_key(&self.reader.actor);
        is_read
            && record
                .actor
                .as_ref()
                .is_some_and(|actor| actor_key(actor) == own)
    }

    async fn is_still_allowed(&mut self) -> bool {
        match access::decide(&self.shared.authorise, &self.parts).await {
            Ok(Some(reader)) => {
                self.reader = reader;
                true
            }
            Ok(None) | Err(access::Undecided) => false,
        }
    }
}

/// The store has gone back, as after a restore: a browser that comes back goes on from there.
fn reset(last: u64) -> String {
    format!("event: reset\nid: {last}\ndata:\n\n")
}

/// An event with a row. A line break within it would begin another field.
fn event(arrival: u64, row: &str) -> String {
    let mut event = format!("event: record\nid: {arrival}\n");
    for line in row.split(['\n', '\r']) {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_cannot_begin_another_field() {
        let row = "<tr>\r\ndata: x\nid: 7</tr>";
        let expected =
            "event: record\nid: 3\ndata: <tr>\ndata: \ndata: data: x\ndata: id: 7</tr>\n\n";
        assert_eq!(event(3, row), expected);
    }

    #[test]
    fn where_a_browser_was_is_a_number() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("last-event-id", value.parse().unwrap());
            last_event(&headers)
        };
        assert_eq!(with("12"), Ok(Some(12)));
        assert_eq!(with(""), Ok(None));
        assert_eq!(last_event(&HeaderMap::new()), Ok(None));
        assert!(matches!(with("-1"), Err(Failure::Parameter { .. })));
    }
}
