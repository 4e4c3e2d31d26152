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
    journal::{Admission, CommitError, Committed, Urgency},
    record::{Fault, OnFailure, Outcome, Record},
};

use super::{
    AuditScope,
    conclusion::{Conclusion, panic_message},
    current,
    recorder::{Alive, Recorder},
};

/// A piece of work that is about to run and leaves one record; made by `Audit::scope`.
#[must_use = "nothing is recorded until it runs"]
pub struct Job {
    recorder: Recorder,
    alive: Alive,
    record: Record,
    urgency: Urgency,
}

/// A [`Job`] whose intent is durable before it runs.
#[must_use = "nothing is recorded until it runs"]
#[derive(Debug)]
pub struct StrictJob {
    job: Job,
    on_failure: OnFailure,
}

impl Job {
    pub(crate) const fn new(recorder: Recorder, alive: Alive, record: Record) -> Self {
        Self {
            recorder,
            alive,
            record,
            urgency: Urgency::Durable,
        }
    }

    /// Does not wait for the sync when the work has ended; a crash in the next milliseconds can
    /// take the record.
    pub const fn buffered(mut self) -> Self {
        self.urgency = Urgency::Buffered;
        self
    }

    /// Makes an intent durable before the work begins, or does not begin it.
    pub const fn strict(self) -> StrictJob {
        StrictJob {
            job: self,
            on_failure: OnFailure::Refuse,
        }
    }

    /// Runs the work and records it: `success` when it returns, `error` when it panics, `cancelled`
    /// when the returned future is dropped first, unless the scope said otherwise.
    ///
    /// The work begins when the future is first polled; one that never is leaves no record. It runs
    /// even when there is no room for its record: that is tried again at the end, and counted when it
    /// fails. Returns when the record is
    /// durable, or the trail is failing.
    pub fn run<F: Future>(self, future: F) -> Run<F, F::Output> {
        Run::new(Begin::Job(Box::new(self)), future, |_| {
            Conclusion::Ended(Outcome::Success)
        })
    }

    /// As [`run`](Self::run), but an `Err` is recorded as `error`, with its text.
    pub fn try_run<F, T, E>(self, future: F) -> Run<F, Result<T, E>>
    where
        F: Future<Output = Result<T, E>>,
        E: fmt::Display,
    {
        Run::new(Begin::Job(Box::new(self)), future, conclude_result)
    }

    /// It has a scope of its own in any case, so that what it says of itself never goes to
    /// the work around it.
    fn begin(self) -> Guard {
        let admission = self.recorder.inbox().admit();
        if let Err(rejected) = &admission {
            tracing::warn!(target: "tower_audit", %rejected, "work begins without room for its audit record; it is written at the end if there is room then");
        }
        self.begin_as(admission.ok())
    }

    fn begin_as(self, admission: Option<Admission>) -> Guard {
        let scope = AuditScope::of_job(self.recorder, self.alive, self.record, admission);
        Guard {
            scope,
            urgency: self.urgency,
        }
    }
}

impl StrictJob {
    /// What happens when the intent cannot be made durable. Default: [`OnFailure::Refuse`].
    pub const fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = on_failure;
        self
    }

    /// Syncs the intent, runs the work, and returns when its record is durable or the trail is
    /// failing. The outcome is as in [`Job::run`].
    ///
    /// # Errors
    ///
    /// The intent could not be made durable, and the work was not begun.
    pub async fn run<F: Future>(self, future: F) -> Result<F::Output, CommitError> {
        let guard = self.intend().await?;
        let success = |_: &F::Output| Conclusion::Ended(Outcome::Success);
        Ok(Run::new(Begin::Begun(guard), future, success).await)
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
        let guard = self.intend().await?;
        Ok(Run::new(Begin::Begun(guard), future, conclude_result).await)
    }

    async fn intend(self) -> Result<Guard, CommitError> {
        let refuse = self.on_failure == OnFailure::Refuse;
        // While the trail is failing, callers that try again must not fill its memory.
        if let Some(cause) = self.job.recorder.inbox().failing().filter(|_| refuse) {
            return Err(CommitError::Failing { cause });
        }
        if !refuse {
            let guard = self.job.begin();
            // It runs all the same, and the record tells when it is done.
            let _ = guard.scope.commit().await;
            return Ok(guard);
        }
        let admission = self.job.recorder.inbox().admit()?;
        // From here on the guard writes the record, whatever happens: also while the intent syncs.
        let mut guard = self.job.begin_as(Some(admission));
        guard.urgency = Urgency::Durable;
        if let Err(error) = guard.scope.commit().await {
            let not_begun = Conclusion::NotBegun(format!("not begun: {error}"));
            guard.scope.finish(not_begun, Urgency::Buffered);
            return Err(error);
        }
        Ok(guard)
    }
}

impl fmt::Debug for Job {
    /// Never the record: Debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").finish_non_exhaustive()
    }
}

/// What a returned value says about the outcome.
type Ending<T> = fn(&T) -> Conclusion;

fn conclude_result<T, E: fmt::Display>(result: &Result<T, E>) -> Conclusion {
    match result {
        Ok(_) => Conclusion::Ended(Outcome::Success),
        Err(error) => Conclusion::Failed(Fault::new(error.to_string())),
    }
}

/// Writes the record exactly once: at the end, or when it is dropped before.
#[derive(Debug)]
struct Guard {
    scope: AuditScope,
    urgency: Urgency,
}

impl Guard {
    fn finish(&self, conclusion: Conclusion) -> Option<Committed> {
        let appended = self.scope.finish(conclusion, self.urgency)?;
        (self.urgency == Urgency::Durable).then(|| appended.ticket.committed())
    }

    fn panicked(&self, panic: &(dyn Any + Send)) {
        let message = panic_message(panic);
        let _ = self.finish(Conclusion::Panicked(Fault::new(message).kind("panic")));
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Never waits: the record is in the buffer, and its sync is the writer's business.
        let _ = self.finish(Conclusion::Ended(Outcome::Cancelled));
    }
}

/// How far the work is.
#[derive(Debug)]
enum Begin {
    /// Not polled yet.
    Job(Box<Job>),
    Begun(Guard),
    /// While it is being begun.
    Between,
}

impl Begin {
    fn guard(&mut self) -> Option<&Guard> {
        if let Self::Job(_) = self
            && let Self::Job(job) = std::mem::replace(self, Self::Between)
        {
            *self = Self::Begun(job.begin());
        }
        match self {
            Self::Begun(guard) => Some(guard),
            _ => None,
        }
    }
}

pin_project! {
    /// The future of an audited piece of work; its scope is current whenever it is polled.
    #[must_use = "futures do nothing unless polled"]
    pub struct Run<F, T> {
        #[pin]
        future: F,
        begin: Begin,
        ending: Ending<T>,
        output: Option<T>,
        committed: Option<Committed>,
    }
}

impl<F, T> Run<F, T> {
    const fn new(begin: Begin, future: F, ending: Ending<T>) -> Self {
        Self {
            future,
            begin,
            ending,
            output: None,
            committed: None,
        }
    }
}

impl<F, T> fmt::Debug for Run<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("begin", &self.begin)
            .finish_non_exhaustive()
    }
}

impl<F: Future> Future for Run<F, F::Output> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let guard = this.begin.guard();
        let scope = guard.map(|guard| &guard.scope);
        if this.output.is_none() {
            let entered = scope.map(current::enter);
            // Trap C4: a panic is told from a drop by catching it. What the end means is asked in
            // here too: a foreign `Display` may panic.
            let polled = catch_unwind(AssertUnwindSafe(|| {
                let output = this.future.as_mut().poll(cx);
                output.map(|output| ((this.ending)(&output), output))
            }));
            drop(entered);
            match polled {
                Err(panic) => {
                    guard.inspect(|guard| guard.panicked(&*panic));
                    resume_unwind(panic);
                }
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready((conclusion, output))) => {
                    *this.committed = guard.and_then(|guard| guard.finish(conclusion));
                    *this.output = Some(output);
                }
            }
        }
        if let Some(committed) = this.committed.as_mut() {
            // A failing trail is its own business: the work is done, and its answer is given.
            let synced = std::task::ready!(Pin::new(committed).poll(cx));
            *this.committed = None;
            if synced.is_err() {
                scope.inspect(|scope| scope.served_unsynced());
            }
        }
        match this.output.take() {
            Some(output) => Poll::Ready(output),
            None => Poll::Pending,
        }
    }
}
