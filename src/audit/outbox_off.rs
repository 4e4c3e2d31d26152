//! Stands in for the outbox where no database is built in.

use std::{io, time::Instant};

use uuid::Uuid;

use crate::capture::Recorder;

use super::{
    adoption::Adoption,
    keeper::{Keeper, Shared},
};

/// What the builder was given: nothing.
#[derive(Debug, Default)]
pub(super) struct Given {}

/// What removes rows: nothing.
#[derive(Debug)]
pub(super) struct Remover;

/// What looks for rows: nothing.
#[derive(Debug, Default)]
pub(super) struct LeftOvers;

impl Given {
    pub(super) fn start(self, _: &Recorder, _: Uuid) -> io::Result<(Remover, LeftOvers)> {
        Ok((Remover, LeftOvers))
    }
}

impl Remover {
    pub(super) fn stop(&self, _deadline: Instant) {}
}

impl LeftOvers {
    pub(super) fn look(&mut self, _: &Keeper, _: &Adoption, _: &Shared) {}
}
