//! `tower-audit session-hash`, and the search for what it prints.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use tower_audit::{HashKey, Purpose};

use super::*;

const KEY: &str = "k1:0123456789abcdef";

/// Runs the command with this on standard input and these variables.
fn session_hash(input: &str, args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut child = Command::new(BIN)
        .arg("session-hash")
        .args(args)
        .env_remove("AUDIT_SESSION_KEY")
        .env_remove("AUDIT_SESSION_KEY_FILE")
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Without a key it does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[test]
fn the_hash_of_a_session_finds_its_records() {
    let key: HashKey = KEY.parse().unwrap();
    let mut mine = done("document.create");
    mine.context.session_id = Some(key.hash(Purpose::Session, b"my-session"));
    let service = Service::after([done("user.login"), mine]);

    let printed = session_hash("my-session\n", &[], &[("AUDIT_SESSION_KEY", KEY)]);
    let hash = text(&printed.stdout);
    assert!(printed.status.success(), "{}", text(&printed.stderr));
    let store = service.store();
    let query = [
        "query",
        "--store",
        &store,
        "--json",
        "--session",
        hash.trim(),
    ];
    assert_eq!(actions(&ended(0, &query)), ["document.create"]);
    let tail = [
        "tail",
        "--store",
        &store,
        "--json",
        "--session",
        hash.trim(),
    ];
    assert_eq!(actions(&ended(0, &tail)), ["document.create"]);
}

#[test]
fn the_key_is_that_of_a_file_or_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key").display().to_string();
    fs::write(&file, format!("{KEY}\n")).unwrap();
    let expected = HashKey::parse(KEY).unwrap().hash(Purpose::Session, b"id");
    for (args, variables) in [
        (&["--key-file", file.as_str()][..], &[][..]),
        (&[], &[("AUDIT_SESSION_KEY_FILE", file.as_str())]),
        (
            &["--key-file", &file],
            &[("AUDIT_SESSION_KEY", "k2:fedcba9876543210")],
        ),
    ] {
        let output = session_hash("id", args, variables);
        assert_eq!(
            text(&output.stdout).trim_end(),
            expected.as_str(),
            "{args:?} {variables:?}"
        );
    }
}

/// Standard input, arguments, variables, and what is said.
type Case<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

#[test]
fn what_is_missing_is_said_and_nothing_secret() {
    let cases: [Case<'_>; 6] = [
        ("planted-id", &[], &[], "no key"),
        (
            "planted-id",
            &["--key-file", "/no/such/key"],
            &[],
            "/no/such/key",
        ),
        (
            "planted-id",
            &[],
            &[("AUDIT_SESSION_KEY", "planted")],
            "AUDIT_SESSION_KEY: ",
        ),
        (
            "planted-id",
            &[],
            &[("AUDIT_SESSION_KEY", KEY), ("AUDIT_SESSION_KEY_FILE", "x")],
            "unset one",
        ),
        ("", &[], &[("AUDIT_SESSION_KEY", KEY)], "no session id"),
        (
            "planted-id",
            &["another-id"],
            &[("AUDIT_SESSION_KEY", KEY)],
            "unexpected argument",
        ),
    ];
    for (input, args, variables, expected) in cases {
        let output = session_hash(input, args, variables);
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.contains(expected), "{err}");
        assert!(
            !err.contains("planted") && output.stdout.is_empty(),
            "{err}"
        );
    }
    let service = Service::after([done("user.login")]);
    let err = refused(&[
        "query",
        "--store",
        &service.store(),
        "--session",
        "planted-id",
    ]);
    assert!(err.contains("session-hash"), "{err}");
}
