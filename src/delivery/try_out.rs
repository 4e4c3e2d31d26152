//! One call of a sink that nothing follows, on a runtime of its own.

use std::{future::pending, io, time::Duration};

use tokio::runtime;

use super::{
    call::{Failure, call},
    event::neutral,
    worker::CLOSE_GRACE,
};
use crate::sink::{Batch, Sink, SinkError};

/// What is asked of the sink.
#[derive(Debug)]
pub(crate) enum Trying<'a> {
    /// Whether it would take batches.
    Probe,
    /// To take this test event.
    Test(&'a Batch),
}

/// What the sink answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tried {
    /// It does.
    Taken,
    /// Not now, or it gave no answer.
    Passing(String),
    /// Not before somebody acts.
    Blocked(String),
    /// Never this one.
    Refused(String),
}

/// Makes one call under a deadline, and closes the sink. Blocks; must not be called from within an
/// async runtime.
///
/// # Errors
///
/// When the system gives no runtime.
pub(crate) fn try_out(
    mut sink: Box<dyn Sink>,
    what: Trying<'_>,
    timeout: Duration,
) -> io::Result<Tried> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tried = runtime.block_on(async move {
        let answer = match what {
            Trying::Probe => call(|| sink.probe(), timeout, pending()).await,
            Trying::Test(batch) => call(|| sink.test(batch), timeout, pending()).await,
        };
        // It has answered; what closing it meets changes nothing.
        let _ = call(|| sink.close(), CLOSE_GRACE, pending()).await;
        tried(answer)
    });
    runtime.shutdown_timeout(CLOSE_GRACE);
    Ok(tried)
}

fn tried(answer: Result<(), Failure>) -> Tried {
    match answer {
        Ok(()) => Tried::Taken,
        Err(Failure::Sink(SinkError::Retry { reason, .. })) => Tried::Passing(neutral(&reason)),
        Err(Failure::Sink(SinkError::Blocked { reason })) => Tried::Blocked(neutral(&reason)),
        Err(Failure::Sink(SinkError::Refused { reason, .. })) => Tried::Refused(neutral(&reason)),
        Err(failure) => Tried::Passing(failure.reason()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::sinks::{Answer, MemoryStore, Script};

    #[test]
    fn each_answer_of_a_sink_is_told_for_what_it_is() {
        let (short, long) = (Duration::from_millis(50), Duration::from_secs(60));
        let passing = |reason: &str| Tried::Passing(reason.to_owned());
        for (answer, limit, expected) in [
            (Answer::Store, long, Tried::Taken),
            (Answer::Retry, long, passing("the script fails")),
            (
                Answer::Block,
                long,
                Tried::Blocked("the script blocks".into()),
            ),
            (Answer::Hang, short, passing("no answer within 50ms")),
        ] {
            let script = Script::new();
            script.always(answer);
            let sink = || Box::new(script.around(MemoryStore::new().sink()));
            let tried = try_out(sink(), Trying::Probe, limit).unwrap();
            assert_eq!(tried, expected, "{answer:?}");
        }
    }
}
