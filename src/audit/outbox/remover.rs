//! Removes the rows of records that are durable, in batches, from a thread of its own.
//!
//! A row that cannot be removed stays: the next start finds its record in the journal. So nothing
//! here needs to be certain, only soon.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    io,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, sync_channel},
    },
    task::Poll,
    time::{Duration, Instant},
};

use tokio::{
    runtime,
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

use crate::{
    capture::draft::Settled,
    clock::RecordId,
    outbox::{OutboxError, Rows},
};

/// Rows that one statement removes.
const BATCH: usize = 1000;

/// How long a row waits for company: each removal is a transaction of the service's database.
const LINGER: Duration = Duration::from_millis(100);

/// When rows that were not found are tried once more, and how many batches of them are remembered.
const LATE: Duration = Duration::from_secs(60);
const LATE_BATCHES: usize = 64;

/// How long one call may take.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(10);

/// The first pause after a failure; it doubles up to the longest.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// What the thread gets beyond a deadline to let go of its connection.
const GRACE: Duration = Duration::from_millis(250);

/// Why rows cannot be removed right now, for health.
#[derive(Debug, Default)]
pub(super) struct Trouble(Mutex<Option<String>>);

impl Trouble {
    pub(super) fn reason(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, reason: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

/// The other side of the thread.
#[derive(Debug)]
pub(super) struct Handle {
    stop: Stop,
    ended: Mutex<Receiver<()>>,
}

/// Set once, to the moment until which there is time.
type Stop = watch::Sender<Option<Instant>>;

impl Handle {
    pub(super) fn stop(&self, deadline: Instant) {
        let stopped = |stop: &mut Option<Instant>| {
            let first = stop.is_none();
            stop.get_or_insert(deadline);
            first
        };
        if self.stop.send_if_modified(stopped) {
            let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            let left = deadline.saturating_duration_since(Instant::now());
            // Ends with the thread, whatever ended it; one that hangs is left behind.
            let _ = ended.recv_timeout(left + GRACE);
        }
    }
}

/// Starts the thread.
pub(super) fn start(
    rows: Box<dyn Rows>,
    queue: mpsc::Receiver<Settled>,
    mark: watch::Receiver<u64>,
    trouble: Arc<Trouble>,
) -> io::Result<Handle> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (stop, stopped) = watch::channel(None);
    let (alive, ended) = sync_channel(0);
    let remover = Remover {
        rows,
        queue,
        mark,
        stop: stopped,
        trouble,
        pending: Vec::new(),
        late: Late::default(),
    };
    let run = move || {
        let _alive = alive;
        runtime.block_on(remover.run());
        runtime.shutdown_timeout(GRACE);
    };
    let thread = std::thread::Builder::new().name("audit-outbox".into());
    thread.spawn(run)?;
    Ok(Handle {
        stop,
        ended: Mutex::new(ended),
    })
}

struct Remover {
    rows: Box<dyn Rows>,
    queue: mpsc::Receiver<Settled>,
    mark: watch::Receiver<u64>,
    stop: watch::Receiver<Option<Instant>>,
    trouble: Arc<Trouble>,
    /// Taken from the queue, and not known to be removed.
    pending: Vec<Settled>,
    late: Late,
}

/// Ids of which no row was found: rolled back, or not committed yet, as by a task that goes on
/// after its request. They are tried once more.
#[derive(Default)]
struct Late(VecDeque<(Instant, Vec<RecordId>)>);

impl Late {
    fn push(&mut self, ids: Vec<RecordId>) {
        if self.0.len() == LATE_BATCHES {
            self.0.pop_front();
        }
        self.0.push_back((Instant::now() + LATE, ids));
    }

    /// Those whose time has come, or all.
    fn pop(&mut self, when: When) -> Option<Vec<RecordId>> {
        let due = |at: Instant| when == When::Now || at <= Instant::now();
        self.0.pop_front_if(|(at, _)| due(*at)).map(|(_, ids)| ids)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Due,
    Now,
}

impl Remover {
    async fn run(mut self) {
        let mut pause = RETRY_MIN;
        while self.stop.borrow().is_none() {
            let stop = self.stop.clone();
            match unless_stopped(stop.clone(), self.step()).await {
                Some(Ok(())) => {
                    pause = RETRY_MIN;
                    self.trouble.set(None);
                }
                Some(Err(error)) => {
                    self.fail(&error);
                    unless_stopped(stop, sleep(pause)).await;
                    pause = (pause * 2).min(RETRY_MAX);
                }
                None => break,
            }
        }
        self.finish().await;
    }

    /// Waits for rows that may go, and removes them.
    async fn step(&mut self) -> Result<(), OutboxError> {
        if self.pending.is_empty() {
            self.queue.recv_many(&mut self.pending, BATCH).await;
            sleep(LINGER).await;
            self.fill();
        }
        let Some(last) = self.pending.iter().map(|settled| settled.number).max() else {
            // Nobody will send any more; the stop comes next.
            return std::future::pending().await;
        };
        // While the trail cannot be written, this waits as long as that takes.
        if self.mark.wait_for(|mark| *mark > last).await.is_err() {
            return std::future::pending().await;
        }
        self.remove().await
    }

    fn fill(&mut self) {
        while self.pending.len() < BATCH
            && let Ok(settled) = self.queue.try_recv()
        {
            self.pending.push(settled);
        }
    }

    /// Removes what is durable of what is pending.
    async fn remove(&mut self) -> Result<(), OutboxError> {
        let mark = *self.mark.borrow_and_update();
        let durable = self.pending.iter().filter(|settled| settled.number < mark);
        let ids: Vec<_> = durable.map(|settled| settled.id).collect();
        let removed = self.remove_rows(&ids).await?;
        self.pending.retain(|settled| settled.number >= mark);
        if removed < ids.len() as u64 {
            self.late.push(ids);
        }
        self.remove_late(When::Due).await
    }

    async fn remove_late(&mut self, when: When) -> Result<(), OutboxError> {
        while let Some(ids) = self.late.pop(when) {
            self.remove_rows(&ids).await?;
        }
        Ok(())
    }

    async fn remove_rows(&mut self, ids: &[RecordId]) -> Result<u64, OutboxError> {
        if ids.is_empty() {
            return Ok(0);
        }
        in_time(self.rows.address(), self.rows.remove(ids)).await
    }

    /// The last commit of the trail was made: removes what it can until the time is up.
    async fn finish(&mut self) {
        let deadline = self.stop.borrow().unwrap_or_else(Instant::now);
        let left = deadline.saturating_duration_since(Instant::now());
        let removed = timeout(left, async {
            loop {
                self.fill();
                match self.remove().await {
                    // What is left is not durable.
                    Ok(()) if self.queue.is_empty() || self.pending.len() >= BATCH => break,
                    Ok(()) => {}
                    Err(error) => {
                        self.fail(&error);
                        sleep(RETRY_MIN).await;
                    }
                }
            }
            if let Err(error) = self.remove_late(When::Now).await {
                self.fail(&error);
            }
        });
        let _ = removed.await;
        let left = self.pending.len() + self.queue.len();
        if left > 0 {
            tracing::warn!(target: "tower_audit", left, "rows stay in the outbox; the next start removes them");
        }
    }

    fn fail(&self, error: &OutboxError) {
        let reason = error.explained();
        tracing::debug!(target: "tower_audit", %reason, "rows of the outbox cannot be removed; tried again");
        self.trouble.set(Some(reason));
    }
}

/// The call's answer, if it comes within [`CALL_LIMIT`].
pub(super) async fn in_time<T>(
    address: String,
    call: impl Future<Output = Result<T, OutboxError>>,
) -> Result<T, OutboxError> {
    timeout(CALL_LIMIT, call).await.unwrap_or_else(|_| {
        let silent = format!("no answer within {} seconds", CALL_LIMIT.as_secs());
        Err(OutboxError::database(address, silent))
    })
}

/// The output of the work, or `None` when the stop comes first.
async fn unless_stopped<T>(
    mut stop: watch::Receiver<Option<Instant>>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    let mut stopped = pin!(async move { drop(stop.wait_for(Option::is_some).await) });
    poll_fn(move |context| {
        if let Poll::Ready(output) = work.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        stopped.as_mut().poll(context).map(|()| None)
    })
    .await
}
