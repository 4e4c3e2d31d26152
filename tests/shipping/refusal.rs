//! A receiver that refuses some records of its batches: those and only those are set aside, and come
//! in later.

use std::{collections::BTreeSet, path::Path, process::Command};

use crate::{
    cases::Tally,
    far_end::{FarEnd as _, Place, in_file},
    journey::stats,
    program::Program,
    receiver::is_unwanted,
    remote::{self, Remote},
    service::control_file,
};

const RECORDS: &str = "20000";

/// D5: a partial success is no success.
pub(crate) fn refusal_test() -> Tally {
    let mut tally = Tally::default();
    let refused = tally.check("refused and replayed", |place| {
        let mut collector = remote::refusing(place.path());
        let refused = refused(place.path(), &mut collector);
        replayed(place.path(), &mut collector);
        refused
    });
    tally.note(format!("{} refused, ", refused.unwrap_or_default()));
    tally
}

/// Ships everything; gives how many were refused.
fn refused(dir: &Path, collector: &mut Remote) -> usize {
    let args = [
        "service",
        dir.to_str().unwrap(),
        &collector.url(),
        "0",
        RECORDS,
    ];
    let mut service = Program::start(&args);
    service.wait_for("all ");
    let said = service.end();

    let sent: BTreeSet<Place> = in_file(&control_file(dir)).into_iter().collect();
    let unwanted = |(_, number): &&Place| is_unwanted(*number);
    let unwanted: BTreeSet<Place> = sent.iter().filter(unwanted).cloned().collect();
    assert!(!unwanted.is_empty());
    let arrived: BTreeSet<Place> = collector.arrived().into_iter().collect();
    let wanted: BTreeSet<Place> = sent.difference(&unwanted).cloned().collect();
    assert!(arrived == wanted, "{} of {}", arrived.len(), wanted.len());
    let far = &stats(&said)["sinks"][0];
    assert_eq!(far["dead"].as_u64(), Some(unwanted.len() as u64), "{far}");
    assert_eq!(far["pending"].as_u64(), Some(0), "{far}");
    unwanted.len()
}

/// Brings them in, with the command that the documentation gives.
fn replayed(dir: &Path, collector: &mut Remote) {
    std::fs::remove_file(&collector.refusing).unwrap();
    let replay = Command::new(env!("CARGO_BIN_EXE_tower-audit"))
        .arg("replay")
        .arg(dir.join("journal"))
        .args(["--to", &collector.url(), "--dead", "far"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&replay.stderr);
    assert!(replay.status.success(), "{told}");
    let sent: BTreeSet<Place> = in_file(&control_file(dir)).into_iter().collect();
    let arrived: BTreeSet<Place> = collector.arrived().into_iter().collect();
    assert!(arrived == sent, "{} of {}", arrived.len(), sent.len());
}
