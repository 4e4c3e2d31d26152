//! A live view's right to go on: its place, and the authoriser's word, which is good for a minute.
//!
//! Nobody polls the body of a client that reads nothing. So a task of its own asks the authoriser, ends
//! what is not read, and gives the place to others.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use http::request::Parts;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use super::{
    access::{self, AUTHORISE, Reader},
    closing::AtEnd,
    hub::Seat,
    reads::{Pen, Read},
    shared::Shared,
};

/// How long an event may lie before the client takes it.
pub(super) const STALL: Duration = Duration::from_secs(120);

/// Why a live view ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The authoriser says no, or nothing.
    Denied,
    /// The viewer was closed.
    Closed,
    /// The client read nothing for too long.
    Stalled,
    /// The client has left.
    Left,
}

/// What may be shown.
#[derive(Debug, Clone)]
pub(super) enum Word {
    /// To this reader, until then.
    Good(Arc<Reader>, Instant),
    Over(End),
}

/// What the client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    /// It took everything there was.
    Waits,
    /// Something lies there for it.
    Takes,
}

pub(super) struct Lease {
    shared: Arc<Shared>,
    pen: Pen,
    /// What is recorded of it.
    read: Read,
    seat: Mutex<Option<Seat>>,
    word: watch::Sender<Word>,
    client: watch::Sender<Client>,
    /// Records that were shown since it was last noted.
    shown: AtomicUsize,
    reader: Mutex<Reader>,
}

impl Lease {
    /// Begins with the word that was just given.
    pub(super) fn begin(
        shared: &Arc<Shared>,
        parts: &Arc<Parts>,
        pen: Pen,
        (reader, read): (Reader, Read),
        seat: Seat,
    ) -> Arc<Self> {
        let until = Instant::now() + AUTHORISE;
        let lease = Arc::new(Self {
            shared: Arc::clone(shared),
            pen,
            read,
            seat: Mutex::new(Some(seat)),
            word: watch::Sender::new(Word::Good(Arc::new(reader.clone()), until)),
            client: watch::Sender::new(Client::Takes),
            shown: AtomicUsize::new(0),
            reader: Mutex::new(reader),
        });
        shared.closing.at_end(&lease);
        tokio::spawn(watch(Arc::clone(&lease), Arc::clone(parts)));
        lease
    }

    pub(super) fn word(&self) -> watch::Receiver<Word> {
        self.word.subscribe()
    }

    /// Something lies there for the client, or was taken.
    pub(super) fn gives(&self, something: bool) {
        let client = if something {
            Client::Takes
        } else {
            Client::Waits
        };
        self.client.send_replace(client);
    }

    pub(super) fn shows(&self, records: usize) {
        self.shown.fetch_add(records, Ordering::Relaxed);
    }

    /// Ends it, unless it has ended.
    pub(super) fn end(&self, end: End) {
        let seat = self.seat().take();
        if seat.is_some() {
            self.word.send_replace(Word::Over(end));
            self.note();
        }
    }

    fn seat(&self) -> std::sync::MutexGuard<'_, Option<Seat>> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what was shown since.
    fn note(&self) {
        let shown = self.shown.swap(0, Ordering::Relaxed);
        if shown == 0 {
            return;
        }
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = reader.clone();
        let read = Read {
            records: Some(shown),
            ..self.read.clone()
        };
        self.shared.reads.note(&self.pen, &reader, &read);
    }

    /// Asks the authoriser again. One that does not answer has not said yes.
    async fn authorise(&self, parts: &Arc<Parts>) {
        // What was shown until now was shown to the reader of until now.
        self.note();
        let asked = Instant::now();
        let deciding = access::decide(&self.shared.authorise, parts);
        match timeout(AUTHORISE, deciding).await {
            Ok(Ok(Some(reader))) => {
                let mut own = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
                own.clone_from(&reader);
                drop(own);
                let word = Word::Good(Arc::new(reader), asked + AUTHORISE);
                self.word.send_if_modified(|now| {
                    let is_good = matches!(now, Word::Good(..));
                    if is_good {
                        *now = word;
                    }
                    is_good
                });
            }
            _ => self.end(End::Denied),
        }
    }
}

impl AtEnd for Lease {
    fn end(&self) {
        self.end(End::Closed);
    }
}

/// Why the watch woke up.
enum Woken {
    /// There is another word.
    Word,
    /// The client took something, or something lies there for it.
    Client,
    Authorise,
    Stalled,
}

/// Asks the authoriser every minute, whether the client reads or not, and ends what stalls.
async fn watch(lease: Arc<Lease>, parts: Arc<Parts>) {
    let mut client = lease.client.subscribe();
    let mut word = lease.word.subscribe();
    let mut since = Instant::now();
    loop {
        let authorise = match &*word.borrow_and_update() {
            Word::Good(_, until) => *until,
            Word::Over(_) => return,
        };
        // While the authoriser was asked.
        if client.has_changed().unwrap_or_default() {
            since = Instant::now();
        }
        let takes = *client.borrow_and_update() == Client::Takes;
        let mut stalled = pin!(sleep_until(since + STALL));
        let mut authorise = pin!(sleep_until(authorise));
        let woken = {
            let mut changed = pin!(client.changed());
            let mut ended = pin!(word.changed());
            // Both senders are in the lease that is held here, so that an error is none.
            let wait = |cx: &mut std::task::Context<'_>| {
                if ended.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Woken::Word);
                }
                if authorise.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Woken::Authorise);
                }
                if changed.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Woken::Client);
                }
                if takes && stalled.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Woken::Stalled);
                }
                Poll::Pending
            };
            poll_fn(wait).await
        };
        match woken {
            Woken::Word => {}
            Woken::Client => since = Instant::now(),
            Woken::Authorise => lease.authorise(&parts).await,
            Woken::Stalled => lease.end(End::Stalled),
        }
    }
}
