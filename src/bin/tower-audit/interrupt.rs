//! Whoever wants the program to end: a person at a terminal, or a service manager.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Failure;

#[derive(Debug)]
pub(crate) struct Interrupt {
    person: Signal,
    manager: Signal,
}

impl Interrupt {
    /// From now on a signal no longer ends the program by itself.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let on =
            |kind| signal(kind).map_err(|error| Failure::new("cannot listen for signals", error));
        Ok(Self {
            person: on(SignalKind::interrupt())?,
            manager: on(SignalKind::terminate())?,
        })
    }

    /// Waits for one, and says what it was.
    pub(crate) async fn told(&mut self) -> &'static str {
        tokio::select! {
            _ = self.person.recv() => "interrupted",
            _ = self.manager.recv() => "told to end",
        }
    }
}
