//! Sinks by address: what is accepted, and what a mistake is told.

use tower_audit::sink::url::{UrlError, parse};

fn wrong(address: &str) -> UrlError {
    match parse(address) {
        Ok(sink) => panic!("{address} became {}", sink.address()),
        Err(error) => error,
    }
}

#[cfg(feature = "file")]
#[test]
fn a_file_address_makes_a_file_sink() {
    let sink =
        parse("file:///var/log/audit.jsonl?rotate=100MB&age=1d&keep=10&compress=none").unwrap();
    assert_eq!(
        (sink.kind(), sink.address().as_str()),
        ("file", "file:///var/log/audit.jsonl")
    );
    let sink =
        tower_audit::sink::url::parse_for("file://logs/audit-{instance}.jsonl", "web-1").unwrap();
    assert_eq!(sink.address(), "file://logs/audit-web-1.jsonl");
}

#[cfg(feature = "sqlite")]
#[test]
fn a_sqlite_address_makes_a_sqlite_sink() {
    let sink = parse("sqlite://audit.db?prefix=trail_").unwrap();
    assert_eq!(
        (sink.kind(), sink.address().as_str()),
        ("sqlite", "sqlite://audit.db")
    );
    assert_eq!(
        parse("sqlite:///var/lib/audit.db").unwrap().address(),
        "sqlite:///var/lib/audit.db"
    );
}

#[cfg(feature = "sqlite")]
#[test]
fn mistakes_in_a_sqlite_address_are_told() {
    for (address, part, expected) in [
        ("sqlite://a.db?prefx=a_", "option", "did you mean prefix?"),
        (
            "sqlite://a.db?prefix=DROP",
            "option prefix",
            "a prefix begins with a to z or _",
        ),
        ("sqlite://:memory:", "location", "name a file"),
    ] {
        let error = wrong(address);
        assert_eq!(error.part, part, "{address}");
        assert!(error.expected.contains(expected), "{error}");
    }
}

#[cfg(feature = "file")]
#[test]
fn mistakes_in_a_file_address_are_told() {
    for (address, part, value, expected) in [
        (
            "file:///a?rotat=1MB",
            "option",
            "rotat",
            "did you mean rotate?",
        ),
        ("file:///a?rotate=1XB", "option rotate", "1XB", "100MB"),
        ("file:///a?rotate=0", "option rotate", "0", "100MB"),
        ("file:///a?age=5", "option age", "5", "7d"),
        ("file:///a?keep=-1", "option keep", "-1", "such as 10"),
        (
            "file:///a?compress=gzip",
            "option compress",
            "gzip",
            "zstd or none",
        ),
        ("file:///a?keep=1&keep=2", "option keep", "", "once"),
        ("file:///var/log/", "location", "/var/log/", "name a file"),
        (
            "file:///a-{instance}",
            "location",
            "/a-{instance}",
            "give the service an instance",
        ),
        (
            "file:///a-{host}",
            "location",
            "/a-{host}",
            "only {instance}",
        ),
    ] {
        let error = wrong(address);
        assert_eq!(
            (error.part.as_str(), error.value.as_str()),
            (part, value),
            "{address}"
        );
        assert!(error.expected.contains(expected), "{address}: {error}");
    }
}

#[cfg(feature = "postgres")]
#[test]
fn a_postgres_address_makes_a_postgres_sink_that_shows_no_login() {
    let sink = parse("postgres://docs:hunter2@db.example/audit?schema=a&sslmode=require").unwrap();
    assert_eq!(
        (sink.kind(), sink.address().as_str()),
        ("postgres", "postgres://db.example:5432/audit")
    );
    for (address, part, expected) in [
        (
            "postgres://docs:hunter2@h/d?schema=A-",
            "option schema",
            "a schema begins",
        ),
        (
            "postgres://docs:hunter2@h/d?shema=a",
            "option",
            "did you mean schema?",
        ),
        (
            "postgres://docs:hunter2@h/d?sslmode=no",
            "option sslmode",
            "verify-full",
        ),
        ("postgres://docs:hunter2@h", "location", "name a database"),
        ("postgres://h/d", "location", "name a user"),
    ] {
        let error = wrong(address);
        assert_eq!(error.part, part, "{address}");
        assert!(error.expected.contains(expected), "{address}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn an_unknown_scheme_gets_the_nearest_one() {
    let error = wrong("sqllite://audit.db");
    assert_eq!(
        error.to_string(),
        "wrong scheme in an address: \"sqllite\"; did you mean sqlite?"
    );
    assert!(wrong("kafka://x").expected.contains("file, sqlite"));
    // What follows the scheme may hold a password, and is not repeated.
    assert!(
        !wrong("postgres:user:hunter2@host")
            .to_string()
            .contains("hunter2")
    );
}

#[cfg(not(feature = "sqlite"))]
#[test]
fn a_scheme_whose_feature_is_off_names_the_feature() {
    assert!(
        wrong("sqlite://audit.db")
            .expected
            .contains("feature `sqlite`")
    );
}

#[cfg(not(feature = "file"))]
#[test]
fn a_file_scheme_whose_feature_is_off_names_the_feature() {
    assert!(
        wrong("file:///audit.jsonl")
            .expected
            .contains("feature `file`")
    );
}

#[cfg(all(feature = "file", not(feature = "zstd")))]
#[test]
fn compression_whose_feature_is_off_names_the_feature() {
    assert!(
        wrong("file:///a?compress=zstd")
            .expected
            .contains("feature `zstd`")
    );
}

// What is documented is what is read: the options of each section, and those that a mistake is told.
#[cfg(feature = "sinks")]
#[test]
fn the_documented_options_are_those_of_the_addresses() {
    use std::collections::BTreeSet;

    use crate::support::project::{code_words, read, table};

    let page = read("docs/sinks.md");
    for (section, address) in [
        ("## SQLite", "sqlite://a.db?"),
        ("## PostgreSQL", "postgres://u@h/d?"),
        ("## MySQL and MariaDB", "mysql://u@h/d?"),
        ("## File", "file:///a?"),
        ("## Standard output", "stdout://?"),
        ("## Splunk", "splunk+https://h?token=t&"),
        ("## Any HTTP server", "https://h/?"),
        ("## Syslog", "syslog+tls://h?"),
        ("## OpenTelemetry", "otlp+grpcs://h?"),
    ] {
        let error = wrong(&format!("{address}quite-unknown=1"));
        let told = error.expected.split_once("known here: ");
        let (_, told) = told.unwrap_or_else(|| panic!("{section}: {error}"));
        let known: BTreeSet<String> = told.split(", ").map(str::to_owned).collect();
        let (_, rest) = page.split_once(&format!("\n{section}\n")).expect(section);
        let options = rest.find("| option |").expect(section);
        let text = format!("{section}\n{}", &rest[options..]);
        let documented: BTreeSet<String> = table(&text, section)
            .iter()
            .flat_map(|row| code_words(&row[0]))
            .map(|word| word.split('=').next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(documented, known, "{section}");
    }
}
