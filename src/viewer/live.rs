//! Live views: a stream of events for each.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use http::{HeaderMap, HeaderName, Method};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    access::Reader,
    answer::Answer,
    body::{BodyError, Outlet, ViewerBody},
    failure::Failure,
    hub::{News, POLL},
    lease::{End, Lease, Word},
    lens::Lens,
    model::{Entry, Search},
    reads::{Read, actor_key, reader_key},
    search::Asked,
    service::Asking,
    shared::Shared,
};
use crate::store::{Arrivals, StoreError};

/// How often a stream says something, so that nobody on the way takes it for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The most records that are read at once for one stream.
const BATCH: usize = 100;

/// What the browser is told when it connects: to come back after 3 seconds when it breaks.
const HELLO: &str = "retry: 3000\n\n";

/// One live view.
struct Stream {
    shared: Arc<Shared>,
    lens: Lens,
    search: Search,
    lease: Arc<Lease>,
    word: watch::Receiver<Word>,
    news: watch::Receiver<News>,
    outlet: Outlet,
    /// What was sent, or passed over, so far.
    after: u64,
    heartbeat: Instant,
    /// The client was told that the store does not answer.
    was_failing: bool,
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
    let key = reader_key(reader);
    let (seat, news) = shared.live.join(&key, newest)?;
    let mut read = Read::of("live");
    read.filter = search.filter();
    read.behind = since.map(|since| ("since", since));
    shared.reads.note(&asking.pen, reader, &read);
    let who = (reader.clone(), read);
    let lease = Lease::begin(shared, asking.parts, asking.pen.clone(), who, seat);
    let shared = Arc::clone(shared);
    let body = ViewerBody::pieces(move |outlet| {
        let stream = Stream {
            shared,
            lens,
            search,
            word: lease.word(),
            lease,
            news,
            outlet,
            after: since.unwrap_or(newest),
            heartbeat: Instant::now() + HEARTBEAT,
            was_failing: false,
        };
        stream.run()
    });
    Ok(answer(body))
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
    async fn run(mut self) -> Result<(), BodyError> {
        self.send(HELLO).await;
        let end = loop {
            if let Err(end) = self.step().await {
                break end;
            }
        };
        match end {
            End::Denied => self.send("event: denied\ndata:\n\n").await,
            End::Closed => self.send("event: closed\ndata:\n\n").await,
            // A browser that reads again comes back by itself, and says where it was.
            End::Stalled | End::Left => {}
        }
        Ok(())
    }

    /// Sends what there is, and waits for more.
    async fn step(&mut self) -> Result<(), End> {
        let news = *self.news.borrow_and_update();
        if news.failing {
            self.tell(true).await;
        } else {
            self.catch_up(news.arrival).await?;
        }
        self.beat().await;
        let mut until = self.heartbeat;
        if self.was_failing {
            // What failed here is tried again with the next round of the poller.
            until = until.min(Instant::now() + POLL);
        }
        self.wait(until).await;
        Ok(())
    }

    /// Who reads, by a word that is still good; what the client did not take for a while must not be
    /// followed by more on an old one.
    async fn reader(&mut self) -> Result<Arc<Reader>, End> {
        loop {
            match &*self.word.borrow_and_update() {
                Word::Over(end) => return Err(*end),
                Word::Good(reader, until) if Instant::now() < *until => {
                    return Ok(Arc::clone(reader));
                }
                Word::Good(..) => {}
            }
            // The sender is in the lease that is held here.
            let _ = self.word.changed().await;
        }
    }

    /// Gives something to the client, and waits until it took it.
    async fn send(&self, event: impl Into<bytes::Bytes>) {
        self.lease.gives(true);
        self.outlet.send(event).await;
        self.lease.gives(false);
    }

    /// Says that it is there, when it is time: also between two looks at a store in which much does not
    /// match. The id says how far it has come, so that a browser that comes back goes on from there.
    async fn beat(&mut self) {
        if Instant::now() >= self.heartbeat {
            self.send(format!(": \nid: {}\n\n", self.after)).await;
            self.heartbeat = Instant::now() + HEARTBEAT;
        }
    }

    /// Says that the store went away, or came back.
    async fn tell(&mut self, failing: bool) {
        if failing != self.was_failing {
            let event = if failing { "unavailable" } else { "available" };
            self.send(format!("event: {event}\ndata:\n\n")).await;
            self.was_failing = failing;
        }
    }

    /// Waits for news, for another word, or until then.
    async fn wait(&mut self, until: Instant) {
        let mut word = pin!(self.word.changed());
        let mut news = pin!(self.news.changed());
        let mut time = pin!(sleep_until(until));
        poll_fn(|cx| {
            // The poller outlives its streams, and the lease its own, so that an error is none.
            let is_woken = word.as_mut().poll(cx).is_ready()
                || news.as_mut().poll(cx).is_ready()
                || time.as_mut().poll(cx).is_ready();
            if is_woken {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Sends what arrived until then, stretch by stretch.
    async fn catch_up(&mut self, upto: u64) -> Result<(), End> {
        loop {
            let reader = self.reader().await?;
            // Behind it, too: the poller may know less than this stream, or the store has gone back.
            if self.after == upto {
                self.tell(false).await;
                return Ok(());
            }
            match self.follow(&reader).await {
                Ok(arrivals) => {
                    self.tell(false).await;
                    if arrivals.next <= self.after {
                        return Ok(());
                    }
                    self.show(arrivals, &reader).await?;
                }
                Err(StoreError::Ahead { last, .. }) => {
                    self.send(reset(last)).await;
                    self.after = last;
                }
                Err(error) => {
                    // Logged there.
                    let _ = Failure::from(error);
                    self.tell(true).await;
                    return Ok(());
                }
            }
            self.beat().await;
        }
    }

    async fn follow(&self, reader: &Reader) -> Result<Arrivals, StoreError> {
        let query = self.search.query.clone().limit(BATCH);
        let query = query.within(reader.reach.clone());
        let _turn = self.shared.questions.turn(&reader_key(reader)).await;
        self.shared.store.follow(&query, self.after).await
    }

    /// Sends what was found for this reader.
    async fn show(&mut self, arrivals: Arrivals, asked: &Reader) -> Result<(), End> {
        for stored in arrivals.records {
            // A slow client may take a batch for longer than a word is good; when the next one gives
            // another reach, the rest is asked for again.
            let reader = self.reader().await?;
            if reader.reach != asked.reach {
                return Ok(());
            }
            let arrival = stored.arrival;
            let entry = Entry::new(stored);
            if !is_own_read(&reader, &entry) {
                let row = self.lens.row(&self.shared, &reader, &entry);
                self.lease.shows(1);
                self.send(event(arrival, &row)).await;
            }
            self.after = arrival;
        }
        self.after = arrivals.next;
        Ok(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.lease.end(End::Left);
    }
}

/// What one's own reading left: fed back, a live view would never be still.
fn is_own_read(reader: &Reader, entry: &Entry) -> bool {
    let Some(record) = &entry.record else {
        return false;
    };
    let is_read = matches!(record.action.as_str(), "audit.read" | "audit.export");
    let own = actor_key(&reader.actor);
    let actor = record.actor.as_ref();
    is_read && actor.is_some_and(|actor| actor_key(actor) == own)
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
