//! The command, run as people and scripts run it.

mod catalog;
mod export;
mod formats;
mod left;
mod migrate;
mod policy;
mod reading;
mod recorded;
mod replay;
mod retention;
mod serve;
mod servers;
mod session;
mod shown;
mod sink;
mod usage;
mod verify;

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Output},
    time::Duration,
};

use tempfile::TempDir;
use tower_audit::{Actor, Audit, Record, Target, sink::SqliteSink};

const BIN: &str = env!("CARGO_BIN_EXE_tower-audit");

fn run(args: &[&str]) -> Output {
    Command::new(BIN).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs a program on a terminal of so many columns, and prints what came out there.
const TERMINAL: &str = "
import fcntl, os, struct, subprocess, sys, termios
theirs, ours = os.openpty()
fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack('HHHH', 24, int(sys.argv[1]), 0, 0))
child = subprocess.Popen(sys.argv[2:], stdin=ours, stdout=ours, stderr=ours)
os.close(ours)
try:
    while (piece := os.read(theirs, 65536)):
        sys.stdout.buffer.write(piece)
except OSError:
    pass
sys.exit(child.wait())";

/// What is seen on a terminal of so many columns, with these variables; it must end well.
fn on_terminal(columns: usize, variables: &[(&str, &str)], args: &[&str]) -> String {
    let output = Command::new("python3")
        .args(["-c", TERMINAL, &columns.to_string(), BIN])
        .args(args)
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout).replace("\r\n", "\n")
}

/// What it printed, when it ended with this code.
fn ended(code: i32, args: &[&str]) -> String {
    let output = run(args);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
    out
}

/// Why it could not be done: exit code 2 and nothing on standard output.
fn refused(args: &[&str]) -> String {
    let output = run(args);
    let err = text(&output.stderr);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(2), String::new()),
        "{args:?}\n{err}"
    );
    assert!(!err.contains("panicked"), "{err}");
    err
}

fn json(line: &str) -> serde_json::Value {
    serde_json::from_str(line).unwrap()
}

/// What a service leaves behind: a journal and a store.
struct Service {
    tmp: TempDir,
}

impl Service {
    fn new() -> Self {
        Self {
            tmp: tempfile::tempdir().unwrap(),
        }
    }

    /// A service that did these things and was shut down in order.
    fn after(records: impl IntoIterator<Item = Record>) -> Self {
        let service = Self::new();
        let audit = service.start();
        for record in records {
            audit.commit_blocking(record).unwrap();
        }
        stop(&audit);
        service
    }

    fn start(&self) -> Audit {
        let sqlite = SqliteSink::new(self.tmp.path().join("audit.db"));
        let audit = Audit::builder("docs").dir(self.tmp.path().join("journal"));
        audit.sink("sqlite", sqlite).start_blocking().unwrap()
    }

    fn dir(&self) -> String {
        self.tmp.path().join("journal").display().to_string()
    }

    fn store(&self) -> String {
        address(&self.tmp.path().join("audit.db"))
    }

    fn trail(&self) -> PathBuf {
        fs::read_dir(self.dir())
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path()
    }

    fn segment(&self) -> PathBuf {
        let files = fs::read_dir(self.trail())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        files
            .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
            .max()
            .unwrap()
    }
}

fn stop(audit: &Audit) {
    let report = audit.shutdown_blocking(Duration::from_secs(20));
    assert!(report.in_order, "{report}");
}

fn address(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

fn done(action: &'static str) -> Record {
    Record::new(action)
        .actor(Actor::user("146").name("Flapjack"))
        .target(Target::new("document", "7"))
}

/// The actions of the printed records, in order, without the trail's own.
fn actions(lines: &str) -> Vec<String> {
    let records = lines
        .lines()
        .map(json)
        .map(|record| record["action"].as_str().unwrap().to_owned());
    records
        .filter(|action| !action.starts_with("audit."))
        .collect()
}

/// Reads one line of a program that goes on.
fn next_line(child: &mut Child) -> String {
    line_of(child.stdout.as_mut().unwrap())
}

fn line_of(out: &mut impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while out.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    text(&line)
}
