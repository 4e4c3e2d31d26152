//! An audited future: a job, a command, anything that is not a request.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::{
    journal::{CommitError, Committed, Urgency},
    record::{Assurance, Fault, Outcome, Record},
};

use super::{AuditScope, current, recorder::Recorder};

/// A piece of work that is about to run and leaves one record; made by `Audit::scope`.
#[must_use = "nothing is recorded until it runs"]
#[derive(Debug)]
pub struct Job {
    recorder: Recorder,
    record: Record,
    assurance: Assurance,
}

/// A [`Job`] whose intent is durable before it runs.
#[must_use = "nothing is recorded until it runs"]
#[derive(Debug)]
pub struct StrictJob {
    job: Job,
}

impl Job {
    pub(crate) fn new(recorder: Recorder, record: Record) -> Self {
        Self {
            recorder,
            record,
            assurance: Assurance::Durable,
        }
    }

    /// Does not wait for the sync when the work has ended; a crash in the next milliseconds can
    /// take the record.
    pub fn buffered(mut self) -> Self {
        self.assurance = Assurance::Buffered;
        self
    }

    /// Makes an intent durable before the work begins, or does not begin it.
    pub fn strict(self) -> StrictJob {
        StrictJob { job: self }
    }

    /// Runs the work and records it: `success` when it returns, `error` when it panics, `cancelled`
    /// when the returned future is dropped first, unless the scope said otherwise.
    ///
    /// The work runs even when the trail cannot take its record; that is counted. Returns when the
    /// record is durable, or the trail is failing.
    pub fn run<F: Future>(self, future: F) -> Run<F, F::Output> {
        self.start(future, |record, _| conclude(record, Outcome::Success))
    }

    /// As [`run`](Self::run), but an `Err` is recorded as `error`, with its text.
    pub fn try_run<F, T, E>(self, future: F) -> Run<F, Result<T, E>>
    where
        F: Future<Output = Result<T, E>>,
        E: fmt::Display,
    {
        self.start(future, conclude_result)
    }

    fn start<F: Future>(self, future: F, ending: Ending<F::Output>) -> Run<F, F::Output> {
        let urgency = match self.assurance {
            Assurance::Buffered => Urgency::Buffered,
            _ => Urgency::Durable,
        };
        let scope = AuditScope::new(self.recorder, self.record);
        if let Err(rejected) = &scope {
            tracing::warn!(target: "tower_audit", %rejected, "work runs without an audit record");
        }
        Run {
            future,
            guard: Guard {
                scope: scope.ok(),
                urgency,
            },
            ending,
            output: None,
            committed: None,
        }
    }
}

impl StrictJob {
    /// Syncs the intent, runs the work, and returns when its record is durable or the trail is
    /// failing. The outcome is as in [`Job::run`].
    ///
    /// # Errors
    ///
    /// The intent could not be made durable, and the work was not begun.
    pub async fn run<F: Future>(self, future: F) -> Result<F::Output, CommitError> {
        let run = self
            .begin(future, |record, _| conclude(record, Outcome::Success))
            .await?;
        Ok(run.await)
    }

    /// As [`run`](Self::run), but an `Err` is recorded as `error`, with its text.
    ///
    /// # Errors
    ///
    /// The outer error: the work was not begun. The inner one is the work's own.
    pub async fn try_run<F, T, E>(self, future: F) -> Result<Result<T, E>, CommitError>
    where
        F: Future<Output = Result<T, E>>,
        E: fmt::Display,
    {
        let run = self.begin(future, conclude_result).await?;
        Ok(run.await)
    }

    async fn begin<F: Future>(
        self,
        future: F,
        ending: Ending<F::Output>,
    ) -> Result<Run<F, F::Output>, CommitError> {
        let Job {
            recorder, record, ..
        } = self.job;
        let scope = AuditScope::new(recorder, record)?;
        // From here on the guard writes the record, whatever happens: also while the intent syncs.
        let run = Run {
            future,
            guard: Guard {
                scope: Some(scope.clone()),
                urgency: Urgency::Durable,
            },
            ending,
            output: None,
            committed: None,
        };
        match scope.commit().await {
            Ok(()) => Ok(run),
            Err(error) => {
                let reason = format!("not begun: {error}");
                scope.finish(
                    |record| record.outcome(Outcome::Error).reason(reason),
                    Urgency::Buffered,
                );
                Err(error)
            }
        }
    }
}

/// What a returned value says about the outcome.
type Ending<T> = fn(Record, &T) -> Record;

fn conclude(mut record: Record, outcome: Outcome) -> Record {
    record.outcome.get_or_insert(outcome);
    record
}

fn conclude_result<T, E: fmt::Display>(record: Record, result: &Result<T, E>) -> Record {
    match result {
        Ok(_) => conclude(record, Outcome::Success),
        Err(_) if record.error.is_some() => conclude(record, Outcome::Error),
        Err(error) => record.error(Fault::new(error.to_string())),
    }
}

/// Writes the record exactly once: at the end, or when it is dropped before.
#[derive(Debug)]
struct Guard {
    /// `None` when the work was not admitted.
    scope: Option<AuditScope>,
    urgency: Urgency,
}

impl Guard {
    fn finish(&self, conclude: impl FnOnce(Record) -> Record) -> Option<Committed> {
        let appended = self.scope.as_ref()?.finish(conclude, self.urgency)?;
        (self.urgency == Urgency::Durable).then(|| appended.ticket.committed())
    }

    fn panicked(&self, panic: &(dyn Any + Send)) {
        let message = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "panic without a message".into());
        // What the work said before is no longer true.
        let _ = self.finish(|record| {
            record
                .outcome(Outcome::Error)
                .error(Fault::new(message).kind("panic"))
        });
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Never waits: the record is in the buffer, and its sync is the writer's business.
        let _ = self.finish(|record| conclude(record, Outcome::Cancelled));
    }
}

pin_project! {
    /// The future of an audited piece of work; its scope is current whenever it is polled.
    #[must_use = "futures do nothing unless polled"]
    pub struct Run<F, T> {
        #[pin]
        future: F,
        guard: Guard,
        ending: Ending<T>,
        output: Option<T>,
        committed: Option<Committed>,
    }
}

impl<F, T> fmt::Debug for Run<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}

impl<F: Future> Future for Run<F, F::Output> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if this.output.is_none() {
            let entered = this.guard.scope.as_ref().map(current::enter);
            // Trap C4: a panic is told from a drop by catching it.
            let polled = catch_unwind(AssertUnwindSafe(|| this.future.as_mut().poll(cx)));
            drop(entered);
            match polled {
                Err(panic) => {
                    this.guard.panicked(&*panic);
                    resume_unwind(panic);
                }
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(output)) => {
                    *this.committed = this.guard.finish(|record| (this.ending)(record, &output));
                    *this.output = Some(output);
                }
            }
        }
        if let Some(committed) = this.committed.as_mut() {
            // A failing trail is its own business: the work is done, and its answer is given.
            std::task::ready!(Pin::new(committed).poll(cx)).ok();
            *this.committed = None;
        }
        match this.output.take() {
            Some(output) => Poll::Ready(output),
            None => Poll::Pending,
        }
    }
}
