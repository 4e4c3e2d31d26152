//! What the retention commands have in common, and their arguments.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use tower_audit::{
    Audit,
    clock::{Clock as _, SystemClock, Timestamp},
    retention::{Pruner, RetentionError},
};

use crate::{
    exit::{End, Failure},
    hold::{self, HoldCommand},
    output::Output,
    prune::{self, PruneArgs},
    recording::{close, person},
    sink::address,
};

#[derive(Debug, Subcommand)]
pub(crate) enum RetentionCommand {
    /// Remove from a store what a retention policy lets go
    #[command(after_help = prune::HELP)]
    Prune(PruneArgs),
    /// Keep records of a store, whatever any policy says
    #[command(subcommand, after_help = hold::HELP)]
    Hold(HoldCommand),
}

/// Which store, who does it, and where it is written down.
#[derive(Debug, ClapArgs)]
pub(crate) struct At {
    /// The store, such as sqlite://audit.db, or - to read its address; as a user who may remove records
    #[arg(long, value_name = "URL")]
    pub(crate) store: String,
    #[command(flatten)]
    pub(crate) who: Who,
}

/// Who does it, and where it is written down.
#[derive(Debug, ClapArgs)]
pub(crate) struct Who {
    /// Who does it, for the record of it
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// The audit directory of the service: the record of it goes there and is delivered by it
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,
    /// Print one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl At {
    pub(crate) async fn open(&self) -> Result<Pruner, Failure> {
        self.who.open(&self.store).await
    }
}

impl Who {
    /// Who does it; whoever is logged in, when nobody is named.
    pub(crate) fn by(&self) -> String {
        person(self.by.as_deref())
    }

    pub(crate) async fn open(&self, store: &str) -> Result<Pruner, Failure> {
        let store = address(store)?;
        let pruner = Pruner::open(&store).await.map_err(Failure::of)?;
        Ok(pruner.by(self.by()))
    }

    /// Writes something down in the service's directory, or says that it is not.
    pub(crate) async fn write_down(
        &self,
        output: &mut Output,
        write: impl FnOnce(&Audit) -> bool,
    ) -> Result<(), Failure> {
        let Some(dir) = &self.record else {
            output.note("not written into a trail; --record DIR does that");
            return Ok(());
        };
        let audit = Audit::builder("tower-audit").dir(dir).start().await;
        let audit = audit.map_err(|error| Failure::of(error).and(NOT_WRITTEN))?;
        let is_taken = write(&audit);
        close(audit, is_taken, NOT_WRITTEN).await
    }
}

const NOT_WRITTEN: &str = "; it was done, and noted in the store, but is not in the trail";

pub(crate) fn now() -> Timestamp {
    SystemClock::new().now()
}

/// An error, and what to do about it here.
pub(crate) fn failed(error: RetentionError) -> Failure {
    let advice = match &error {
        RetentionError::Clock { .. } => "; here: --idle 30d",
        _ => "",
    };
    Failure::of(error).and(advice)
}

pub(crate) async fn run(command: &RetentionCommand, output: &mut Output) -> Result<End, Failure> {
    match command {
        RetentionCommand::Prune(args) => prune::run(args, output).await,
        RetentionCommand::Hold(command) => hold::run(command, output).await,
    }
}
