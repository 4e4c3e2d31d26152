//! Processes that are killed at any moment, again and again on one directory.

use std::time::Duration;

use crate::{
    cases::Tally,
    check::{self, Figures},
    place::{self, Place},
    program::{Program, Said},
    random::{self, Random},
};

/// How long a child may work before it is killed; a run takes some 50 ms to start.
const LONGEST: Duration = Duration::from_millis(250);

// Trap J13: what was acknowledged is there after `kill -9`, and every intent has a verdict.
pub(crate) fn kill_test() -> Tally {
    let rounds = random::setting("AUDIT_KILL_ROUNDS").unwrap_or(20);
    let seed = random::setting("AUDIT_KILL_SEED").unwrap_or_else(random::by_chance);
    let (mut tally, mut figures, mut kills) = (Tally::default(), Figures::default(), 0);
    // A machine may be so slow that no kill of these hits what is to be shown: then there are more.
    let enough = |figures: &Figures| figures.acknowledged > 0 && figures.unknown > 0;
    for number in 0..rounds * 10 {
        if number >= rounds && (rounds < 20 || enough(&figures)) {
            break;
        }
        let name = format!("round {number} of AUDIT_KILL_SEED={seed}");
        let mut random = Random::new(seed.wrapping_add(number));
        if let Some((found, killed)) = tally.check(&name, |place| round(place, &mut random)) {
            figures += found;
            kills += killed;
        }
    }
    // Without these nothing was shown.
    if rounds >= 20 {
        tally.check(
            "the kills hit acknowledged records and open intents",
            |_| assert!(enough(&figures), "{figures:?}"),
        );
    }
    tally.note(format!(
        "AUDIT_KILL_SEED={seed}, {kills} kills, {figures}, "
    ));
    tally
}

/// Some kills, then a run in order, then everything must be there.
fn round(place: &Place, random: &mut Random) -> (Figures, u64) {
    let mut said = Said::default();
    let kills = 1 + random.below(4);
    for _ in 0..kills {
        let mut program = Program::start(&["work", place.arg()]);
        // One in four dies while it starts and recovers.
        if random.below(4) > 0 {
            program.wait_for("ready");
        }
        // Sleep: the process is to die at a random moment; that is what is tested.
        std::thread::sleep(random.time_below(LONGEST));
        said.add(&program.kill());
        check::verified(place.path());
    }
    check::last_run(place::trail_with_sinks(place.path()));
    (check::everything_holds(place.path(), &said), kills)
}
