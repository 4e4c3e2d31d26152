//! The sink that writes to standard output: of a child process, as a container has one.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use tower_audit::{Audit, Record, sink::url};

const BIN: &str = env!("CARGO_BIN_EXE_tower-audit");

/// A journal with so many records about something; it has some of its own as well.
fn journal(records: usize) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::builder("docs").dir(dir.path()).start_blocking();
    let audit = audit.unwrap();
    for number in 0..records {
        let text = "x".repeat(2000);
        let record = Record::system("document.create")
            .success()
            .detail("text", text);
        audit.record(record.detail("number", number)).unwrap();
    }
    audit.commit_blocking(Record::system("last.one")).unwrap();
    let report = audit.shutdown_blocking(std::time::Duration::from_secs(20));
    assert!(report.in_order, "{report}");
    dir
}

/// A process that delivers the journal to its standard output.
fn child(journal: &TempDir, format: &str) -> Child {
    let to = format!("stdout://?format={format}");
    Command::new(BIN)
        .args(["replay", "--to", &to, "--json"])
        .arg(journal.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn every_record_is_one_whole_line_of_its_format_in_order() {
    let journal = journal(500);
    for (format, number) in [
        ("native", "/n"),
        ("ecs", "/tower_audit/n"),
        ("ocsf", "/unmapped/tower_audit/n"),
        ("grist", "/tower_audit/n"),
    ] {
        let output = child(&journal, format).wait_with_output().unwrap();
        assert!(output.status.success(), "{format}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        // What the command prints itself stands behind what the sink wrote.
        let report = lines.pop().unwrap();
        let numbers: Vec<u64> = lines
            .iter()
            .map(|line| line.pointer(number).and_then(Value::as_u64).unwrap())
            .collect();
        let all: Vec<u64> = (0..report["records"].as_u64().unwrap()).collect();
        assert!(all.len() > 500, "{report}");
        assert_eq!(numbers, all, "{format}");
    }
}

#[test]
fn a_reader_that_leaves_is_told_and_is_no_crash() {
    let journal = journal(500);
    let mut child = child(&journal, "native");
    let mut first = String::new();
    let mut reader = BufReader::with_capacity(512, child.stdout.take().unwrap());
    reader.read_line(&mut first).unwrap();
    assert!(first.starts_with("{\"trail\":"), "{first}");
    drop(reader);
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    let ended = child.wait().unwrap();
    assert_eq!(ended.code(), Some(2), "{said}");
    assert!(
        said.contains("nobody reads standard output any more"),
        "{said}"
    );
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn mistakes_in_the_address_are_told() {
    let sink = url::parse("stdout://?format=ecs").unwrap();
    assert_eq!(
        (sink.kind(), sink.address().as_str()),
        ("stdout", "stdout://")
    );
    for (address, part) in [
        ("stdout://here", "location"),
        ("stdout://?format=xml", "option format"),
        ("stdout://?color=always", "option"),
    ] {
        let error = url::parse(address).err().unwrap();
        assert_eq!(error.part, part, "{address}: {error}");
    }
}
