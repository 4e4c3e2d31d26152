//! In which form records are shown, which of them, and what happens when the store is away.

use std::{
    fs,
    process::{Command, Stdio},
};

use tower_audit::Actor;

use super::*;

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
