//! What `query`, `tail` and `export` leave with `--record`.

use std::process::Stdio;

use super::*;

/// Three logins and a refusal.
fn service() -> Service {
    let logins = (0..3).map(|_| done("user.login"));
    Service::after(logins.chain([done("document.read").denied("no right")]))
}

/// What reading left in the directory, oldest first.
fn left(service: &Service) -> Vec<serde_json::Value> {
    let to = service.tmp.path().join("left.jsonl");
    let sink = format!("file://{}", to.display());
    ended(0, &["replay", &service.dir(), "--to", &sink]);
    let lines = fs::read_to_string(&to).unwrap();
    fs::remove_file(to).unwrap();
    let records = lines.lines().map(|line| json(line)["record"].take());
    records
        .filter(|record| {
            let action = record["action"].as_str().unwrap();
            matches!(action, "audit.read" | "audit.export")
        })
        .collect()
}

#[test]
fn a_query_with_record_leaves_who_read_what_and_how_much() {
    let service = service();
    let (store, dir) = (service.store(), service.dir());
    let query = ["query", "--store", &store, "--all", "--action", "user.*"];
    assert_eq!(actions(&ended(0, &query)).len(), 3);
    assert_eq!(
        left(&service).len(),
        0,
        "reading is recorded only where it is asked for"
    );
    let record = ["--record", &dir, "--by", "ann"];
    assert_eq!(actions(&ended(0, &[&query[..], &record].concat())).len(), 3);
    let left = left(&service);
    assert_eq!(left.len(), 1, "{left:?}");
    let read = &left[0];
    assert_eq!(
        (&read["actor"]["claimed"], &read["outcome"]),
        (&"ann".into(), &"success".into())
    );
    let filter = serde_json::json!({"range": "all", "action": "user.*"});
    let expected = serde_json::json!({"page": "query", "filter": filter, "records": 3});
    assert_eq!(read["details"], expected);
}

#[test]
fn a_query_whose_reader_has_enough_is_recorded_all_the_same() {
    let many = (0..5_000).map(|_| done("user.login"));
    let service = Service::after(many);
    let (store, dir) = (service.store(), service.dir());
    let query = [
        "query", "--store", &store, "--json", "--limit", "none", "--record", &dir,
    ];
    let mut command = Command::new(BIN);
    command
        .args(query)
        .env("USER", "bob")
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    next_line(&mut child);
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    let left = left(&service);
    assert_eq!(left[0]["actor"]["claimed"], "bob");
    assert_eq!(left[0]["outcome"], "cancelled");
    assert!(
        left[0]["details"]["records"].as_u64().unwrap() > 0,
        "{left:?}"
    );
}

#[test]
fn following_is_recorded_before_its_first_line() {
    let service = service();
    let (store, dir) = (service.store(), service.dir());
    let record = ["--record", &dir, "--by", "ann"];
    ended(
        0,
        &[&["tail", "--store", &store, "-n", "2"][..], &record].concat(),
    );
    let follow = [
        "tail",
        "-f",
        "--store",
        &store,
        "--outcome",
        "denied",
        "--json",
    ];
    let mut command = Command::new(BIN);
    command
        .args([&follow[..], &record].concat())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    assert!(next_line(&mut child).contains("document.read"));
    // However it ends.
    child.kill().unwrap();
    child.wait().unwrap();
    let details: Vec<_> = left(&service)
        .iter()
        .map(|read| read["details"].clone())
        .collect();
    let all = serde_json::json!({"range": "all"});
    let denied = serde_json::json!({"range": "all", "outcome": "denied"});
    let expected = [
        serde_json::json!({"page": "tail", "filter": all, "records": 2}),
        serde_json::json!({"page": "tail -f", "filter": denied, "records": 1}),
    ];
    assert_eq!(details, expected);
}

#[test]
fn an_export_is_recorded_whole_or_broken_off() {
    let service = service();
    let (store, dir) = (service.store(), service.dir());
    let file = service.tmp.path().join("a.csv").display().to_string();
    let export = ["export", "--store", &store, "--all", "--outcome", "denied"];
    let record = ["--record", &dir, "--by", "ann"];
    ended(0, &[&export[..], &["-o", &file], &record].concat());
    // The manifest cannot be written: the file is there, but the command failed.
    let nowhere = service.tmp.path().join("no/where").display().to_string();
    let broken = ["-o", &file, "--manifest", &nowhere];
    refused(&[&export[..], &broken, &record].concat());
    let left = left(&service);
    let said = |record: &serde_json::Value| {
        let details = &record["details"];
        assert_eq!(details["filter"]["outcome"], "denied", "{record}");
        let complete = details["complete"].as_bool().unwrap();
        (
            record["outcome"].as_str().unwrap().to_owned(),
            complete,
            details["records"].clone(),
        )
    };
    let said: Vec<_> = left.iter().map(said).collect();
    let expected = [("success", true), ("error", false)];
    let expected = expected.map(|(outcome, complete)| (outcome.to_owned(), complete, 1.into()));
    assert_eq!(said, expected);
}

#[test]
fn what_cannot_be_recorded_is_not_read() {
    let service = service();
    let store = service.store();
    let file = service.tmp.path().join("file");
    fs::write(&file, "").unwrap();
    let dir = file.display().to_string();
    for command in ["query", "tail", "export"] {
        let err = refused(&[command, "--store", &store, "--record", &dir]);
        assert!(err.contains("nothing was read"), "{command}: {err}");
        let err = refused(&[command, "--store", &store, "--by", "ann"]);
        assert!(err.contains("--record"), "{command}: {err}");
    }
}
