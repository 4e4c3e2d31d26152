//! `tower-audit prune`.

use std::{path::PathBuf, time::Duration};

use clap::Args as ClapArgs;
use tower_audit::retention::{Plan, Retention};

use crate::{
    exit::{End, Failure},
    output::{Output, clean},
    retention::{At, failed, now},
};

pub(crate) const HELP: &str = "\
Examples:
  tower-audit prune --store sqlite://audit.db --policy retention.toml --dry-run
  tower-audit prune --store sqlite://audit.db --policy retention.toml --yes --record /var/lib/docs/audit
  tower-audit prune --store 'postgres://owner@db/docs?password_file=/run/owner' --policy retention.toml --yes

A service may write meanwhile. What is held stays, whatever the policy says: see `tower-audit hold`.
Number and leaf of each removed record stay, so that `tower-audit verify --store` still computes the
tree over all of them. Interrupted, it has done whole steps; the next run goes on.
Exit codes: 0 it is done, 1 something was left for the next time, 2 it could not be done.";

#[derive(Debug, ClapArgs)]
pub(crate) struct PruneArgs {
    #[command(flatten)]
    pub(crate) at: At,
    /// The retention policy, a TOML file
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
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
    let mut pruner = args.at.open().await?;
    if let Some(idle) = args.idle {
        pruner = pruner.idle(idle);
    }
    let now = now();
    if !args.yes {
        let plan = pruner.plan(&retention, now).await.map_err(failed)?;
        show(&plan, &plan, args.at.json, output)?;
        if args.dry_run {
            return Ok(End::Good);
        }
        output.flush()?;
        return Err(Failure::said(
            "nothing was removed: say --yes, or --dry-run",
        ));
    }
    let report = pruner.prune(&retention, now).await.map_err(failed)?;
    show(&report.done, &report, args.at.json, output)?;
    for left in &report.left {
        output.note(&clean(left));
    }
    output.flush()?;
    args.at
        .write_down(output, |audit| audit.record_prune(&report))
        .await?;
    Ok(if report.complete {
        End::Good
    } else {
        End::Wrong
    })
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
