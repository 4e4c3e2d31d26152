//! Two processes on one base directory.

use std::time::Instant;

use tower_audit::verify;

use crate::{
    cases::Tally,
    check, found,
    place::{self, Place},
    program::{PATIENCE, Program, Said},
};

// Trap J4: two processes on one base are two trails, and the second adopts what the first leaves.
pub(crate) fn pair_test() -> Tally {
    let mut tally = Tally::default();
    tally.check("two processes are two trails, and both verify", two_trails);
    tally.check("the living one delivers what the killed one left", adopts);
    tally
}

fn start(place: &Place) -> (Program, String) {
    let mut program = Program::start(&["work", place.arg()]);
    let trail = program.wait_for("ready ");
    // It is in the middle of its work.
    program.wait_for("settled ");
    (program, trail)
}

fn two_trails(place: &Place) {
    let (first, own) = start(place);
    let (second, other) = start(place);
    assert_ne!(own, other, "each has a trail of its own");
    // Trap J9: also while both are being written.
    check::verified(place.path());
    let mut said = Said::default();
    said.add(&second.end());
    said.add(&first.end());
    let report = verify::journal(place::journal(place.path()), verify::Options::new()).unwrap();
    assert!(report.holds() && report.trails.len() == 2, "{report}");
    check::last_run(place::trail_with_sinks(place.path()));
    check::everything_holds(place.path(), &said);
}

fn adopts(place: &Place) {
    let (first, left) = start(place);
    let (second, _) = start(place);
    let mut said = Said::default();
    said.add(&first.kill());
    // While the second one works: the trail is settled, and the database has all of it.
    wait_until(|| {
        let trails = found::journal(&place::journal(place.path()));
        let stored = found::database_so_far(&place::database(place.path()));
        let journal = trails.get(&left).map_or(0, Vec::len);
        let unknown = trails.get(&left).into_iter().flatten();
        let unknown = unknown.filter(|kept| kept.field("outcome") == "unknown");
        unknown.count() > 0 && stored.get(&left).map_or(0, Vec::len) == journal
    });
    // The file was the first one's until it died; at the latest the shutdown tries it again.
    said.add(&second.end());
    // Nothing is left to do.
    check::everything_holds(place.path(), &said);
}

/// Waits for another process, which cannot ring.
fn wait_until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "the trail was not adopted");
        // Sleep: another process is waited for, and nothing else tells when it is done.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
