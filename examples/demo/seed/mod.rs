//! A history that is made up: what a company's users did in the last 30 days.
//!
//! It is honest about how it comes to be: the records go through a trail of their own run, journal,
//! hashes, delivery and all; only its clock is put to when each of them is to have been. The same
//! number and the same end make the same records.

mod companies;
mod deeds;
mod dice;
mod endings;
mod people;
mod rhythm;

use std::time::Duration;

use tower_audit::clock::{Clock as _, SystemClock};

use self::dice::Dice;
use crate::{args::Args, clock::Put, failure::Failure, trail};

/// What the clock of a run goes on by until it is closed.
const AFTER: Duration = Duration::from_secs(1);

/// So many records are written before they are waited for: the journal's buffer has an end.
const GROUP: usize = 500;

/// Makes the history that was asked for.
pub(crate) async fn history(args: &Args) -> Result<(), Failure> {
    if args.seed == 0 {
        return Ok(());
    }
    if args.dir.join("journal").exists() {
        let place = args.dir.display();
        let reason = format!("--seed: there is a trail in {place} already; name another --dir");
        return Err(Failure::new(&reason));
    }
    let end = args.clock.unwrap_or_else(|| SystemClock::new().now());
    let mut dice = Dice::new();
    let times = rhythm::times(&mut dice, args.seed, end);
    let clock = Put::default();
    clock.to(times.first().copied().unwrap_or(end));
    let audit = trail::configured(args)?
        .clock(clock.clone())
        .ids(Dice::new())
        .start()
        .await?;
    for (index, at) in times.iter().enumerate() {
        clock.to(*at);
        audit.record(deeds::deed(&mut dice))?;
        if index % GROUP == GROUP - 1 {
            audit.flush().await?;
        }
    }
    clock.to(times.last().copied().unwrap_or(end).saturating_add(AFTER));
    let patience = Duration::from_secs(600);
    let report = audit.shutdown(patience).await;
    println!("made up {} records; {report}", times.len());
    Ok(())
}
