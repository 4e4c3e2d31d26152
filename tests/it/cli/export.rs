//! `tower-audit export`: files that are whole or not there.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use serde_json::Value;
use tower_audit::sink::Sink;

use super::*;
use crate::support::batches::{batch, origin, record};

fn some() -> Service {
    let records = (0..3).map(|_| done("document.create"));
    Service::after(records.chain([done("user.login").denied("=1+1, \"no\"")]))
}

fn names(service: &Service) -> Vec<String> {
    let entries = fs::read_dir(service.tmp.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("out")).collect();
    names.sort();
    names
}

#[test]
fn each_format_goes_into_a_file_that_only_its_owner_reads() {
    let service = some();
    let store = service.store();
    for ending in ["csv", "json", "jsonl"] {
        let file = service.tmp.path().join(format!("out.{ending}"));
        let path = file.display().to_string();
        let args = [
            "export", "--store", &store, "--action", "*.*", "-o", &path, "--json",
        ];
        let err = refused(&args);
        assert!(err.contains("--action: write one action"), "{err}");
        let args = [
            "export", "--store", &store, "--actor", "146", "-o", &path, "--json",
        ];
        let manifest = json(&ended(0, &args));
        assert_eq!(
            (&manifest["records"], &manifest["complete"]),
            (&4.into(), &true.into())
        );
        assert_eq!(manifest["filter"]["actor"], "146");
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(&file).unwrap();
        match ending {
            "csv" => {
                let beside = fs::read_to_string(format!("{path}.manifest.json")).unwrap();
                assert_eq!(json(&beside), manifest);
                assert!(text.starts_with("id,timestamp,action,"), "{text}");
                assert!(text.contains("\"'=1+1, \"\"no\"\"\""), "{text}");
            }
            "json" => assert_eq!(json(&text)["manifest"], manifest),
            _ => assert_eq!(json(text.lines().last().unwrap())["manifest"], manifest),
        }
    }
    assert_eq!(
        names(&service),
        ["out.csv", "out.csv.manifest.json", "out.json", "out.jsonl"]
    );
}

#[test]
fn standard_output_has_the_records_and_standard_error_the_manifest_of_a_csv() {
    let service = some();
    let store = service.store();
    let lines = ended(0, &["export", "--store", &store, "--action", "user.login"]);
    let lines: Vec<Value> = lines.lines().map(json).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["manifest"]["records"], 1);

    let csv = [
        "export",
        "--quiet",
        "--store",
        &store,
        "--format",
        "csv",
        "--columns",
    ];
    let output = run(&[&csv[..], &["actor_id=User ID,outcome"]].concat());
    let out = text(&output.stdout);
    assert!(
        out.starts_with("User ID,outcome\r\n") && out.contains("\r\n146,denied\r\n"),
        "{out}"
    );
    let manifest = json(&text(&output.stderr));
    assert_eq!(manifest["columns"][0]["header"], "User ID");
    let beside = service.tmp.path().join("out.manifest");
    let beside = beside.display().to_string();
    let output = run(&[&csv[..], &["id", "--manifest", &beside]].concat());
    assert_eq!(text(&output.stderr), "");
    assert_eq!(json(&fs::read_to_string(beside).unwrap())["complete"], true);
}

/// The name of the folder it is in.
fn folder(service: &Service) -> String {
    let name = service.tmp.path().file_name().unwrap();
    name.to_str().unwrap().to_owned()
}

#[test]
fn a_pipe_that_is_closed_before_the_end_is_a_failure() {
    let service = large(2_000);
    let mut child = Command::new(BIN)
        .args(["export", "--all", "--store", &service.store()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(next_line(&mut child).starts_with('{'));
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("the export broke off"), "{err}");
}

#[test]
fn what_is_asked_for_wrongly_leaves_no_file() {
    let service = some();
    let store = service.store();
    let here = |name: &str| service.tmp.path().join(name).display().to_string();
    let (plain, csv, json, nowhere) = (
        here("out.txt"),
        here("out.csv"),
        here("out.json"),
        here("no/out.csv"),
    );
    let (same, partial) = (here("../out.csv"), here("out.csv.partial"));
    let same = same.replace("/../", &format!("/../{}/", folder(&service)));
    let whole = here("out");
    let table: [(&[&str], &str); 8] = [
        (&["-o", &csv, "--manifest", &same], "take another name"),
        (&["-o", &csv, "--manifest", &partial], "take another name"),
        (
            &[
                "--format",
                "csv",
                "-o",
                &here("out.partial"),
                "--manifest",
                &whole,
            ],
            "take another name",
        ),
        (&["-o", &plain], "say the format with --format"),
        (
            &["-o", &csv, "--columns", "user"],
            "there is no column \"user\"; there are id, timestamp",
        ),
        (&["-o", &json, "--columns", "id"], "--columns is for csv"),
        (&["-o", &nowhere], "make its directory first"),
        (&["--format", "xml"], "write csv, json or jsonl"),
    ];
    for (more, expected) in table {
        let err = refused(&[&["export", "--store", &store][..], more].concat());
        assert!(err.contains(expected), "{more:?}: {err}");
    }
    assert_eq!(names(&service), [""; 0]);
}

#[test]
fn an_export_of_altered_records_is_whole_and_says_so() {
    let service = some();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let path = service.tmp.path().join("audit.db");
    runtime.block_on(async {
        let connected =
            <sqlx::SqliteConnection as sqlx::Connection>::connect(path.to_str().unwrap());
        let mut database = connected.await.unwrap();
        let change = "UPDATE audit_records SET json = replace(json, 'Flapjack', 'Flapjuck')";
        sqlx::query(change).execute(&mut database).await.unwrap();
    });
    let lines = ended(
        1,
        &["export", "--store", &service.store(), "--action", "user.*"],
    );
    assert_eq!(
        json(lines.lines().last().unwrap())["manifest"]["altered"],
        1
    );
}

/// A store with so many records, put there by a sink.
fn large(count: u64) -> Service {
    let service = Service::new();
    let mut sink = SqliteSink::new(service.tmp.path().join("audit.db"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let more = format!(
        r#","outcome":"success","details":{{"text":"{}"}}"#,
        "x".repeat(100)
    );
    let rare = r#","outcome":"denied","reason":"needle""#;
    for start in (0..count).step_by(1000) {
        let records = (start..count.min(start + 1000)).map(|number| {
            let is_rare = number == 7 || number == count / 2;
            record(
                number,
                "document.create",
                if is_rare { rare } else { &more },
            )
        });
        let batch = batch(&origin(1), records.collect());
        runtime.block_on(sink.deliver(&batch)).unwrap();
    }
    service
}

/// Runs a program, lets its output go, and prints the most memory it had, in KiB.
const PEAK: &str = "
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";

fn peak(service: &Service, file: &str) -> u64 {
    let file = service.tmp.path().join(file).display().to_string();
    let output = Command::new("python3")
        .args([
            "-c",
            PEAK,
            BIN,
            "export",
            "--all",
            "--store",
            &service.store(),
            "-o",
            &file,
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout).trim().parse().unwrap()
}

// Trap Q5: everything, counted, whatever the number, in memory that does not grow with it.
#[test]
fn an_export_has_no_cap_and_its_memory_does_not_grow() {
    let (few, many) = (large(10_000), large(COUNT));
    for (ending, around) in [("csv", 1), ("json", 3), ("jsonl", 1)] {
        let file = format!("out.{ending}");
        let (small, big) = (peak(&few, &file), peak(&many, &file));
        assert!(
            big < small + 8 * 1024,
            "{ending}: {small} KiB for 10 000, {big} KiB for {COUNT}"
        );
        let text = fs::read_to_string(many.tmp.path().join(&file)).unwrap();
        assert_eq!(text.lines().count() as u64, COUNT + around, "{ending}");
    }
    // A filter that matches little is searched for to the end.
    let rare = [
        "export",
        "--all",
        "--store",
        &many.store(),
        "--text",
        "needle",
    ];
    let lines = ended(0, &rare);
    assert_eq!(
        actions(&lines[..lines.rfind("{\"manifest\"").unwrap()]).len(),
        2
    );
}

const COUNT: u64 = 100_000;

#[test]
fn an_export_that_is_stopped_leaves_nothing_that_looks_whole() {
    let service = large(30_000);
    let file = service.tmp.path().join("out.csv");
    fs::write(&file, "the export of yesterday").unwrap();
    let mut child = Command::new(BIN)
        .args([
            "export",
            "--all",
            "--columns",
            "all",
            "--store",
            &service.store(),
            "-o",
            file.to_str().unwrap(),
        ])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It runs now, and has far to go.
    let partial = service.tmp.path().join("out.csv.partial");
    while fs::metadata(&partial).map_or(0, |partial| partial.len()) == 0 {
        std::thread::yield_now();
    }
    let told = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(told.success());
    let mut err = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2), "{err}");
    assert!(
        err.contains("interrupted") && err.contains("was not written"),
        "{err}"
    );
    assert_eq!(names(&service), ["out.csv"]);
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "the export of yesterday"
    );
}

#[test]
fn a_terminal_sees_how_far_an_export_is() {
    let service = large(5_000);
    let file = service.tmp.path().join("out.json").display().to_string();
    let args = ["export", "--all", "--store", &service.store(), "-o", &file];
    let shown = on_terminal(80, &[], &args);
    assert!(
        shown.contains("exporting ") && shown.contains(" %"),
        "{shown}"
    );
    assert!(shown.contains("5000 records, all that matched"), "{shown}");
}
