//! Without the feature `tracing` there is nothing to listen to.

use crate::capture::Recorder;

use super::keeper::Shared;

/// Nothing to attach.
#[derive(Debug, Default)]
pub(super) struct Listening {}

impl Listening {
    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(super) const fn test(&mut self) {}

    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(super) const fn attach(&self, _: &Recorder, _: &Shared) {}
}
