//! `tower-audit query` and `tail`.

use std::{
    fs,
    io::Read,
    process::{Command, Stdio},
};

use tower_audit::Actor;

use super::*;

#[test]
fn a_query_filters_pages_and_prints_each_record_exactly() {
    let many = (0..30).map(|i| {
        done(if i % 3 == 0 {
            "user.login"
        } else {
            "document.create"
        })
    });
    let denied = done("user.login")
        .denied("bad password")
        .actor(Actor::user("x\x1b[2J"));
    let service = Service::after(many.chain([denied]));
    let store = service.store();
    let query = |more: &[&str]| {
        let args = [&["query", "--store", &store, "--json"][..], more].concat();
        actions(&ended(0, &args))
    };
    assert_eq!(query(&["--limit", "none"]).len(), 31);
    assert_eq!(query(&["--action", "user.*"]), ["user.login"; 11]);
    assert_eq!(
        query(&["--action", "user.login", "--outcome", "denied"]),
        ["user.login"]
    );
    assert_eq!(query(&["--actor", "146", "--limit", "7"]).len(), 7);
    assert_eq!(query(&["--to", "1h"]), [""; 0]);
    assert_eq!(query(&["--from", "1h", "--limit", "none"]).len(), 31);
    let lines = ended(0, &["query", "--store", &store, "--json", "--limit", "1"]);
    let journal = fs::read_to_string(service.segment()).unwrap();
    assert!(
        journal.contains(&format!("\"record\":{}}}\n", lines.trim_end())),
        "{lines}"
    );

    let output = run(&["query", "--store", &store, "--outcome", "denied", "--table"]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(
        out.starts_with("TIME ") && out.contains("⊘ denied") && out.contains("document:7"),
        "{out}"
    );
    assert!(
        !out.contains('\x1b') && err.contains("the last 7 days"),
        "{out}{err}"
    );
    let quiet = run(&["query", "--quiet", "--store", &store]);
    assert_eq!(text(&quiet.stderr), "");
}

#[test]
fn a_record_that_was_changed_in_the_store_is_not_shown_in_silence() {
    let service = Service::after([done("user.login")]);
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(async {
            let path = service.tmp.path().join("audit.db");
            let mut database =
                <sqlx::SqliteConnection as sqlx::Connection>::connect(path.to_str().unwrap())
                    .await
                    .unwrap();
            let change = "UPDATE audit_records SET json = replace(json, 'Flapjack', 'Flapjuck')";
            sqlx::query(change).execute(&mut database).await.unwrap();
        });
    let output = run(&["query", "--store", &service.store()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        text(&output.stderr).contains("is not what was delivered"),
        "{output:?}"
    );
}

#[test]
fn tail_begins_with_the_last_and_follows_by_arrival() {
    let service = Service::after([done("document.create"), done("document.rename")]);
    let store = service.store();
    let own = |more: &[&str]| {
        actions(&ended(
            0,
            &[
                &[
                    "tail",
                    "--store",
                    &store,
                    "--json",
                    "--action",
                    "document.*",
                ][..],
                more,
            ]
            .concat(),
        ))
    };
    assert_eq!(own(&[]), ["document.create", "document.rename"]);
    assert_eq!(own(&["-n", "1"]), ["document.rename"]);

    let mut child = Command::new(BIN)
        .args([
            "tail",
            "--store",
            &store,
            "--json",
            "-f",
            "-n",
            "1",
            "--action",
            "document.*",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(json(&next_line(&mut child))["action"], "document.rename");
    let audit = service.start();
    audit.commit_blocking(done("document.remove")).unwrap();
    assert_eq!(json(&next_line(&mut child))["action"], "document.remove");
    child.kill().unwrap();
    child.wait().unwrap();
    stop(&audit);
}

#[test]
fn tail_says_that_a_store_went_back_and_goes_on() {
    let service = Service::after([done("document.create")]);
    let args = [
        "tail",
        "--store",
        &service.store(),
        "--json",
        "-f",
        "-n",
        "1",
    ];
    let mut child = Command::new(BIN)
        .args(args)
        .args(["--action", "document.*"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(json(&next_line(&mut child))["action"], "document.create");
    // As after a restore from a backup that had nothing yet.
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(async {
            let path = service.tmp.path().join("audit.db");
            let mut database =
                <sqlx::SqliteConnection as sqlx::Connection>::connect(path.to_str().unwrap())
                    .await
                    .unwrap();
            for change in [
                "DELETE FROM audit_targets",
                "DELETE FROM audit_records",
                "UPDATE audit_arrival SET last = 0",
            ] {
                sqlx::query(change).execute(&mut database).await.unwrap();
            }
        });
    let told = line_of(child.stderr.as_mut().unwrap());
    assert!(
        told.contains("has gone back") && told.contains("going on from 0"),
        "{told}"
    );
    let audit = service.start();
    audit.commit_blocking(done("document.remove")).unwrap();
    assert_eq!(json(&next_line(&mut child))["action"], "document.remove");
    child.kill().unwrap();
    child.wait().unwrap();
    stop(&audit);
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let service =
        Service::after((0..200).map(|_| done("document.create").detail("text", "x".repeat(2000))));
    let mut child = Command::new(BIN)
        .args([
            "query",
            "--json",
            "--limit",
            "none",
            "--store",
            &service.store(),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(next_line(&mut child).starts_with('{'));
    drop(child.stdout.take());
    let mut err = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    let status = child.wait().unwrap();
    assert!(
        status.success() && !err.contains("panicked") && !err.contains("pipe"),
        "{status}: {err}"
    );
}
