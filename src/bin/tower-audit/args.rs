//! What can be asked for.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use tower_audit::{
    evidence::TreeHead,
    format::{Format, FormatError},
    record::ActorType,
    verify::Expected,
};
use uuid::Uuid;

use crate::{
    catalog::{self, CatalogArgs},
    export::{self, ExportArgs},
    filter::OUTCOMES,
    query::{self, QueryArgs},
    retention::RetentionCommand,
    serve::{self, ServeArgs},
    sink::{self, SinkCommand},
    tail::{self, TailArgs},
};

/// Looks at audit trails and stores: who did what, and whether all of it is still there.
#[derive(Debug, Parser)]
#[command(name = "tower-audit", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// Say nothing but results and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 all is well, 1 something is wrong (a finding, a refused record), 2 it could not be done.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check that nothing in a trail or store was changed, added or removed
    #[command(after_help = VERIFY)]
    Verify(VerifyArgs),
    /// Show what is in a journal, and how far each sink has come, or what is in a store
    #[command(after_help = STATS)]
    Stats(StatsArgs),
    /// Show records of a store, newest first
    #[command(after_help = query::HELP)]
    Query(QueryArgs),
    /// Show the records of a store that arrived last, and those that still arrive
    #[command(after_help = tail::HELP)]
    Tail(TailArgs),
    /// Write records of a store into a file: CSV, JSON or JSON Lines
    #[command(after_help = export::HELP)]
    Export(ExportArgs),
    /// Show a store in the browser, to whoever has the token
    #[command(after_help = serve::HELP)]
    Serve(ServeArgs),
    /// Print the hash under which a session stands in the records
    #[command(after_help = SESSION_HASH)]
    SessionHash(SessionHashArgs),
    /// Deliver the records of a journal to a sink, once
    #[command(after_help = REPLAY)]
    Replay(ReplayArgs),
    /// Make the tables of a database, or bring them up to date, as their owner
    #[command(after_help = MIGRATE)]
    Migrate(MigrateArgs),
    #[command(flatten)]
    Retention(RetentionCommand),
    /// Try a sink out, before a service depends on it
    #[command(subcommand, after_help = sink::HELP)]
    Sink(SinkCommand),
    /// Check a policy file, and show what it makes of a request
    #[command(after_help = POLICY)]
    Policy(PolicyArgs),
    /// List the actions that every trail records, or those that a store has
    #[command(after_help = catalog::HELP)]
    Catalog(CatalogArgs),
    /// Show the formats that records are written in, and where each field goes
    #[command(after_help = FORMATS)]
    Formats(FormatsArgs),
}

const VERIFY: &str = "\
Examples:
  tower-audit verify /var/lib/docs/audit              all trails below a base directory
  tower-audit verify /var/lib/docs/audit/trail-0199…  one trail
  tower-audit verify --store sqlite://audit.db        what a sink stored
  tower-audit verify /var/lib/docs/audit --store sqlite://audit.db
                                                      both, and that they hold the same
  tower-audit verify DIR --expect 0199…:4711:9f86…    against a tree head that was kept elsewhere

A service may write meanwhile; nothing is locked or changed. Without a tree head from elsewhere the
check tells that a trail is consistent, not that nobody rewrote it as a whole.
Exit codes: 0 everything holds, 1 a finding, 2 it could not be checked.";

const STATS: &str = "\
Examples:
  tower-audit stats /var/lib/docs/audit
  tower-audit stats /var/lib/docs/audit --json | jq '.sinks[] | select(.behind > 1000)'
  tower-audit stats --store sqlite://audit.db

Whether a process holds a trail is found out by asking for its lock for a moment. Records of a store
are counted as far as one look goes; the answer says from when on.";

const SESSION_HASH: &str = "\
Examples:
  tower-audit session-hash --key-file /etc/docs/audit.key < session-id
  AUDIT_SESSION_KEY_FILE=/etc/docs/audit.key tower-audit session-hash < session-id
  tower-audit query --store sqlite://audit.db --session \"$(tower-audit session-hash < session-id)\"

The id is read from standard input, up to the end of its first line: as an argument it would stand
in the list of processes and in the history of the shell, and whoever reads it there can use it.
It is the value of the cookie or header as the client sends it, without quotes and `Bearer`.
The key is that of the service: the same AUDIT_SESSION_KEY or AUDIT_SESSION_KEY_FILE, or --key-file.";

const REPLAY: &str = "\
Examples:
  tower-audit replay /var/lib/docs/audit --to sqlite://copy.db
  tower-audit replay /var/lib/docs/audit --to 'file:///backup/audit.jsonl?compress=zstd'
  tower-audit replay /var/lib/docs/audit --to sqlite://audit.db --dead sqlite

A sink that keeps its own position gets only what it has not. The cursors of a service are not
moved, and it may run meanwhile. With --dead, what a sink refused is delivered again, from the
dead letters kept under its name; the file stays: remove it when all went well.
Exit codes: 0 everything is delivered, 1 some records were refused or are gone, 2 it was given up.";

const MIGRATE: &str = "\
Examples:
  tower-audit migrate sqlite://audit.db
  tower-audit migrate 'postgres://owner@db/docs?password_file=/run/owner' --service-role docs

For the owner of the tables, at each deployment, before the services start; they may run meanwhile.
PostgreSQL's records have a part for each month, and 12 months ahead are made: run it once a year at
least. The role that the service logs in with may insert and select from then on, and no more.";

const POLICY: &str = "\
Examples:
  tower-audit policy policy.toml
  tower-audit policy policy.toml --explain DELETE '/documents/{id}'
  tower-audit policy policy.toml --explain POST /login --action user.login --status 401
  tower-audit policy policy.toml --explain GET - --status 404

The route is its template, or - for a request on no route. Without --status, --outcome and --actor
only the arrival is explained. An outcome that is not given follows from the status. What a rule
asks for by action is held against the service's catalogue when the service starts.
Exit codes: 0 the file can be used, 1 it cannot, 2 it could not be read.";

const FORMATS: &str = "\
Examples:
  tower-audit formats
  tower-audit formats --explain ecs
  tower-audit formats --explain ocsf --json | jq -r 'select(.has_home | not) | .field'

What has no home in a format is not dropped: it is kept where only tower-audit puts something.";

#[derive(Debug, ClapArgs)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(true).args(["dir", "store"])))]
pub(crate) struct VerifyArgs {
    /// The base directory of a service's trails, or one trail in it
    pub(crate) dir: Option<PathBuf>,
    /// The store to check, such as sqlite://audit.db
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// A tree head that the trail must have, or have had; may be given more than once
    #[arg(long, value_name = "TRAIL:SIZE:ROOT", value_parser = expected)]
    pub(crate) expect: Vec<Expected>,
    /// A receipt that must hold; may be given more than once
    #[arg(long, value_name = "TRAIL:NUMBER:LEAF:SIZE:ROOT", value_parser = receipt)]
    pub(crate) receipt: Vec<Expected>,
    /// Print the whole report as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["dir", "store"])))]
pub(crate) struct StatsArgs {
    /// The base directory of a service's trails, or one trail in it
    pub(crate) dir: Option<PathBuf>,
    /// A store, such as sqlite://audit.db
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// Print one line of JSON for each trail, or for the store
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayArgs {
    /// The base directory of a service's trails, or one trail in it
    pub(crate) dir: PathBuf,
    /// The sink to fill, such as sqlite://copy.db, or - to read its address
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
    /// Only what the sink of this name refused; `tower-audit stats` shows which
    #[arg(long, value_name = "SINK")]
    pub(crate) dead: Option<String>,
    /// Print the counts as one line of JSON for each trail
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SessionHashArgs {
    /// The file with the service's key; without it the environment is asked
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct MigrateArgs {
    /// The database, such as postgres://owner@db.example/docs
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// The role of the service: it may insert and select, no more
    #[arg(long, value_name = "NAME")]
    pub(crate) service_role: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PolicyArgs {
    /// The policy, a TOML file
    pub(crate) file: PathBuf,
    /// Show which rules decide about such a request, and why
    #[arg(long, num_args = 2, value_names = ["METHOD", "ROUTE"], allow_hyphen_values = true)]
    pub(crate) explain: Option<Vec<String>>,
    /// The action that the catalogue gives the route
    #[arg(long, requires = "explain")]
    pub(crate) action: Option<String>,
    /// The handler or the catalogue says something about it
    #[arg(long, requires = "explain")]
    pub(crate) annotated: bool,
    /// The status of the response
    #[arg(long, requires = "explain", value_parser = clap::value_parser!(u16).range(100..=999))]
    pub(crate) status: Option<u16>,
    /// Success, failure, denied, error, cancelled or unknown
    #[arg(long, requires = "explain", value_parser = OUTCOMES, hide_possible_values = true)]
    pub(crate) outcome: Option<String>,
    /// Who acted: user, service, system, anonymous or unknown
    #[arg(long, requires = "explain", value_name = "TYPE", value_parser = actor)]
    pub(crate) actor: Option<ActorType>,
    /// Print one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct FormatsArgs {
    /// Show where each field of a record goes, in one format or in all
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    #[expect(
        clippy::option_option,
        reason = "clap's form of a flag with a value or without"
    )]
    pub(crate) explain: Option<Option<Format>>,
    /// Print one line of JSON for each format, or each field
    #[arg(long)]
    pub(crate) json: bool,
}

/// How many records are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) Option<usize>);

pub(crate) fn limit(text: &str) -> Result<Limit, String> {
    match text {
        "none" => Ok(Limit(None)),
        text => match text.parse() {
            Ok(0) | Err(_) => Err("write a number from 1 on, or none".into()),
            Ok(limit) => Ok(Limit(Some(limit))),
        },
    }
}

fn format(text: &str) -> Result<Format, FormatError> {
    text.parse()
}

fn actor(text: &str) -> Result<ActorType, String> {
    ActorType::from_word(text)
        .ok_or_else(|| "write user, service, system, anonymous or unknown".into())
}

fn expected(text: &str) -> Result<Expected, String> {
    let [trail, size, root] = parts(text)?;
    Ok(Expected::head(uuid(trail)?, head(size, root)?))
}

fn receipt(text: &str) -> Result<Expected, String> {
    let [trail, number, leaf, size, root] = parts(text)?;
    let number = self::number("NUMBER", number)?;
    let head = head(size, root)?;
    if number >= head.size {
        return Err(
            "NUMBER must be smaller than SIZE: the receipt's tree covers its record".into(),
        );
    }
    let leaf = leaf.parse().map_err(|error| format!("LEAF: {error}"))?;
    Ok(Expected::receipt(uuid(trail)?, number, leaf, head))
}

fn parts<const N: usize>(text: &str) -> Result<[&str; N], String> {
    let parts: Vec<&str> = text.split(':').collect();
    let count = parts.len();
    parts
        .try_into()
        .map_err(|_| format!("{N} parts with colons between them expected, {count} found"))
}

fn uuid(text: &str) -> Result<Uuid, String> {
    let text = text.strip_prefix("trail-").unwrap_or(text);
    Uuid::try_parse(text).map_err(|error| format!("TRAIL: {error}"))
}

fn head(size: &str, root: &str) -> Result<TreeHead, String> {
    let root = root.parse().map_err(|error| format!("ROOT: {error}"))?;
    Ok(TreeHead::new(number("SIZE", size)?, root))
}

fn number(name: &str, text: &str) -> Result<u64, String> {
    text.parse().map_err(|error| format!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_declaration_of_arguments_holds() {
        Args::command().debug_assert();
    }

    #[test]
    fn what_is_expected_is_read_strictly() {
        let root = "0".repeat(64);
        let trail = "trail-0199aaaa-0000-7000-8000-000000000001";
        assert!(
            expected(&format!("{trail}:7:{root}")).is_ok_and(|expected| expected.head.size == 7)
        );
        assert!(
            receipt(&format!("{trail}:6:{root}:7:{root}"))
                .is_ok_and(|expected| expected.leaf.is_some())
        );
        for wrong in [
            "",
            "x:7",
            &format!("{trail}:x:{root}"),
            &format!("{trail}:7:{root}0"),
            &format!("x:7:{root}"),
        ] {
            let read = expected(wrong);
            assert!(read.is_err(), "{wrong}: {read:?}");
        }
        assert!(
            receipt(&format!("{trail}:7:{root}:7:{root}"))
                .is_err_and(|error| error.contains("NUMBER"))
        );
    }
}
