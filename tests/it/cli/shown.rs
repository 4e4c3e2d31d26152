//! In which form records are shown, which of them, and what happens when the store is away.

use std::{
    fs,
    process::{Command, Stdio},
};

use tower_audit::{Actor, record::Tenant, sink::Sink};

use super::*;
use crate::support::batches::{batch, origin, record};

fn denied() -> Record {
    done("user.login").denied("bad password")
}

#[test]
fn a_terminal_gets_a_coloured_table_that_fits_and_a_pipe_gets_json_lines() {
    let long = done("document.create").actor(Actor::user("x".repeat(200)).name("\x1b[31mred"));
    let service = Service::after([denied(), long]);
    let store = service.store();
    let query = ["query", "--store", &store, "--quiet"];
    for columns in [80, 120, 200] {
        let shown = on_terminal(columns, &[("NO_COLOR", "1")], &query);
        assert!(shown.starts_with("TIME "), "{shown}");
        assert!(
            shown.contains("⊘ denied") && !shown.contains('\x1b'),
            "{shown}"
        );
        let widest = shown.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(columns), "{columns}: {shown}");
    }
    let colored = on_terminal(120, &[], &query);
    assert!(colored.contains("\x1b[31m⊘ denied"), "{colored}");
    assert!(!colored.contains("\x1b[31mred"), "{colored}");
    let never = on_terminal(120, &[], &[&query[..], &["--color", "never"]].concat());
    assert!(!never.contains('\x1b'), "{never}");
    let lines = on_terminal(120, &[], &[&query[..], &["--json"]].concat());
    assert!(lines.starts_with('{'), "{lines}");

    let piped = ended(0, &query);
    assert_eq!(actions(&piped), ["document.create", "user.login"]);
    let table = [&query[..], &["--table", "--color", "always"]].concat();
    assert!(ended(0, &table).contains("\x1b[31m⊘ denied"));
    assert_eq!(actions(&ended(0, &["tail", "--store", &store])).len(), 2);
}

#[test]
fn every_filter_of_the_viewer_is_a_flag() {
    let mut other = done("document.create")
        .category("files")
        .tenant(Tenant::new("t2"));
    other.context.ip_address = Some("192.0.2.7".into());
    other.context.request_id = Some("r-7".into());
    let service = Service::after([denied().tenant(Tenant::new("t1")), other]);
    let store = service.store();
    for (flags, expected) in [
        (&["--category", "files"][..], 1),
        (&["--tenant", "t1"], 1),
        (&["--tenant", "t1", "--outcome", "success"], 0),
        (&["--actor", "146", "--actor-type", "user"], 2),
        (&["--actor-type", "system"], 0),
        (&["--target", "document:7"], 2),
        (&["--target", "document:8"], 0),
        (&["--ip", "192.0.2.7"], 1),
        (&["--request", "r-7"], 1),
        (&["--service", "docs"], 2),
        (&["--service", "other"], 0),
        (&["--text", "BAD pass"], 1),
        (&["--to", "2026-01-01"], 0),
        (&["--all", "--action", "user.*"], 1),
    ] {
        for command in ["query", "tail"] {
            let args = [&[command, "--store", &store][..], flags].concat();
            assert_eq!(actions(&ended(0, &args)).len(), expected, "{args:?}");
        }
    }
    let err = refused(&["query", "--store", &store, "--actor", ""]);
    assert!(err.contains("--actor is empty"), "{err}");
}

#[test]
fn reading_is_not_shown_unless_it_is_asked_for() {
    // A service cannot say it for its trail, so it is put there by a sink.
    let service = Service::new();
    let mut sink = SqliteSink::new(service.tmp.path().join("audit.db"));
    let batch = batch(
        &origin(1),
        vec![record(0, "user.login", ""), record(1, "audit.read", "")],
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(sink.deliver(&batch)).unwrap();
    let store = service.store();
    let shown = |more: &[&str]| {
        let lines = ended(
            0,
            &[&["query", "--all", "--store", &store][..], more].concat(),
        );
        lines.matches("\"action\":\"audit.read\"").count()
    };
    assert_eq!(shown(&[]), 0);
    assert_eq!(shown(&["--reads"]), 1);
    assert_eq!(shown(&["--action", "audit.read"]), 1);
}

#[test]
fn tail_goes_on_without_gap_or_double_when_the_store_was_away() {
    let service = Service::after([done("document.create")]);
    let (store, path) = (service.store(), service.tmp.path().join("audit.db"));
    let mut child = Command::new(BIN)
        .args(["tail", "--store", &store, "-f", "--action", "document.*"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(json(&next_line(&mut child))["action"], "document.create");
    let away = service.tmp.path().join("away.db");
    fs::rename(&path, &away).unwrap();
    let told = line_of(child.stderr.as_mut().unwrap());
    assert!(told.contains("asking again until it answers"), "{told}");
    fs::rename(&away, &path).unwrap();
    let audit = service.start();
    audit.commit_blocking(done("document.rename")).unwrap();
    audit.commit_blocking(done("document.remove")).unwrap();
    stop(&audit);
    assert_eq!(json(&next_line(&mut child))["action"], "document.rename");
    assert_eq!(json(&next_line(&mut child))["action"], "document.remove");
    let told = line_of(child.stderr.as_mut().unwrap());
    assert_eq!(told, "the store answers again");
    child.kill().unwrap();
    child.wait().unwrap();
}
