//! `tower-audit hold`: what nobody's policy removes.

use clap::{Args as ClapArgs, Subcommand};
use tower_audit::retention::{Filter, Hold};

use crate::{
    exit::{End, Failure},
    output::{Output, clean},
    retention::{At, failed, now},
};

pub(crate) const HELP: &str = "\
Examples:
  tower-audit hold add --store sqlite://audit.db --reason 'case 7' actor=146 from=2026-01-01
  tower-audit hold add --store sqlite://audit.db --reason 'case 8' 'action=document.*' tenant=42
  tower-audit hold list --store sqlite://audit.db
  tower-audit hold release --store sqlite://audit.db --by ann 7c9e6679-7425-40de-944b-e07fc1f90ae7

A record is held when every parameter matches. They are those of a search: action, category, actor,
actor_type, target (type:id), outcome, ip, session, request, tenant, application, service, q (a text),
from, to. A hold also keeps what is yet to come, until it is released, which is done once.";

#[derive(Debug, Subcommand)]
pub(crate) enum HoldCommand {
    /// Hold every record that matches
    #[command(after_help = HELP)]
    Add(AddArgs),
    /// Show the holds, released ones too
    #[command(after_help = HELP)]
    List(ListArgs),
    /// Let the records of a hold go again
    #[command(after_help = HELP)]
    Release(ReleaseArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AddArgs {
    #[command(flatten)]
    at: At,
    /// Why, for whoever is to release it
    #[arg(long)]
    reason: String,
    /// Hold all records
    #[arg(long, conflicts_with = "filter", required_unless_present = "filter")]
    everything: bool,
    /// Which records, such as actor=146
    #[arg(value_name = "NAME=VALUE", value_parser = parameter)]
    filter: Vec<(String, String)>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    at: At,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReleaseArgs {
    #[command(flatten)]
    at: At,
    /// The id of the hold, as the list shows it
    id: String,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    if value.is_empty() {
        return Err("write name=value, such as actor=146".into());
    }
    Ok((name.to_owned(), value.to_owned()))
}

pub(crate) async fn run(command: &HoldCommand, output: &mut Output) -> Result<End, Failure> {
    match command {
        HoldCommand::Add(args) => {
            let parameters = args.filter.iter();
            let parameters = parameters.map(|(name, value)| (name, value.as_str()));
            let filter = Filter::new(parameters, now());
            let filter = filter.map_err(Failure::of)?;
            let mut pruner = args.at.open().await?;
            let hold = pruner
                .hold(&filter, &args.reason, args.at.who.by(), now())
                .await;
            done(&args.at, &hold.map_err(failed)?, output).await
        }
        HoldCommand::List(args) => {
            for hold in args.at.open().await?.holds().await.map_err(failed)? {
                show(&hold, args.at.who.json, output)?;
            }
            Ok(End::Good)
        }
        HoldCommand::Release(args) => {
            let mut pruner = args.at.open().await?;
            let hold = pruner.release(&args.id, args.at.who.by(), now()).await;
            done(&args.at, &hold.map_err(failed)?, output).await
        }
    }
}

async fn done(at: &At, hold: &Hold, output: &mut Output) -> Result<End, Failure> {
    show(hold, at.who.json, output)?;
    output.flush()?;
    at.who
        .write_down(output, |audit| audit.record_hold(hold))
        .await?;
    Ok(End::Good)
}

fn show(hold: &Hold, json: bool, output: &mut Output) -> Result<(), Failure> {
    if json {
        output.json(hold)?;
        return Ok(());
    }
    let what = match &hold.filter {
        Some(filter) => filter.to_string(),
        None => format!("everything: not understood here: {}", hold.stored_filter),
    };
    let (id, since, by, reason) = (&hold.id, hold.since, &hold.by, &hold.reason);
    let mut line = format!("{id}  {since}  {by}: {reason}  [{what}]");
    if let (Some(at), Some(by)) = (hold.released, &hold.released_by) {
        line.push_str(&format!("  released {at} by {by}"));
    }
    output.line(&clean(&line))?;
    Ok(())
}
