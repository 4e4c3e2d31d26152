//! What is asked for wrongly, and where help is.

use std::fs;

use super::*;

#[test]
fn what_cannot_be_checked_is_exit_code_2_with_the_way_out() {
    let service = Service::after([done("user.login")]);
    let tmp = tempfile::tempdir().unwrap();
    let here = |name: &str| tmp.path().join(name).display().to_string();
    fs::create_dir(tmp.path().join("empty")).unwrap();
    fs::create_dir(tmp.path().join("foreign")).unwrap();
    fs::write(tmp.path().join("foreign/log.jsonl"), "{}\n").unwrap();
    fs::write(
        tmp.path().join("text.db"),
        "not a database, whatever its name says",
    )
    .unwrap();
    let (missing, empty, foreign) = (here("missing"), here("empty"), here("foreign"));
    let (nowhere, text) = (
        address(&tmp.path().join("no.db")),
        address(&tmp.path().join("text.db")),
    );
    let file = service.segment().display().to_string();
    let typo = service.store().replace("sqlite", "sqlit");
    let table: [(&[&str], &str); 13] = [
        (&["verify", &missing], "is the path right?"),
        (&["verify", &empty], "name the base directory of a service"),
        (&["verify", &foreign], "is not an audit journal"),
        (&["verify", &file], "name the directory"),
        (&["verify"], "--store"),
        (&["verify", &empty, "--expect", "x"], "3 parts"),
        (&["verify", "--store", &typo], "did you mean sqlite?"),
        (&["query", "--store", &nowhere], "no.db"),
        (&["query", "--store", &text], "text.db"),
        (
            &["query", "--store", &service.store(), "--from", "yesterday"],
            "7d",
        ),
        (
            &["query", "--store", &service.store(), "--action", "user*"],
            "user.*",
        ),
        (&["stats", &missing], "is the path right?"),
        (
            &["replay", &service.dir(), "--to", "sqlit://x.db"],
            "did you mean sqlite?",
        ),
    ];
    for (args, expected) in table {
        let err = refused(args);
        assert!(err.contains(expected), "{args:?}: {err}");
    }
    assert!(!tmp.path().join("no.db").exists(), "reading makes nothing");
}

#[test]
fn help_shows_the_way() {
    let help = ended(0, &["--help"]);
    let commands = [
        "verify",
        "stats",
        "query",
        "tail",
        "export",
        "catalog",
        "serve",
        "session-hash",
        "replay",
        "migrate",
        "policy",
        "sink",
        "formats",
    ];
    for command in commands {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
        let help = ended(0, &[command, "--help"]);
        assert!(help.contains("Examples:\n  tower-audit "), "{help}");
        // A terminal of 100 columns shows each line whole.
        let long: Vec<&str> = help
            .lines()
            .filter(|line| line.chars().count() > 100)
            .collect();
        assert!(long.is_empty(), "{long:?}");
    }
    assert!(
        help.contains("Exit codes: 0 all is well, 1 something is wrong"),
        "{help}"
    );
    assert!(ended(0, &["--version"]).starts_with("tower-audit "));
    let err = refused(&["verfy"]);
    assert!(err.contains("'verify'"), "{err}");
}
