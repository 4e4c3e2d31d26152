//! The formats are listed and explained.

use super::*;

#[test]
fn formats_are_listed_with_their_versions() {
    let list = ended(0, &["formats"]);
    let names: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(names, ["native", "ecs", "ocsf", "grist"]);
    assert!(list.contains("Elastic Common Schema 9.4.0"), "{list}");
    let listed = ended(0, &["formats", "--json"]);
    assert_eq!(json(listed.lines().nth(2).unwrap())["format"], "ocsf");
}

#[test]
fn a_format_says_where_each_field_goes_and_what_has_no_home() {
    let table = ended(0, &["formats", "--explain", "ecs"]);
    let rows: Vec<String> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for expected in [
        "ecs: Elastic Common Schema 9.4.0",
        "context.user_agent user_agent.original",
        "context.ip_address source.ip (if it is an address)",
        "outcome event.outcome (success, failure or unknown)",
        "outcome kept as tower_audit.record.outcome (in full)",
        "changes.*.field no home: kept as tower_audit.record.changes.*.field",
    ] {
        assert!(
            rows.iter().any(|row| row == expected),
            "{expected}\n{table}"
        );
    }
    let rows = ended(0, &["formats", "--explain", "ocsf", "--json"]);
    let rows: Vec<_> = rows.lines().map(json).collect();
    let details = rows.iter().find(|row| row["field"] == "details").unwrap();
    assert_eq!(details["has_home"], false);
    assert_eq!(details["to"], "unmapped.tower_audit.record.details");
}

#[test]
fn every_format_is_explained_when_none_is_named() {
    let table = ended(0, &["formats", "--explain"]);
    let headings = table.lines().filter(|line| !line.starts_with(' '));
    assert_eq!(headings.count(), 4, "{table}");
    let error = refused(&["formats", "--explain", "cef"]);
    assert!(
        error.contains("formats are native, ecs, ocsf and grist"),
        "{error}"
    );
}
