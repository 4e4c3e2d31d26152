//! `tower-audit replay`.

use std::fs;

use tower_audit::{Audit, record::Outcome, sink::FileSink};

use super::*;

#[test]
fn a_replay_fills_another_sink_and_moves_no_cursor() {
    let service = Service::after((0..50).map(|_| done("document.create")));
    let copy = address(&service.tmp.path().join("copy.db"));
    let cursors = || json(&ended(0, &["stats", &service.dir(), "--json"]))["sinks"].clone();
    let before = cursors();
    let replayed = json(&ended(
        0,
        &["replay", &service.dir(), "--to", &copy, "--json"],
    ));
    assert_eq!(replayed["delivered"], replayed["records"], "{replayed}");
    assert_eq!(cursors(), before);
    assert_eq!(
        (before[0]["name"].as_str(), before[0]["behind"].as_u64()),
        (Some("sqlite"), Some(0)),
        "{before}"
    );
    ended(0, &["verify", &service.dir(), "--store", &copy]);
    // The store keeps its own position, so that nothing comes twice.
    let again = json(&ended(
        0,
        &["replay", &service.dir(), "--to", &copy, "--json"],
    ));
    assert_eq!(again["delivered"], 0, "{again}");

    let audit = service.start();
    let file = service.tmp.path().join("held.jsonl");
    let out = ended(
        0,
        &[
            "replay",
            &service.dir(),
            "--to",
            &format!("file://{}", file.display()),
        ],
    );
    assert!(out.contains("records delivered"), "{out}");
    assert!(fs::read_to_string(file).unwrap().lines().count() >= 50);
    stop(&audit);
}

#[test]
fn a_replay_of_dead_letters_names_those_that_are_not_there() {
    let service = Service::after([done("document.create")]);
    let copy = address(&service.tmp.path().join("copy.db"));
    let err = refused(&["replay", &service.dir(), "--to", &copy, "--dead", "splunk"]);
    assert!(
        err.contains("no dead letters of a sink named splunk") && err.contains("tower-audit stats"),
        "{err}"
    );
    let err = refused(&["replay", &service.dir(), "--to", &copy, "--dead", "../x"]);
    assert!(err.contains("a sink's name is"), "{err}");
}

#[test]
fn dead_letters_are_delivered_again_and_what_is_unreadable_is_counted() {
    let service = Service::after([done("document.create")]);
    let journal = fs::read_to_string(service.segment()).unwrap();
    let refused = journal
        .lines()
        .find(|line| line.contains("document.create"))
        .unwrap();
    let trail = service.trail();
    let name = trail.file_name().unwrap().to_str().unwrap();
    let name = name.strip_prefix("trail-").unwrap();
    let frame =
        format!(r#"{{"trail":"{name}","reason":"too long","at":"2026-11-20T13:34:01.123456Z","#);
    let letter = refused.replacen('{', &frame, 1);
    fs::create_dir_all(trail.join("dead")).unwrap();
    let file = trail.join("dead/old.jsonl");
    fs::write(&file, format!("{letter}\n")).unwrap();
    let stats = json(&ended(0, &["stats", &service.dir(), "--json"]));
    assert_eq!(stats["sinks"][0]["dead_letters"], 1, "{stats}");

    let copy = address(&service.tmp.path().join("copy.db"));
    let dir = service.dir();
    let args = ["replay", &dir, "--to", &copy, "--dead", "old", "--json"];
    let replayed = json(&ended(0, &args));
    assert_eq!(
        (&replayed["records"], &replayed["delivered"]),
        (&1.into(), &1.into()),
        "{replayed}"
    );
    let found = ended(0, &["query", "--store", &copy, "--json"]);
    assert_eq!(actions(&found), ["document.create"]);
    assert!(file.exists(), "it is for a person to remove");
    fs::write(
        &file,
        format!("{letter}\n{}\n", letter.replacen("7", "8", 1)),
    )
    .unwrap();
    let replayed = json(&ended(1, &args));
    assert_eq!(replayed["unreadable"], 1, "{replayed}");
}

#[test]
fn a_file_that_was_replayed_has_each_record_with_its_number() {
    let service = Service::new();
    let audit = Audit::builder("docs").dir(service.tmp.path().join("journal"));
    let file = service.tmp.path().join("live.jsonl");
    let audit = audit
        .sink("file", FileSink::builder(&file).build().unwrap())
        .start_blocking()
        .unwrap();
    audit
        .commit_blocking(done("document.create").outcome(Outcome::Success))
        .unwrap();
    stop(&audit);
    let copy = service.tmp.path().join("copy.jsonl");
    ended(
        0,
        &[
            "replay",
            &service.dir(),
            "--to",
            &format!("file://{}", copy.display()),
        ],
    );
    assert_eq!(
        fs::read_to_string(copy).unwrap(),
        fs::read_to_string(file).unwrap()
    );
}
