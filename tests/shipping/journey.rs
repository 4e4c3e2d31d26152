//! One sink's journey, and what must be true at its end.

use std::{path::Path, time::Duration};

use crate::{
    cases::Tally,
    far_end::{Doubles, FarEnd, Promise, compare, in_file},
    program::Program,
    service::{STEP, control_file},
};

/// Makes the far end of a sink in a directory of its own, or says why that cannot be had here.
pub(crate) type Make = fn(&Path) -> Result<Box<dyn FarEnd>, String>;

/// How the records of one journey fared.
struct Journey {
    records: usize,
    doubles: Doubles,
    retries: u64,
}

pub(crate) fn make(far: Make) -> Tally {
    let mut tally = Tally::default();
    let mut missing = None;
    let journey = tally.check("the journey", |place| match far(place.path()) {
        Ok(far) => Some(travel(place.path(), far)),
        Err(why) => {
            missing = Some(why);
            None
        }
    });
    match (journey.flatten(), missing) {
        (Some(journey), _) => tally.note(format!(
            "{} records, {} more than once ({} copies), {} calls failed, ",
            journey.records, journey.doubles.records, journey.doubles.copies, journey.retries
        )),
        (None, Some(why)) => {
            tally = Tally::default();
            tally.skip(&why);
        }
        (None, None) => {}
    }
    tally
}

/// A fifth arrives; then the far end is gone, the program is killed, another goes on, and the far
/// end comes back.
fn travel(dir: &Path, mut far: Box<dyn FarEnd>) -> Journey {
    let records = records();
    let part = |fifths: u64| (records / 5 * fifths).to_string();
    let (base, url) = (dir.to_str().unwrap(), far.url());

    let mut first = Program::start(&["service", base, &url, "0", &part(3)]);
    first.wait_for(&format!("at {}", part(1)));
    far.stop();
    let waiting = first.wait_for("all ").parse::<u64>().unwrap();
    let is_away = waiting > records / 5 || !far.can_stop();
    assert!(is_away, "only {waiting} wait: nothing was away");
    // D2: what cannot be delivered to the one keeps nothing from the other.
    wait_for_lines(&control_file(dir), records / 5 * 3);
    far.heard(&first.kill());

    let mut second = Program::start(&["service", base, &url, &part(3), &records.to_string()]);
    second.wait_for(&format!("at {}", part(4)));
    far.start();
    second.wait_for("all ");
    let said = second.end();
    far.heard(&said);

    let sent = in_file(&control_file(dir));
    let mine = sent.len() as u64;
    assert!(mine > records, "{mine} records in the control file");
    let doubles = compare(&far.arrived(), &sent, far.promise(), 2);
    let (retries, resent) = balanced(&said);
    // Counted: the kill adds one batch of which no process knows that it was answered.
    let uncounted = match far.promise() {
        Promise::Once => 0,
        Promise::AgainAfterAnOutage(batch) => batch,
    };
    let counted = usize::try_from(resent).unwrap();
    assert!(
        doubles.copies <= counted + uncounted,
        "{doubles:?}, {resent} counted"
    );
    Journey {
        records: sent.len(),
        doubles,
        retries,
    }
}

/// Each call of the whole journey: `AUDIT_SHIP_RECORDS`, a multiple of five steps.
fn records() -> u64 {
    let wanted: u64 = std::env::var("AUDIT_SHIP_RECORDS").map_or(100_000, |n| n.parse().unwrap());
    wanted.next_multiple_of(5 * STEP)
}

/// D12: the counters add up, and nothing is left over. Gives the calls that failed, and the records
/// that may be there twice.
fn balanced(said: &[String]) -> (u64, u64) {
    let stats = stats(said);
    let number = |of: &serde_json::Value, name: &str| of[name].as_u64().unwrap();
    let sum = |of: &serde_json::Value, names: &[&str]| -> u64 {
        names.iter().map(|name| number(of, name)).sum()
    };
    assert_eq!(
        number(&stats, "emitted"),
        sum(&stats, &["stored", "queued", "lost"]),
        "{stats}"
    );
    assert_eq!(number(&stats, "lost"), 0, "{stats}");
    let sinks = stats["sinks"].as_array().unwrap();
    assert_eq!(sinks.len(), 2, "{stats}");
    for sink in sinks {
        let parts = ["delivered", "pending", "dead", "missed"];
        assert_eq!(number(sink, "committed"), sum(sink, &parts), "{sink}");
        assert_eq!(sum(sink, &parts[1..]), 0, "{sink}");
    }
    (number(&sinks[0], "retries"), number(&sinks[0], "resent"))
}

pub(crate) fn stats(said: &[String]) -> serde_json::Value {
    let stats = said.iter().find_map(|line| line.strip_prefix("stats "));
    serde_json::from_str(stats.expect("stats")).unwrap()
}

/// Waits until a file has so many lines.
fn wait_for_lines(path: &Path, lines: u64) {
    for _ in 0..600 {
        let text = std::fs::read(path).unwrap_or_default();
        if text.iter().filter(|byte| **byte == b'\n').count() as u64 >= lines {
            return;
        }
        // Sleep: another process writes the file, and nothing tells when.
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{} never had {lines} lines", path.display());
}
