//! The thread around a follower: it waits, and survives what goes wrong.

use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    sync::{Arc, mpsc},
    task::Poll,
    thread,
    time::Duration,
};

use tokio::{
    runtime,
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    call::{caught, caught_now},
    follower::{Follower, Next},
    stats::Ledger,
};
use crate::stats::SinkState;

/// What a sink gets to close itself when the time for stopping is over.
pub(crate) const CLOSE_GRACE: Duration = Duration::from_millis(250);

/// Starts a thread with a runtime of its own and delivers there until told to stop.
///
/// # Errors
///
/// When the system gives no thread or no runtime.
pub(crate) fn start(
    name: &str,
    ledger: Arc<Ledger>,
    make: impl FnOnce() -> Follower + Send + 'static,
    marks: watch::Receiver<u64>,
) -> io::Result<()> {
    let (report, outcome) = mpsc::sync_channel(1);
    let run = move || {
        let _leaving = Leaving(ledger);
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return drop(report.send(Err(error))),
        };
        drop(report.send(Ok(())));
        runtime.block_on(async {
            let mut follower = make();
            run(&mut follower, marks).await;
            let deadline = follower.stop_deadline().unwrap_or_else(Instant::now);
            let deadline = deadline.max(Instant::now() + CLOSE_GRACE);
            if let Err(message) = caught(follower.finish(deadline)).await {
                follower.panicked(message);
            }
            // Here, because a sink may need its runtime to let go of connections.
            if let Err(message) = caught_now(move || drop(follower)) {
                tracing::error!(target: "tower_audit", message, "a sink panicked while it was dropped");
            }
        });
        runtime.shutdown_timeout(CLOSE_GRACE);
    };
    thread::Builder::new()
        .name(format!("audit-{name}"))
        .spawn(run)?;
    outcome
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("the thread ended before it began")))
}

/// Says that the thread is gone, whatever ended it.
struct Leaving(Arc<Ledger>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.state(SinkState::Stopped);
        self.0.asks().close();
    }
}

/// Steps until told to stop.
pub(crate) async fn run(follower: &mut Follower, mut marks: watch::Receiver<u64>) {
    loop {
        let next = match caught(follower.step()).await {
            Ok(next) => next,
            // trap D8: a fault of our own is counted, and delivery goes on after a wait.
            Err(message) => Next::Rest(Some(follower.recover(message))),
        };
        match next {
            // The runtime's other tasks are the sink's connections; they want a turn.
            Next::Again => tokio::task::yield_now().await,
            Next::Idle(until) => wait(follower, Some(&mut marks), until).await,
            Next::Rest(until) => wait(follower, None, until).await,
            Next::Stop => return,
        }
    }
}

/// Waits for a command, a durable mark that moved (if given), or a moment.
async fn wait(
    follower: &Follower,
    marks: Option<&mut watch::Receiver<u64>>,
    until: Option<Instant>,
) {
    // A copy sees what the follower has not seen yet, so that no command is lost in between.
    let mut control = follower.commands();
    let mut command = pin!(async move { drop(control.changed().await) });
    let mut mark = pin!(async move {
        let moved = match marks {
            Some(marks) => marks.changed().await.is_ok(),
            None => false,
        };
        if !moved {
            // Nobody will commit any more, or it would not matter.
            std::future::pending::<()>().await;
        }
    });
    let mut moment = pin!(async move {
        match until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    });
    poll_fn(|context| {
        // All three are asked on each poll, so none can starve another (trap D6).
        let woken = [
            command.as_mut().poll(context).is_ready(),
            mark.as_mut().poll(context).is_ready(),
            moment.as_mut().poll(context).is_ready(),
        ];
        if woken.contains(&true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
