//! `tower-audit sink`: what it says, and with which exit code.

use std::{io::Write, process::Stdio};

use super::*;

/// Runs `tower-audit sink` with this on standard input and these variables.
fn sink(input: &str, args: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut child = Command::new(BIN)
        .arg("sink")
        .args(args)
        .env_remove("AUDIT_SINKS")
        .env_remove("AUDIT_SINKS_FILE")
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(!err.contains("panicked"), "{err}");
    (output.status.code(), out, err)
}

#[test]
fn a_test_event_is_sent_and_told_by_its_id() {
    let tmp = tempfile::tempdir().unwrap();
    let path = tmp.path().join("audit.jsonl");
    let url = format!("file://{}", path.display());
    for (input, argument) in [("", url.as_str()), (url.as_str(), "-")] {
        let (code, out, err) = sink(input, &["test", argument], &[]);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
        assert!(
            out.starts_with(&format!("file: {url} took the test event ")),
            "{out}"
        );
        let id = out.split(' ').nth(6).unwrap().trim_end_matches(';');
        let written = fs::read_to_string(&path).unwrap();
        let line = json(written.lines().last().unwrap());
        assert_eq!(line["record"]["id"], id);
        assert_eq!(line["record"]["action"], "audit.sink_test");
    }
}

#[test]
fn a_probe_leaves_nothing_and_says_that_the_sink_answers() {
    let tmp = tempfile::tempdir().unwrap();
    let url = format!("file://{}/audit.jsonl", tmp.path().display());
    let (code, out, _) = sink("", &["probe", &url], &[]);
    assert_eq!((code, out), (Some(0), format!("file: {url} answers\n")));
}

#[test]
fn a_sink_that_does_not_take_it_is_exit_code_1_with_the_cause() {
    let missing = "file:///no/such/directory/audit.jsonl";
    let (code, out, _) = sink("", &["test", missing], &[]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.starts_with(&format!("file: {missing} ")), "{out}");
    assert!(out.contains("/no/such/directory"), "{out}");
}

#[test]
fn sinks_of_the_environment_are_tried_all_or_one_by_name() {
    let tmp = tempfile::tempdir().unwrap();
    let list = format!(
        "good=file://{}/a.jsonl\nbad=file:///no/such/a.jsonl\n",
        tmp.path().display()
    );
    let file = tmp.path().join("sinks");
    fs::write(&file, &list).unwrap();
    for variable in [
        ("AUDIT_SINKS", list.as_str()),
        ("AUDIT_SINKS_FILE", file.to_str().unwrap()),
    ] {
        let (code, out, _) = sink("", &["test"], &[variable]);
        let names: Vec<_> = out
            .lines()
            .filter_map(|line| line.split(':').next())
            .collect();
        assert_eq!((code, names), (Some(1), vec!["good", "bad"]), "{out}");
        let (code, out, _) = sink("", &["test", "--name", "good"], &[variable]);
        assert_eq!((code, out.lines().count()), (Some(0), 1), "{out}");
    }
    let (code, _, err) = sink("", &["test", "--name", "pg"], &[("AUDIT_SINKS", &list)]);
    assert_eq!(code, Some(2));
    assert!(err.contains("it has: good, bad"), "{err}");
}

#[test]
fn what_cannot_be_tried_is_exit_code_2_without_any_secret() {
    let both = [("AUDIT_SINKS", "x"), ("AUDIT_SINKS_FILE", "x")];
    for (input, args, variables, expected) in [
        ("", &["test"][..], &[][..], "no sink: give an address"),
        ("\n", &["test", "-"], &[], "no address on standard input"),
        ("file:///a?token=hunter2", &["test", "-"], &[], "token"),
        (
            "postgres://u:hunt er2@h/d",
            &["probe", "-"],
            &[],
            "write [name=]scheme",
        ),
        ("", &["test"], &both, "both set"),
        (
            "",
            &["test"],
            &[("AUDIT_SINKS_FILE", "/no/such")],
            "/no/such",
        ),
    ] {
        let (code, out, err) = sink(input, args, variables);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{expected}: {err}");
        assert!(err.contains(expected) && !err.contains("hunter2"), "{err}");
    }
}
