//! The outbox of a running trail: one thread removes the rows whose record is durable, the keeper
//! looks for rows that dead processes left.

mod left;
mod remover;

use std::{io, sync::Arc};

use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{capture::Recorder, outbox::Outbox, record::Owner};

use super::AuditBuilder;

pub(super) use self::left::LeftOvers;
use self::remover::Trouble;

/// Rows that may wait to be removed; past it they are left for the next start.
const QUEUE: usize = 16 * 1024;

impl AuditBuilder {
    /// Keeps records in the service's own database, in the transactions that they are about.
    /// Default: none. One outbox for a trail; see [`outbox`](crate::outbox).
    pub fn outbox(mut self, outbox: impl Into<Outbox>) -> Self {
        self.outbox = Given(Some(outbox.into()));
        self
    }
}

/// What the builder was given.
#[derive(Debug, Default)]
pub(super) struct Given(Option<Outbox>);

/// The thread that removes rows, if there is an outbox.
#[derive(Debug, Default)]
pub(super) struct Remover(Option<remover::Handle>);

impl Given {
    /// Starts what works on the rows of the trail of this id.
    pub(super) fn start(
        self,
        recorder: &Recorder,
        trail: Uuid,
    ) -> io::Result<(Remover, LeftOvers)> {
        let Some(outbox) = self.0 else {
            return Ok(Default::default());
        };
        let owner = Owner {
            trail,
            run: Uuid::new_v4(),
        };
        let (sender, queue) = mpsc::channel(QUEUE);
        let trouble = Arc::new(Trouble::default());
        let mark = recorder.inbox().mark();
        let removing = remover::start(outbox.removing, queue, mark, Arc::clone(&trouble))?;
        recorder.drafts().attach(owner, sender);
        let looking = left::Looking::new(owner, outbox.looking, outbox.abandoned_after, trouble);
        Ok((Remover(Some(removing)), LeftOvers::new(looking)))
    }
}

impl Remover {
    /// Removes what is durable by now, until `deadline` at most. The rest stays for the next start.
    pub(super) fn stop(&self, deadline: std::time::Instant) {
        if let Some(handle) = &self.0 {
            handle.stop(deadline);
        }
    }
}
