//! Records in the words of other systems, from the outside.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    process::Command,
};

use serde_json::Value;
use tower_audit::{
    format::Format,
    sink::{Sink, url},
};

use crate::support::{
    batches::{origin, plain},
    project, services,
};

fn sink(path: &Path, format: Format) -> Box<dyn Sink> {
    url::parse(&format!("file://{}?format={format}", path.display())).unwrap()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The trail and the number of a line, whatever its format.
fn place(line: &Value) -> (&str, u64) {
    let places = [
        "/trail",
        "/tower_audit/trail",
        "/unmapped/tower_audit/trail",
    ];
    let trail = places
        .into_iter()
        .find(|place| line.pointer(place).is_some());
    let trail = trail.unwrap_or_else(|| panic!("no place in {line}"));
    let number = trail.replace("/trail", "/n");
    let number = line.pointer(&number).and_then(Value::as_u64).unwrap();
    (line.pointer(trail).and_then(Value::as_str).unwrap(), number)
}

#[tokio::test]
async fn a_file_continues_after_a_crash_and_a_change_of_format() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let (one, two) = (origin(1), origin(2));
    let mut next = 0;
    for (run, format) in (0..).zip(Format::ALL.into_iter().cycle().take(9)) {
        let mut sink = sink(&path, format);
        let position = sink.position(&one).await.unwrap();
        assert_eq!(position.unwrap_or(0), next, "run {run}, {format}");
        sink.deliver(&plain(&one, next..next + 3)).await.unwrap();
        sink.deliver(&plain(&two, run..run + 1)).await.unwrap();
        sink.close().await.unwrap();
        next += 3;

        // What a crash leaves of a batch: the first part of lines like those before.
        let text = fs::read(&path).unwrap();
        let last = text.trim_ascii_end().rsplit(|byte| *byte == b'\n').next();
        let torn = &last.unwrap()[..usize::try_from(run).unwrap() * 9 + 1];
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(torn).unwrap();
    }
    let mut sink = sink(&path, Format::Native);
    assert_eq!(sink.position(&one).await.unwrap(), Some(27));
    let lines = lines(&path);
    let numbers = |origin: &tower_audit::record::Origin| -> Vec<u64> {
        let trail = origin.trail.to_string();
        let places = lines.iter().map(place);
        places
            .filter(|(found, _)| *found == trail)
            .map(|(_, number)| number)
            .collect()
    };
    assert_eq!(numbers(&one), (0..27).collect::<Vec<_>>());
    assert_eq!(numbers(&two), (0..9).collect::<Vec<_>>());
}

#[test]
fn a_format_that_there_is_not_is_an_error_that_names_the_others() {
    let error = url::parse("file://audit.jsonl?format=cef").err().unwrap();
    assert_eq!(error.part, "option format");
    assert_eq!(error.expected, "write native, ecs, ocsf or grist");
}

#[test]
fn models_that_others_wrote_take_every_golden_line_of_ocsf() {
    let Some(python) = services::python() else {
        return;
    };
    let golden = project::root().join("tests/golden/formats/ocsf.jsonl");
    let check = |file: &Path| {
        let script = project::root().join("scripts/check-ocsf");
        let output = Command::new(&python)
            .arg(script)
            .arg(file)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let (is_good, said) = check(&golden);
    assert!(is_good, "{said}");
    assert!(said.contains("checked 9 events"), "{said}");

    let text = fs::read_to_string(golden).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("bad.jsonl");
    for (from, to) in [
        ("\"severity_id\":1", "\"severity_id\":41"),
        ("\"type_uid\":300404", "\"type_uid\":300401"),
        ("\"product\":{", "\"produce\":{"),
    ] {
        fs::write(&bad, text.replace(from, to)).unwrap();
        let (is_good, said) = check(&bad);
        assert!(!is_good, "{from}: {said}");
    }
}
