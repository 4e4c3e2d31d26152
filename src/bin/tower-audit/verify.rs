//! `tower-audit verify`.

use tower_audit::{
    store::Store,
    verify::{self, Kind, Options, Progress, Report},
};

use crate::{
    args::VerifyArgs,
    exit::{End, Failure},
    output::Output,
};

pub(crate) async fn run(args: &VerifyArgs, output: &mut Output) -> Result<End, Failure> {
    let report = check(args, output).await?;
    if args.json {
        output.json(&report)?;
    } else {
        for line in report.to_string().lines() {
            output.line(line)?;
        }
    }
    // What only a newer version can read was not checked.
    let newer = report
        .findings()
        .find(|finding| finding.kind == Kind::Newer);
    match newer {
        Some(newer) => {
            output.flush()?;
            Err(Failure::said(newer.what.clone()))
        }
        None if report.holds() => Ok(End::Good),
        None => Ok(End::Wrong),
    }
}

async fn check(args: &VerifyArgs, output: &Output) -> Result<Report, Failure> {
    let meter = output.meter("checking");
    let tell = |progress: Progress| meter.tell(progress.done, progress.of);
    let mut options = Options::new().progress(&tell);
    for expected in args.expect.iter().chain(&args.receipt) {
        options = options.expect(*expected);
    }
    let report = match (&args.dir, &args.store) {
        (Some(dir), None) => verify::journal(dir, options),
        (None, Some(url)) => verify::store(&open(url).await?, options).await,
        (Some(dir), Some(url)) => verify::journal_and_store(dir, &open(url).await?, options).await,
        (None, None) => {
            return Err(Failure::said(
                "name a directory, a store, or both; see tower-audit verify --help",
            ));
        }
    };
    report.map_err(Failure::journal)
}

pub(crate) async fn open(url: &str) -> Result<Store, Failure> {
    Store::open(url).await.map_err(Failure::of)
}
