//! One call of a sink: it may fail, hang or panic, and this comes back all the same.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use tokio::time::sleep;

use super::event::neutral;
use crate::sink::{SinkError, SinkFuture};

/// Why a call did not succeed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The sink said so.
    Sink(SinkError),
    /// No answer within the deadline; what was done is unknown.
    TimedOut(Duration),
    /// The sink panicked; what was done is unknown.
    Panicked(String),
    /// Delivery stops; what was done is unknown.
    Stopped,
}

/// Makes a call and waits for its answer, at most `deadline`, and not once `stop` is over.
///
/// A sink that blocks its thread inside one poll cannot be interrupted; nothing in Rust can.
pub(crate) async fn call<'a, T>(
    make: impl FnOnce() -> SinkFuture<'a, T>,
    deadline: Duration,
    stop: impl Future<Output = ()>,
) -> Result<T, Failure> {
    let mut future = catch_unwind(AssertUnwindSafe(make)).map_err(panicked)?;
    // Unconstrained: a sink that uses up its share of every poll must not hide its own deadline.
    let mut limit = pin!(tokio::task::unconstrained(sleep(deadline)));
    let mut stop = pin!(tokio::task::unconstrained(stop));
    let answer = poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Ready(answer)) => return Poll::Ready(answer.map_err(Failure::Sink)),
            Err(payload) => return Poll::Ready(Err(panicked(payload))),
            Ok(Poll::Pending) => {}
        }
        if limit.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(Failure::TimedOut(deadline)));
        }
        stop.as_mut().poll(context).map(|()| Err(Failure::Stopped))
    })
    .await;
    match catch_unwind(AssertUnwindSafe(move || drop(future))) {
        // An answer that was given counts, whatever the sink's leftovers do.
        Err(payload) if answer.is_err() => Err(panicked(payload)),
        _ => answer,
    }
}

/// Runs a future and turns its panic into an error.
pub(crate) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let future: Pin<&mut _> = future.as_mut();
        match catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(message(&*payload))),
        }
    })
    .await
}

/// Runs a plain function of a sink and turns its panic into an error.
pub(crate) fn caught_now<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| message(&*payload))
}

fn panicked(payload: Box<dyn Any + Send>) -> Failure {
    Failure::Panicked(message(&*payload))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    neutral(text.unwrap_or("a panic without a message"))
}

impl Failure {
    /// The failure for a person.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Sink(error) => neutral(&error.to_string()),
            Self::TimedOut(deadline) => format!("no answer within {deadline:?}"),
            Self::Panicked(message) => format!("the sink panicked: {message}"),
            Self::Stopped => "delivery stopped before the sink answered".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_call_without_an_answer_ends_at_its_deadline() {
        let began = tokio::time::Instant::now();
        let answer = call::<()>(|| Box::pin(pending()), SECOND, pending()).await;
        assert_eq!(answer, Err(Failure::TimedOut(SECOND)));
        assert_eq!(began.elapsed().as_secs(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sink_that_never_rests_does_not_hide_its_deadline() {
        // trap D6: each poll uses up the share that tokio gives a task.
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let busy = async move {
            loop {
                let _ = sender.send(());
                let _ = receiver.recv().await;
                tokio::time::advance(Duration::from_millis(1)).await;
            }
        };
        let answer = call::<()>(|| Box::pin(busy), SECOND, pending()).await;
        assert_eq!(answer, Err(Failure::TimedOut(SECOND)));
    }

    #[tokio::test]
    async fn a_panic_in_the_call_in_a_poll_or_in_the_drop_is_a_failure() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped\n\u{1b}[31m");
            }
        }
        let early = call::<()>(|| panic!("early"), SECOND, pending()).await;
        assert_eq!(early, Err(Failure::Panicked("early".to_owned())));
        let polled = call::<()>(|| Box::pin(async { panic!("polled") }), SECOND, pending()).await;
        assert_eq!(polled, Err(Failure::Panicked("polled".to_owned())));
        let bomb = || -> SinkFuture<'_, ()> {
            Box::pin(async {
                let _bomb = Bomb;
                pending().await
            })
        };
        let dropped = call(bomb, SECOND, ready(())).await;
        assert_eq!(
            dropped,
            Err(Failure::Panicked("dropped\\n\\u{1b}[31m".to_owned()))
        );
    }

    #[tokio::test]
    async fn a_stop_ends_a_call() {
        let answer = call::<()>(|| Box::pin(pending()), SECOND, ready(())).await;
        assert_eq!(answer, Err(Failure::Stopped));
    }
}
