//! Stands in for retention where no database is built in.

use std::{sync::Arc, time::Instant};

use super::{builder::SinkToAdd, keeper::Shared, start::StartError};
use crate::{capture::Recorder, journal::Base};

/// What the builder was given: nothing.
#[derive(Debug, Default)]
pub(super) struct Given {}

/// What prunes: nothing.
#[derive(Debug)]
pub(super) struct Handle;

impl Given {
    #[expect(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "as where there is something to check"
    )]
    pub(super) fn check(&self) -> Result<(), StartError> {
        Ok(())
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "as where there is something to start"
    )]
    pub(super) fn start(
        self,
        _: &Recorder,
        _: &Arc<Shared>,
        _: &Base,
        _: &[SinkToAdd],
    ) -> Result<Handle, StartError> {
        Ok(Handle)
    }
}

impl Handle {
    pub(super) fn stop(&self, _deadline: Instant) {}
}
