//! `tower-audit sink`: whether a destination takes records, before a service depends on it.

use std::{
    env, fs,
    io::{self, BufRead as _, Read as _},
    time::Duration,
};

use clap::{Args as ClapArgs, Subcommand};
use tower_audit::{
    offline::{Trial, TrialError},
    sink::{
        Sink,
        url::{self, Named},
    },
};

use crate::{
    exit::{End, Failure},
    output::Output,
};

pub(crate) const HELP: &str = "\
Examples:
  tower-audit sink test sqlite://audit.db
  tower-audit sink test - < collector.url         an address with a secret, read from standard input
  AUDIT_SINKS_FILE=/etc/docs/sinks tower-audit sink test --name splunk
  AUDIT_SINKS_FILE=/etc/docs/sinks tower-audit sink probe
                                                  every sink of the environment

As an argument an address stands in the list of processes and in the history of the shell; one
with a secret belongs into a file, or takes the secret from one (?token_file=).
The event has the action audit.sink_test and belongs to no trail. A database takes it back.
Exit codes: 0 every sink took it, 1 some sink did not, 2 an address is wrong or could not be read.";

#[derive(Debug, Subcommand)]
pub(crate) enum SinkCommand {
    /// Send one event that says it is a test
    #[command(after_help = HELP)]
    Test(SinkArgs),
    /// Ask whether records would be taken, and leave nothing there
    #[command(after_help = HELP)]
    Probe(SinkArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SinkArgs {
    /// The sink's address, or - to read it from standard input; without it, those of AUDIT_SINKS
    #[arg(conflicts_with = "name")]
    pub(crate) url: Option<String>,
    /// Only the sink of this name in AUDIT_SINKS or AUDIT_SINKS_FILE
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// What {instance} in the name of a file stands for
    #[arg(long)]
    pub(crate) instance: Option<String>,
    /// How long a sink may take for its answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) timeout: u64,
}

/// What an address, or a list of them, may have at most.
const MAX_BYTES: u64 = 64 * 1024;

pub(crate) fn run(command: &SinkCommand, output: &mut Output) -> Result<End, Failure> {
    let (SinkCommand::Test(args) | SinkCommand::Probe(args)) = command;
    let mut end = End::Good;
    let mut sinks = Vec::new();
    // All are read before the first is tried: a typo is told at once.
    for sink in chosen(args)? {
        sinks.push((sink.name, open(&sink.address, args.instance.as_deref())?));
    }
    let trial = Trial::new().timeout(Duration::from_secs(args.timeout));
    for (name, sink) in sinks {
        let address = sink.address();
        let tried = match command {
            SinkCommand::Test(_) => trial.test(sink).map(|id| {
                format!("took the test event {id}; a database took it back, anywhere else it stays")
            }),
            SinkCommand::Probe(_) => trial.probe(sink).map(|()| "answers".to_owned()),
        };
        let line = match tried {
            Ok(said) => format!("{name}: {address} {said}"),
            Err(TrialError::Runtime(error)) => return Err(Failure::new("cannot start", error)),
            Err(error) => {
                end = End::Wrong;
                format!("{name}: {error}")
            }
        };
        output.line(&crate::output::clean(&line))?;
    }
    Ok(end)
}

fn open(address: &str, instance: Option<&str>) -> Result<Box<dyn Sink>, Failure> {
    let sink = match instance {
        Some(instance) => url::parse_for(address, instance),
        None => url::parse(address),
    };
    sink.map_err(Failure::of)
}

/// The sinks that are asked for: an address, one of the environment, or all of them.
fn chosen(args: &SinkArgs) -> Result<Vec<Named>, Failure> {
    if let Some(text) = &args.url {
        let text = address(text)?;
        let mut sinks = url::named(&text).map_err(Failure::of)?;
        return match sinks.len() {
            1 => Ok(sinks),
            0 => Err(Failure::said("no address on standard input")),
            _ => Err(Failure::said(format!(
                "one address expected, not {}; %20 is a space in an address",
                sinks.drain(..).len()
            ))),
        };
    }
    let mut sinks = environment()?;
    if let Some(name) = &args.name {
        let known: Vec<_> = sinks.iter().map(|sink| sink.name.clone()).collect();
        sinks.retain(|sink| sink.name == *name);
        if sinks.is_empty() {
            return Err(Failure::said(format!(
                "the environment has no sink named {name}; it has: {}",
                known.join(", ")
            )));
        }
    }
    Ok(sinks)
}

/// An argument, or with `-` the first line of standard input: there no list of processes shows it.
pub(crate) fn address(argument: &str) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut line = String::new();
    let mut input = io::stdin().lock().take(MAX_BYTES);
    input
        .read_line(&mut line)
        .map_err(|error| Failure::new("cannot read an address from standard input", error))?;
    Ok(line.trim().to_owned())
}

fn environment() -> Result<Vec<Named>, Failure> {
    let list = match (env::var_os("AUDIT_SINKS"), env::var_os("AUDIT_SINKS_FILE")) {
        (Some(_), Some(_)) => {
            return Err(Failure::said(
                "AUDIT_SINKS and AUDIT_SINKS_FILE are both set; unset one",
            ));
        }
        (Some(list), None) => list
            .into_string()
            .map_err(|_is_not_shown| Failure::said("AUDIT_SINKS is not UTF-8"))?,
        (None, Some(path)) => {
            let mut list = String::new();
            let read = fs::File::open(&path)
                .and_then(|file| file.take(MAX_BYTES).read_to_string(&mut list));
            read.map_err(|error| Failure::new(format!("cannot read {}", path.display()), error))?;
            list
        }
        (None, None) => {
            return Err(Failure::said(
                "no sink: give an address, or - to read it from standard input, or set AUDIT_SINKS",
            ));
        }
    };
    let sinks = url::named(&list).map_err(Failure::of)?;
    if sinks.is_empty() {
        return Err(Failure::said("the environment names no sink"));
    }
    Ok(sinks)
}
