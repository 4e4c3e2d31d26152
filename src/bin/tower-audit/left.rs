//! What `tower-audit prune` removes of a service that is stopped: dead letters and rotated files.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde::Serialize;
use tower_audit::{
    clock::Timestamp,
    retention::{Beside, Hold, LeftBehind, Retention},
};

use crate::{
    exit::{End, Failure},
    output::{Output, clean},
    prune::PruneArgs,
};

/// Where to look.
#[derive(Debug, ClapArgs)]
pub(crate) struct Left {
    /// The audit directory of a service that is stopped: old dead letters in its trails go too
    #[arg(long)]
    dir: Option<PathBuf>,
    /// A file sink of that service, such as file:///var/log/audit.jsonl: its old rotated files go too
    #[arg(long, value_name = "URL", requires = "dir")]
    sink: Vec<String>,
    /// What {instance} in the name of a file stands for
    #[arg(long, requires = "sink")]
    instance: Option<String>,
    /// There is no store, and so nobody placed a hold: without it, --dir needs --store
    #[arg(long, requires = "dir", conflicts_with = "store")]
    no_holds: bool,
}

impl Left {
    /// What was named, if anything was.
    pub(crate) fn find(&self, has_store: bool) -> Result<Option<LeftBehind>, Failure> {
        let Some(dir) = &self.dir else {
            return Ok(None);
        };
        if !has_store && !self.no_holds {
            return Err(Failure::said(
                "a hold could be about what is there: name the service's store with --store, which is \
                 pruned too, or say --no-holds when it has none",
            ));
        }
        let mut left = LeftBehind::new(dir);
        for sink in &self.sink {
            let named = left.file_sink(sink, self.instance.as_deref());
            left = named.map_err(Failure::of)?;
        }
        Ok(Some(left))
    }
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Printed<'a> {
    beside: &'a Beside,
}

pub(crate) async fn run(
    left: &LeftBehind,
    args: &PruneArgs,
    retention: &Retention,
    holds: &[Hold],
    now: Timestamp,
    output: &mut Output,
) -> Result<End, Failure> {
    let looked = if args.yes {
        left.remove(retention, holds, now)
    } else {
        left.plan(retention, holds, now)
    };
    let beside = looked.map_err(Failure::of)?;
    if args.who.json {
        output.json(&Printed { beside: &beside })?;
    } else {
        let Beside {
            dead_letters,
            files,
            ..
        } = beside;
        output.line(&format!(
            "  {dead_letters:>10} files of dead letters, {files} rotated files go"
        ))?;
        for kept in &beside.kept {
            output.line(&format!("  kept: {}", clean(kept)))?;
        }
    }
    output.flush()?;
    if args.yes && beside.dead_letters + beside.files + beside.failed > 0 {
        let by = args.who.by();
        args.who
            .write_down(output, |audit| audit.record_beside(&beside, &by))
            .await?;
    }
    Ok(if beside.failed == 0 {
        End::Good
    } else {
        End::Wrong
    })
}
