//! `tower-audit catalog`.

use clap::Args as ClapArgs;
use serde::Serialize;
use tower_audit::{
    record::{Catalogue, Declaration},
    store::{Field, Reach, Store},
};

use crate::{
    exit::{End, Failure},
    output::{Output, clean},
    seen::Seen,
    verify::open,
};

pub(crate) const HELP: &str = "\
Examples:
  tower-audit catalog > actions.md
  tower-audit catalog --store sqlite://audit.db
  tower-audit catalog --store sqlite://audit.db --json | jq -r 'select(.outcomes.denied) | .action'

Without a store, the actions that every trail records by itself, as a page of Markdown. With one,
the actions that it has: how many, how they ended, and when they were seen first and last. What a
service declares becomes such a page with Catalogue::to_markdown(), in the service itself.";

#[derive(Debug, ClapArgs)]
pub(crate) struct CatalogArgs {
    /// The store whose actions are listed, such as sqlite://audit.db
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// Print one line of JSON for each action
    #[arg(long)]
    pub(crate) json: bool,
}

/// So many different actions are looked at.
const MAX_ACTIONS: usize = 1000;

pub(crate) async fn run(args: &CatalogArgs, output: &mut Output) -> Result<End, Failure> {
    match &args.store {
        Some(store) => of_store(&open(store).await?, args.json, output).await?,
        None => own(args.json, output)?,
    }
    Ok(End::Good)
}

#[derive(Serialize)]
struct Listed<'a> {
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

impl<'a> From<&'a Declaration> for Listed<'a> {
    fn from(declared: &'a Declaration) -> Self {
        Self {
            action: declared.action.as_str(),
            category: declared.category_or_noun(),
            description: declared.description.as_deref(),
        }
    }
}

fn own(is_json: bool, output: &mut Output) -> Result<(), Failure> {
    let catalogue = Catalogue::own();
    if is_json {
        for declared in catalogue.iter() {
            output.json(&Listed::from(declared))?;
        }
        return Ok(());
    }
    output.line("# What every trail records by itself")?;
    output.line("")?;
    for line in catalogue.to_markdown().lines() {
        output.line(line)?;
    }
    Ok(())
}

/// An action as a store has it.
#[derive(Serialize)]
struct SeenAction<'a> {
    action: &'a str,
    #[serde(flatten)]
    seen: Seen,
}

async fn of_store(store: &Store, is_json: bool, output: &mut Output) -> Result<(), Failure> {
    let all = Reach::default();
    let choices = store.choices(Field::Action, &all, MAX_ACTIONS).await;
    let choices = choices.map_err(Failure::of)?;
    if !is_json {
        output.line("| action | records | outcomes | first | last |")?;
        output.line("|---|---|---|---|---|")?;
    }
    {
        let meter = output.meter("counting");
        for (done, action) in (0..).zip(&choices.values) {
            meter.tell(done, choices.values.len() as u64);
            let Some(seen) = Seen::action(store, action).await? else {
                // Removed since it was listed.
                continue;
            };
            if is_json {
                output.json(&SeenAction { action, seen })?;
            } else {
                output.line(&row(action, &seen))?;
            }
        }
    }
    if !choices.is_complete {
        output.note(&format!("the first {MAX_ACTIONS} actions of more"));
    }
    Ok(())
}

fn row(action: &str, seen: &Seen) -> String {
    let outcomes: Vec<String> = seen
        .outcomes
        .iter()
        .map(|(outcome, count)| format!("{outcome} {count}"))
        .collect();
    format!(
        "| {} | {} | {} | {} | {} |",
        cell(action),
        seen.count(),
        cell(&outcomes.join(", ")),
        seen.first,
        seen.last
    )
}

/// Text that does not end a cell of a table, and is no markup.
fn cell(text: &str) -> String {
    let text = clean(text).replace('&', "&amp;").replace('<', "&lt;");
    text.replace('|', "\\|").replace('`', "\\`")
}
