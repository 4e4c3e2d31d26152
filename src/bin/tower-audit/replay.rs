//! `tower-audit replay`.

use tower_audit::{
    offline::{OfflineError, Replay, Replayed},
    sink::url,
};

use crate::{
    args::ReplayArgs,
    exit::{End, Failure},
    output::Output,
    sink::address,
};

pub(crate) fn run(args: &ReplayArgs, output: &mut Output) -> Result<End, Failure> {
    // A typo in the address is told before anything is read.
    let to = address(&args.to)?;
    url::parse(&to).map_err(Failure::of)?;
    let mut replay = Replay::new(&args.dir);
    if let Some(sink) = &args.dead {
        replay = replay.dead_letters(sink);
    }
    let replayed = {
        let meter = output.meter("delivering");
        let tell =
            |delivered: u64, pending: u64| meter.tell(delivered, delivered.saturating_add(pending));
        replay.run(|| url::parse(&to), tell)
    };
    let replayed = replayed.map_err(|error| match error {
        OfflineError::Undelivered { delivered, .. } => {
            let advice = format!("; {delivered} records of this trail were delivered and stay so, run it again to go on");
            Failure::of(error).and(&advice)
        }
        OfflineError::NoDeadLetters { .. } => Failure::of(error).and("; tower-audit stats shows which there are"),
        error => Failure::journal(error),
    })?;
    for trail in &replayed {
        if args.json {
            output.json(trail)?;
        } else {
            output.line(&line(trail))?;
        }
    }
    let is_whole =
        |trail: &Replayed| trail.refused.is_empty() && trail.missed == 0 && trail.unreadable == 0;
    Ok(if replayed.iter().all(is_whole) {
        End::Good
    } else {
        End::Wrong
    })
}

fn line(trail: &Replayed) -> String {
    let mut line = format!(
        "trail {}: {} of {} records delivered",
        trail.trail, trail.delivered, trail.records
    );
    let also = [
        (trail.refused.len() as u64, "refused"),
        (
            trail.missed,
            "gone or damaged in the journal: see tower-audit verify",
        ),
        (trail.unreadable, "dead letters unreadable"),
    ];
    for (count, what) in also.into_iter().filter(|(count, _)| *count > 0) {
        line.push_str(&format!(", {count} {what}"));
    }
    if let [first, ..] = trail.refused.as_slice() {
        line.push_str(&format!(" (the first refused is number {first})"));
    }
    line
}
