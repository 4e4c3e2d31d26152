//! The places of live views, and one poller for all of them.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, task::AbortHandle, time::sleep};

use super::{
    closing::Closing,
    failure::Failure,
    share::{Share, Shares},
};
use crate::store::Store;

/// How often the store is asked whether something arrived.
pub(super) const POLL: Duration = Duration::from_secs(1);

/// What the poller found last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct News {
    pub(super) arrival: u64,
    /// The store does not answer.
    pub(super) failing: bool,
}

/// The streams of a viewer, and what they share.
#[derive(Debug)]
pub(super) struct Hub {
    store: Store,
    max_streams: usize,
    of_readers: Arc<Shares>,
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
pub(super) struct Seat {
    hub: Arc<Hub>,
    #[expect(dead_code, reason = "it is held until the stream ends")]
    share: Share,
}

impl Hub {
    pub(super) fn new(
        store: Store,
        (max_streams, of_reader): (usize, usize),
        closing: Closing,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            max_streams,
            of_readers: Shares::new(of_reader),
            closing,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a stream of this reader that knows of everything up to `arrival`.
    pub(super) fn join(
        self: &Arc<Self>,
        reader: &str,
        arrival: u64,
    ) -> Result<(Seat, watch::Receiver<News>), Failure> {
        if self.closing.is_closed() {
            return Err(Failure::Store);
        }
        let share = self.of_readers.take(reader).ok_or(Failure::TooMany)?;
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
        let news = poller.news.subscribe();
        let hub = Arc::clone(self);
        Ok((Seat { hub, share }, news))
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
