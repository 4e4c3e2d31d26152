//! The `tower-audit` command: looks at audit trails and stores from outside.
//!
//! It uses the public interface of the crate only, takes no lock that a service could miss, and
//! changes nothing but what `replay` is told to fill, `migrate` to prepare, `prune` to remove, `hold` to
//! keep and `--record` to write down.

mod args;
mod catalog;
mod exit;
mod export;
mod filter;
mod formats;
mod hold;
mod interrupt;
mod left;
mod migrate;
mod output;
mod policy;
mod prune;
mod query;
mod recording;
mod replay;
mod retention;
mod rows;
mod seen;
mod serve;
mod session_hash;
mod sink;
mod stats;
mod store_stats;
mod tail;
mod target;
mod terminal;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use self::{
    args::{Args, Command},
    exit::{End, Failure},
    output::Output,
};

fn main() -> ExitCode {
    let args = Args::parse();
    let mut output = Output::new(args.quiet);
    let end = run(args, &mut output).and_then(|end| output.flush().map(|()| end));
    exit::code(end, &mut output)
}

fn run(args: Args, output: &mut Output) -> Result<End, Failure> {
    match args.command {
        Command::Verify(args) => block_on(verify::run(&args, output)),
        Command::Stats(args) => match (&args.dir, &args.store) {
            (Some(dir), _) => stats::run(dir, args.json, output),
            (None, store) => block_on(store_stats::run(
                store.as_deref().unwrap_or_default(),
                args.json,
                output,
            )),
        },
        Command::Catalog(args) => block_on(catalog::run(&args, output)),
        Command::Query(args) => block_on(query::run(&args, output)),
        Command::Tail(args) => block_on(tail::run(&args, output)),
        Command::Export(args) => block_on(export::run(&args, output)),
        Command::Serve(args) => block_on(serve::run(&args, output)),
        Command::SessionHash(args) => session_hash::run(&args, output),
        Command::Replay(args) => replay::run(&args, output),
        Command::Migrate(args) => block_on(migrate::run(&args, output)),
        Command::Retention(command) => block_on(retention::run(&command, output)),
        Command::Policy(args) => policy::run(&args, output),
        Command::Sink(command) => sink::run(&command, output),
        Command::Formats(args) => formats::run(&args, output),
    }
}

fn block_on(work: impl Future<Output = Result<End, Failure>>) -> Result<End, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .map_err(|error| Failure::new("cannot start", error))?
        .block_on(work)
}
