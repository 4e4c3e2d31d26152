//! Which records are wanted: the parameters of the viewer's addresses, as flags.

use clap::Args;
use tower_audit::{
    clock::{Clock, SystemClock},
    store::Query,
};

use crate::exit::Failure;

/// The filters of every command that reads a store.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Filter {
    /// Only this action (user.login), or all that begin so (user.*)
    #[arg(long, value_name = "ACTION")]
    pub(crate) action: Option<String>,
    /// Only actions of this category
    #[arg(long, value_name = "CATEGORY")]
    pub(crate) category: Option<String>,
    /// Only what the actor with this id did
    #[arg(long, value_name = "ID")]
    pub(crate) actor: Option<String>,
    /// Only what a user, service, system, anonymous or unknown actor did
    #[arg(long, value_name = "TYPE")]
    pub(crate) actor_type: Option<String>,
    /// Only what was done to this: document:4cq, document:*, or an id alone
    #[arg(long, value_name = "TARGET")]
    pub(crate) target: Option<String>,
    /// Only success, failure, denied, error, cancelled or unknown
    #[arg(long, value_name = "OUTCOME")]
    pub(crate) outcome: Option<String>,
    /// Only what came from this address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Option<String>,
    /// Only what was done in this session: the hash that `session-hash` prints
    #[arg(long, value_name = "HASH", value_parser = session)]
    pub(crate) session: Option<String>,
    /// Only what belongs to the request with this id
    #[arg(long, value_name = "ID")]
    pub(crate) request: Option<String>,
    /// Only what belongs to the tenant with this id
    #[arg(long, value_name = "ID")]
    pub(crate) tenant: Option<String>,
    /// Only what was done through the application with this id
    #[arg(long, value_name = "ID")]
    pub(crate) application: Option<String>,
    /// Only what this service recorded
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// Only with this text in a name, an id, the reason or details; slow
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// Only what began at this time or later
    #[arg(long, value_name = "TIME", conflicts_with = "all")]
    pub(crate) from: Option<String>,
    /// Only what began before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Look at all times
    #[arg(long)]
    pub(crate) all: bool,
    /// Show what the reading of records left, too (audit.read, audit.export)
    #[arg(long)]
    pub(crate) reads: bool,
}

pub(crate) const OUTCOMES: [&str; 6] = [
    "success",
    "failure",
    "denied",
    "error",
    "cancelled",
    "unknown",
];

/// How far back is looked when nothing says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// The last 7 days.
    Week,
    /// All times.
    All,
}

impl Filter {
    /// Whether only the last 7 days are looked at, because nothing else was said.
    pub(crate) const fn is_default_range(&self) -> bool {
        self.from.is_none() && !self.all
    }

    pub(crate) fn query(&self, otherwise: Otherwise) -> Result<Query, Failure> {
        let is_all = self.all || (self.from.is_none() && otherwise == Otherwise::All);
        // Whoever asks for them by name wants them.
        let names_reads = |action: &String| action.starts_with("audit.");
        let is_reads = self.reads || self.action.as_ref().is_some_and(names_reads);
        let pairs = [
            ("action", &self.action),
            ("category", &self.category),
            ("actor", &self.actor),
            ("actor_type", &self.actor_type),
            ("target", &self.target),
            ("outcome", &self.outcome),
            ("ip", &self.ip),
            ("session", &self.session),
            ("request", &self.request),
            ("tenant", &self.tenant),
            ("application", &self.application),
            ("service", &self.service),
            ("q", &self.text),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let given = pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let given: Vec<(&str, &str)> = given.collect();
        // An address may have empty fields of a form; here it is a script whose variable is empty,
        // which must not get everything.
        if let Some((name, _)) = given.iter().find(|(_, value)| value.is_empty()) {
            let flag = flag(name);
            return Err(Failure::said(format!("{flag} is empty: leave it out")));
        }
        let switches = [("range", "all", is_all), ("reads", "1", is_reads)];
        let switches = switches.into_iter().filter(|(.., is_on)| *is_on);
        let switches = switches.map(|(name, value, _)| (name, value));
        Query::from_params(given.into_iter().chain(switches), SystemClock::new().now())
            .map_err(|error| Failure::said(format!("{}: {}", flag(&error.parameter), error.reason)))
    }
}

fn flag(parameter: &str) -> String {
    match parameter {
        "q" => "--text".to_owned(),
        other => format!("--{}", other.replace('_', "-")),
    }
}

/// The hash of a session. The id itself would find nothing, and does not belong on a command line.
fn session(text: &str) -> Result<String, String> {
    if text.starts_with("hmac-sha256:") {
        return Ok(text.to_owned());
    }
    Err("give the hash, not the id: tower-audit session-hash makes it of the id".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        filter: Filter,
    }

    fn params(args: &[&str]) -> Result<Vec<(&'static str, String)>, String> {
        let line = Line::try_parse_from([&["x"][..], args].concat());
        let line = line.map_err(|error| error.to_string())?;
        let query = line.filter.query(Otherwise::All);
        query
            .map(|query| query.params())
            .map_err(|failure| match failure {
                Failure::Said(what) => what,
                Failure::Closed => "closed".to_owned(),
            })
    }

    #[test]
    fn every_flag_is_the_parameter_of_the_same_name() {
        let given = params(&[
            "--action=user.*",
            "--category=c",
            "--actor=146",
            "--actor-type=user",
            "--target=doc:7",
            "--outcome=denied",
            "--ip=2001:DB8::1",
            "--session=hmac-sha256:k1:9f",
            "--request=r",
            "--tenant=t",
            "--application=a",
            "--service=s",
            "--text=x",
            "--from=2026-11-01",
            "--to=2026-12-01",
            "--reads",
        ]);
        let expected = [
            ("from", "2026-11-01T00:00:00.000000Z"),
            ("to", "2026-12-01T00:00:00.000000Z"),
            ("action", "user.*"),
            ("category", "c"),
            ("actor", "146"),
            ("actor_type", "user"),
            ("target", "doc:7"),
            ("outcome", "denied"),
            ("ip", "2001:db8::1"),
            ("session", "hmac-sha256:k1:9f"),
            ("request", "r"),
            ("tenant", "t"),
            ("application", "a"),
            ("service", "s"),
            ("q", "x"),
            ("reads", "1"),
        ];
        let expected = expected.map(|(name, value)| (name, value.to_owned()));
        assert_eq!(given, Ok(expected.to_vec()));
    }

    #[test]
    fn reads_are_left_out_unless_asked_for() {
        let all = || ("range", "all".to_owned());
        let reads = || ("reads", "1".to_owned());
        assert_eq!(params(&[]), Ok(vec![all()]));
        assert_eq!(params(&["--all", "--reads"]), Ok(vec![all(), reads()]));
        let named = params(&["--action=audit.read"]);
        assert_eq!(
            named,
            Ok(vec![all(), ("action", "audit.read".to_owned()), reads()])
        );
    }

    #[test]
    fn what_is_wrong_is_told_by_the_name_of_its_flag() {
        for (args, expected) in [
            (&["--from=yesterday"][..], "--from: write 2026"),
            (&["--actor-type=robot"], "--actor-type: write user"),
            (&["--actor="], "--actor is empty"),
            (&["--text="], "--text is empty"),
            (&["--session=abc"], "session-hash"),
            (&["--from=1h", "--all"], "cannot be used with"),
        ] {
            let error = params(args).unwrap_err();
            assert!(error.contains(expected), "{args:?}: {error}");
        }
    }
}
