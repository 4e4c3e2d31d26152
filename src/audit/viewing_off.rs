//! Without the feature `viewer` there is none to end.

/// The viewers of a trail: there are none.
#[derive(Debug, Default)]
pub(super) struct Viewers {}

impl Viewers {
    pub(super) const fn close(&self) {}
}
