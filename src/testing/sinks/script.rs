//! Faults on demand, in front of any sink.

use std::{
    collections::{BTreeSet, VecDeque},
    future::{pending, poll_fn},
    sync::Arc,
    task::{Poll, Waker},
    time::Duration,
};

use super::waiting::Waiting;
use crate::{
    record::Origin,
    sink::{Batch, Limits, Sink, SinkError, SinkFuture},
};

/// What a [`ScriptedSink`] does with a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// Hands it on to the sink behind, whose answer counts.
    #[default]
    Store,
    /// Stores nothing, answers [`SinkError::Retry`].
    Retry,
    /// The same, with a wish for when to come back.
    RetryAfter(Duration),
    /// Stores nothing, answers a [`SinkError::unsent`] one.
    Unsent,
    /// Stores nothing, answers [`SinkError::Blocked`].
    Block,
    /// Stores nothing, answers [`SinkError::Refused`] without saying which.
    Refuse,
    /// Never answers, until [`Script::release`]; then hands it on.
    Hang,
    /// Blocks its thread, until [`Script::release`]; then hands it on.
    BlockThread,
    /// Panics.
    Panic,
    /// Hands it on, then answers [`SinkError::Retry`], as when the answer is lost.
    StoreThenRetry,
    /// Hands it on, then never answers.
    StoreThenHang,
    /// Hands it on, then panics.
    StoreThenPanic,
    /// Hands it on after this time.
    Slow(Duration),
}

/// Whether a refusal names the records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Telling {
    /// It does.
    #[default]
    Which,
    /// It does not, so that they have to be found.
    Nothing,
}

/// What a [`Script`] has seen and will do.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ScriptState {
    /// Calls of `deliver` so far.
    pub calls: usize,
    /// The numbers of the batch of the last call.
    pub last: Vec<u64>,
    /// Calls that hang or block their thread now.
    pub held: usize,
    next: VecDeque<Answer>,
    always: Answer,
    refused: BTreeSet<u64>,
    telling: Telling,
    releases: u64,
}

impl ScriptState {
    const fn turn(&self, answer: Answer) -> Turn {
        Turn {
            answer,
            releases: self.releases,
        }
    }
}

/// What is answered to one call, and how many releases there were then: one that comes before the
/// call hangs is for it all the same.
#[derive(Debug, Clone, Copy)]
struct Turn {
    answer: Answer,
    releases: u64,
}

/// Decides what a [`ScriptedSink`] does; a clone is the same one.
#[derive(Debug, Clone, Default)]
pub struct Script {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Waiting<ScriptState>,
    hanging: Waiting<Vec<Waker>>,
}

impl Script {
    /// A script that hands everything on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts this script in front of a sink.
    #[must_use]
    pub fn around(&self, sink: impl Sink) -> ScriptedSink {
        ScriptedSink {
            script: self.clone(),
            sink: Box::new(sink),
        }
    }

    /// Answers the calls to come with these, one each, before what [`always`](Self::always) says.
    pub fn next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.state.change(|state| state.next.extend(answers));
    }

    /// Answers every call that has no answer of its own with this; tests, and questions for the
    /// position and of a probe too, as far as it makes sense: a destination that is down is down for
    /// them as well.
    pub fn always(&self, answer: Answer) {
        self.shared.state.change(|state| state.always = answer);
    }

    /// Refuses these records, in every call that would be handed on.
    pub fn refuse(&self, numbers: impl IntoIterator<Item = u64>, telling: Telling) {
        self.shared.state.change(|state| {
            state.refused = numbers.into_iter().collect();
            state.telling = telling;
        });
    }

    /// Lets every call that hangs or blocks its thread go on.
    pub fn release(&self) {
        self.shared.state.change(|state| state.releases += 1);
        let wakers = self.shared.hanging.change(std::mem::take);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Hands everything on from now on, also what is held.
    pub fn heal(&self) {
        self.shared.state.change(|state| {
            state.next.clear();
            state.always = Answer::Store;
            state.refused.clear();
        });
        self.release();
    }

    /// What was seen so far.
    #[must_use]
    pub fn state(&self) -> ScriptState {
        self.shared.state.read(ScriptState::clone)
    }

    /// Blocks until something holds; fails the test after half a minute.
    ///
    /// # Panics
    ///
    /// When it does not come to hold; `what` and what was seen are in the message.
    #[track_caller]
    pub fn wait_until(&self, what: &str, holds: impl Fn(&ScriptState) -> bool) {
        self.shared.state.wait_until(what, holds);
    }

    fn arrive(&self, batch: &Batch) -> Turn {
        self.shared.state.change(|state| {
            state.calls += 1;
            state.last = batch.records.iter().map(|record| record.number).collect();
            let answer = state.next.pop_front().unwrap_or(state.always);
            state.turn(answer)
        })
    }

    /// What is answered to everything but a batch.
    fn usual(&self) -> Turn {
        self.shared.state.read(|state| state.turn(state.always))
    }

    /// Says which records of a batch are to be refused.
    fn refusal(&self, batch: &Batch) -> Option<SinkError> {
        self.shared.state.read(|state| {
            let numbers = batch.records.iter().map(|record| record.number);
            let mut refused: Vec<_> = numbers.filter(|it| state.refused.contains(it)).collect();
            if refused.is_empty() {
                return None;
            }
            if state.telling == Telling::Nothing {
                refused.clear();
            }
            Some(SinkError::refused(refused, "the script refuses them"))
        })
    }

    /// Waits for a release, without holding the thread.
    async fn hang(&self, before: u64) {
        let _held = self.hold();
        poll_fn(|context| {
            // Registered first, so that a release in between wakes.
            let waker = context.waker().clone();
            self.shared.hanging.change(|wakers| wakers.push(waker));
            match self.shared.state.read(|state| state.releases) == before {
                true => Poll::Pending,
                false => Poll::Ready(()),
            }
        })
        .await;
    }

    fn block_thread(&self, before: u64) {
        let _held = self.hold();
        let unreleased = |state: &ScriptState| state.releases == before;
        self.shared.state.wait_while(unreleased);
    }

    fn hold(&self) -> Held<'_> {
        self.shared.state.change(|state| state.held += 1);
        Held(self)
    }
}

/// Counts a held call until it is let go or cancelled.
struct Held<'a>(&'a Script);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.shared.state.change(|state| state.held -= 1);
    }
}

/// A sink behind a [`Script`].
pub struct ScriptedSink {
    script: Script,
    sink: Box<dyn Sink>,
}

impl std::fmt::Debug for ScriptedSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScriptedSink").finish_non_exhaustive()
    }
}

impl ScriptedSink {
    async fn store(&mut self, batch: &Batch) -> Result<(), SinkError> {
        match self.script.refusal(batch) {
            Some(refusal) => Err(refusal),
            None => self.sink.deliver(batch).await,
        }
    }

    async fn play(&mut self, turn: Turn, batch: &Batch) -> Result<(), SinkError> {
        match turn.answer {
            Answer::Store => self.store(batch).await,
            Answer::StoreThenRetry => {
                self.store(batch).await?;
                Err(SinkError::retry("the script lost the answer"))
            }
            Answer::StoreThenHang => {
                self.store(batch).await?;
                pending().await
            }
            Answer::StoreThenPanic => {
                self.store(batch).await?;
                panics()
            }
            _ => {
                play_fault(&self.script, turn).await?;
                self.store(batch).await
            }
        }
    }
}

/// What happens before anything is stored.
async fn play_fault(script: &Script, turn: Turn) -> Result<(), SinkError> {
    match turn.answer {
        Answer::Retry => Err(SinkError::retry("the script fails")),
        Answer::RetryAfter(after) => Err(SinkError::Retry {
            reason: "the script asks to wait".to_owned(),
            after: Some(after),
            unsent: false,
        }),
        Answer::Unsent => Err(SinkError::retry("the script has no connection").unsent()),
        Answer::Block => Err(SinkError::blocked("the script blocks")),
        Answer::Refuse => Err(SinkError::refused(Vec::new(), "the script refuses")),
        Answer::Panic => panics(),
        Answer::Hang => {
            script.hang(turn.releases).await;
            Ok(())
        }
        Answer::BlockThread => {
            script.block_thread(turn.releases);
            Ok(())
        }
        Answer::Slow(time) => {
            // Sleep: being slow is what the test asked for.
            tokio::time::sleep(time).await;
            Ok(())
        }
        _ => Ok(()),
    }
}

#[expect(clippy::panic, reason = "the test asked for it")]
fn panics() -> Result<(), SinkError> {
    panic!("the script panics")
}

impl Sink for ScriptedSink {
    fn kind(&self) -> &'static str {
        self.sink.kind()
    }

    fn address(&self) -> String {
        self.sink.address()
    }

    fn limits(&self) -> Limits {
        self.sink.limits()
    }

    fn position<'a>(&'a mut self, origin: &'a Origin) -> SinkFuture<'a, Option<u64>> {
        Box::pin(async {
            let usual = self.script.usual();
            if matches!(usual.answer, Answer::Retry | Answer::Block | Answer::Hang) {
                play_fault(&self.script, usual).await?;
            }
            self.sink.position(origin).await
        })
    }

    fn probe(&mut self) -> SinkFuture<'_, ()> {
        Box::pin(async {
            let usual = self.script.usual();
            if matches!(usual.answer, Answer::Retry | Answer::Block | Answer::Hang) {
                play_fault(&self.script, usual).await?;
            }
            self.sink.probe().await
        })
    }

    fn test<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        Box::pin(async {
            play_fault(&self.script, self.script.usual()).await?;
            self.sink.test(batch).await
        })
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        Box::pin(async {
            let turn = self.script.arrive(batch);
            self.play(turn, batch).await
        })
    }

    fn concerns(&mut self) -> SinkFuture<'_, Vec<String>> {
        self.sink.concerns()
    }

    fn close(&mut self) -> SinkFuture<'_, ()> {
        self.sink.close()
    }
}
