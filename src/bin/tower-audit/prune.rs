//! `tower-audit prune`.

use std::{path::PathBuf, time::Duration};

use clap::Args as ClapArgs;
use tower_audit::{
    clock::Timestamp,
    retention::{Hold, Plan, Retention},
};

use crate::{
    exit::{End, Failure},
    left::{self, Left},
    output::{Output, clean},
    retention::{Who, failed, now},
};

pub(crate) const HELP: &str = "\
Examples:
  tower-audit prune --store sqlite://audit.db --policy retention.toml --dry-run
  tower-audit prune --store sqlite://audit.db --policy retention.toml --yes --record /var/lib/docs/audit
  tower-audit prune --store 'postgres://owner@db/docs?password_file=/run/owner' --policy retention.toml --yes
  tower-audit prune --dir /var/lib/docs/audit --sink file:///var/log/audit.jsonl \\
      --store sqlite://audit.db --policy retention.toml --dry-run

A service may write meanwhile. What is held stays, whatever the policy says: see `tower-audit hold`.
Number and leaf of each removed record stay, so that `tower-audit verify --store` still computes the
tree over all of them. Interrupted, it has done whole steps; the next run goes on.
--dir is for a service that is stopped; one that runs sees to its own, and its trail is left to it.
Exit codes: 0 it is done, 1 something was left for the next time, 2 it could not be done.";

#[derive(Debug, ClapArgs)]
pub(crate) struct PruneArgs {
    /// The store, such as sqlite://audit.db, or - to read its address; as a user who may remove records
    #[arg(long, value_name = "URL", required_unless_present = "dir")]
    pub(crate) store: Option<String>,
    #[command(flatten)]
    pub(crate) who: Who,
    /// The retention policy, a TOML file
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    #[command(flatten)]
    pub(crate) left: Left,
    /// Only say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Remove it
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
    /// How long nothing may have been recorded, such as 30d: longer than for a service that runs
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) idle: Option<Duration>,
}

fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "write a time in days or hours, such as 30d or 36h".to_owned();
    let split = text
        .len()
        .checked_sub(1)
        .and_then(|last| text.split_at_checked(last));
    let (number, unit) = split.ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_error| wrong())?;
    let seconds = match unit {
        "d" => number.checked_mul(86_400),
        "h" => number.checked_mul(3600),
        _ => None,
    };
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}

pub(crate) async fn run(args: &PruneArgs, output: &mut Output) -> Result<End, Failure> {
    let retention = Retention::from_toml_file(&args.policy).map_err(Failure::of)?;
    // What is wrong with it is told before anything goes.
    let left = args.left.find(args.store.is_some())?;
    let now = now();
    let of_store = match &args.store {
        Some(store) => Some(of_store(args, store, &retention, now, output).await?),
        None => None,
    };
    let (mut end, holds) = of_store.unwrap_or((End::Good, Vec::new()));
    if let Some(left) = left {
        let is_left = left::run(&left, args, &retention, &holds, now, output).await?;
        end = if end == End::Good { is_left } else { end };
    }
    if args.yes || args.dry_run {
        return Ok(end);
    }
    output.flush()?;
    Err(Failure::said(
        "nothing was removed: say --yes, or --dry-run",
    ))
}

/// Prunes the store, or says what that would do; gives its holds too.
async fn of_store(
    args: &PruneArgs,
    store: &str,
    retention: &Retention,
    now: Timestamp,
    output: &mut Output,
) -> Result<(End, Vec<Hold>), Failure> {
    let mut pruner = args.who.open(store).await?;
    if let Some(idle) = args.idle {
        pruner = pruner.idle(idle);
    }
    if !args.yes {
        let plan = pruner.plan(retention, now).await.map_err(failed)?;
        show(&plan, &plan, args.who.json, output)?;
        return Ok((End::Good, pruner.holds().await.map_err(failed)?));
    }
    let report = pruner.prune(retention, now).await.map_err(failed)?;
    show(&report.done, &report, args.who.json, output)?;
    for left in &report.left {
        output.note(&clean(left));
    }
    output.flush()?;
    args.who
        .write_down(output, |audit| audit.record_prune(&report))
        .await?;
    let end = if report.complete {
        End::Good
    } else {
        End::Wrong
    };
    Ok((end, pruner.holds().await.map_err(failed)?))
}

fn show(
    plan: &Plan,
    whole: &impl serde::Serialize,
    json: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    if json {
        output.json(whole)?;
        return Ok(());
    }
    for line in plan.to_string().lines() {
        output.line(&clean(line))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(time("2d"), Ok(Duration::from_secs(172_800)));
        assert_eq!(time("36h"), Ok(Duration::from_secs(129_600)));
        for wrong in ["", "d", "2", "-1d", "2w", "99999999999999999999d", "ä"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
