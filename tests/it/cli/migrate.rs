//! `tower-audit migrate`.

use super::*;

#[test]
fn tables_are_made_once_and_are_up_to_date_then() {
    let tmp = tempfile::tempdir().unwrap();
    let url = address(&tmp.path().join("audit.db"));
    assert_eq!(
        ended(0, &["migrate", &url]),
        format!("{url}: format 1.1, made\n")
    );
    assert_eq!(
        ended(0, &["migrate", &url]),
        format!("{url}: format 1.1, up to date\n")
    );
    assert_eq!(ended(0, &["query", "--store", &url, "--json"]), "");
}

#[test]
fn what_cannot_be_prepared_says_why() {
    let tmp = tempfile::tempdir().unwrap();
    let url = address(&tmp.path().join("audit.db"));
    let nowhere = address(&tmp.path().join("missing/audit.db"));
    let table: [(&[&str], &str); 4] = [
        (
            &["migrate", &url, "--service-role", "docs"],
            "SQLite has no roles",
        ),
        (&["migrate", &nowhere], "directory must exist"),
        (&["migrate", "sqlit://audit.db"], "did you mean sqlite?"),
        (&["migrate", "file:///audit.jsonl"], "sqlite"),
    ];
    for (args, expected) in table {
        let err = refused(args);
        assert!(err.contains(expected), "{args:?}: {err}");
    }
}

#[cfg(feature = "postgres")]
#[test]
fn the_owner_of_a_server_gives_a_role_its_rights() {
    let Some(place) = crate::support::postgres::place() else {
        return;
    };
    // A role that every server has.
    let out = ended(
        0,
        &["migrate", &place.address(), "--service-role", "pg_monitor"],
    );
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].ends_with("/audit: format 1.1, made"), "{out}");
    assert!(
        out.contains("role \"pg_monitor\" may insert and select, no more"),
        "{out}"
    );
    let err = refused(&["migrate", &place.address_of("audit", "hunter2")]);
    assert!(err.contains("correct the user or the password"), "{err}");
    assert!(!err.contains("hunter2"), "{err}");
}
