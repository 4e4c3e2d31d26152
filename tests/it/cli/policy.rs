//! A policy file is checked and explained.

use super::*;

const POLICY: &str = "\
[[rule]]
name = \"health\"
route = \"/health\"
skip = true

[[rule]]
name = \"roles\"
method = \"unsafe\"
route = \"/admin/**\"
assurance = \"strict\"
";

fn file(text: &str) -> (TempDir, String) {
    let tmp = tempfile::tempdir().unwrap();
    let path = tmp.path().join("policy.toml");
    fs::write(&path, text).unwrap();
    let name = path.display().to_string();
    (tmp, name)
}

#[test]
fn a_good_file_is_listed_rule_by_rule() {
    let (_tmp, file) = file(POLICY);
    let list = ended(0, &["policy", &file]);
    assert!(
        list.starts_with("1 \"health\" (line 1): route /health: skip\n2 \"roles\" (line 6): "),
        "{list}"
    );
    assert!(
        list.contains("8 \"everything else\" (default): every request: skip"),
        "{list}"
    );
    let checked = json(&ended(0, &["policy", &file, "--json"]));
    assert_eq!(checked["rules"][1]["name"], "roles");
    assert_eq!(checked["wrong"], serde_json::Value::Null);
}

#[test]
fn a_wrong_file_is_a_finding_with_its_place() {
    let (_tmp, file) = file("[[rule]]\nname = \"a\"\nstatus = 200\non_failure = \"refuse\"\n");
    let found = ended(1, &["policy", &file]);
    let expected = format!("{file}:4:1: rule 1 (\"a\"): on_failure: refuse must be known");
    assert!(found.starts_with(&expected), "{found}");
    let found = json(&ended(1, &["policy", &file, "--json"]));
    let wrong = &found["wrong"];
    assert_eq!(
        (&wrong["line"], &wrong["key"]),
        (&json("4"), &json("\"on_failure\""))
    );
    let (tmp, _) = self::file("");
    let missing = tmp.path().join("no.toml").display().to_string();
    let err = refused(&["policy", &missing]);
    assert!(
        err.contains("no.toml: cannot be read: No such file"),
        "{err}"
    );
}

#[test]
fn a_request_is_explained_on_arrival_and_at_the_end() {
    let (_tmp, file) = file(POLICY);
    let explain = |more: &[&str]| {
        let args = [&["policy", &file, "--explain"], more].concat();
        ended(0, &args)
    };
    let skipped = explain(&["GET", "/health"]);
    assert_eq!(
        skipped,
        "on arrival:\n  1 \"health\" (line 1): yes\n  => skipped, whatever happens\n"
    );
    let strict = explain(&["PUT", "/admin/role", "--status", "403"]);
    assert!(
        strict.contains("=> recorded, whatever happens; strict; on failure refuse\n"),
        "{strict}"
    );
    assert!(
        strict.contains(
            "at the end:\n  1 \"health\" (line 1): no, the route is /admin/role, not /health\n"
        ),
        "{strict}"
    );
    let nowhere = explain(&["GET", "-", "--outcome", "denied"]);
    assert!(
        nowhere.contains("no, no route matched, the rule is for /health"),
        "{nowhere}"
    );
    assert!(
        nowhere.contains("6 \"denied or error\" (default): yes\n  => recorded; durable"),
        "{nowhere}"
    );
    let end = json(&explain(&[
        "GET", "/a", "--status", "200", "--action", "a.b", "--json",
    ]));
    assert_eq!(end["end"]["recorded"], true);
    assert_eq!(end["arrival"]["recorded"], "always");
}

#[test]
fn what_is_asked_wrongly_is_told_with_the_way_out() {
    let (_tmp, file) = file(POLICY);
    for (args, expected) in [
        (&["--explain", "GET"][..], "2 values"),
        (&["--status", "200"], "--explain"),
        (&["--explain", "GET", "/", "--status", "99"], "100..=999"),
        (
            &["--explain", "GET", "/", "--outcome", "good"],
            "invalid value 'good'",
        ),
        (
            &["--explain", "GET", "/", "--actor", "me"],
            "anonymous or unknown",
        ),
    ] {
        let err = refused(&[&["policy", &file], args].concat());
        assert!(err.contains(expected), "{args:?}: {err}");
    }
}
