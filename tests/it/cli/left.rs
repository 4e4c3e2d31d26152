//! `tower-audit prune --dir`: what a service that is stopped left.

use std::time::UNIX_EPOCH;

use super::*;

/// A service that was stopped, with an old file of dead letters, an old rotated file and a young
/// one, and a policy.
struct Stopped {
    service: Service,
    letters: PathBuf,
    policy: String,
    sink: String,
}

impl Stopped {
    fn new() -> Self {
        let service = Service::after([done("document.create")]);
        let letters = service.trail().join("dead/siem.jsonl");
        fs::create_dir_all(letters.parent().unwrap()).unwrap();
        let at = "2020-01-01T00:00:00.000000Z";
        let letter = format!(
            r#"{{"trail":"1","n":1,"h":"0","reason":"x","at":"{at}","record":{{"id":"01a1f929-fda3-774b-8000-000000000001","timestamp":"{at}","action":"a.b","actor":{{"id":"146"}}}}}}"#
        );
        fs::write(&letters, letter + "\n").unwrap();
        let file = service.tmp.path().join("audit.jsonl");
        fs::write(&file, "x\n").unwrap();
        let rotated = |number: u32| format!("{}.{number:010}", file.display());
        for number in [1, 2] {
            fs::write(rotated(number), "x\n").unwrap();
        }
        let of_old = fs::File::options().write(true).open(rotated(1)).unwrap();
        let in_2020 = UNIX_EPOCH + Duration::from_secs(1_577_836_800);
        of_old.set_modified(in_2020).unwrap();
        let policy = service.tmp.path().join("retention.toml");
        fs::write(&policy, "dead_letters = \"90d\"\nfiles = \"90d\"\n").unwrap();
        Self {
            sink: format!("file://{}", file.display()),
            policy: policy.display().to_string(),
            letters,
            service,
        }
    }

    fn with<'a>(&'a self, dir: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let args = [
            "prune",
            "--dir",
            dir,
            "--sink",
            &self.sink,
            "--policy",
            &self.policy,
        ];
        [&args[..], more].concat()
    }

    /// Whether the letters, the old rotated file and the young one are there.
    fn there(&self) -> (bool, bool, bool) {
        let path = self.sink.strip_prefix("file://").unwrap();
        let rotated = |number: u32| Path::new(&format!("{path}.{number:010}")).exists();
        (self.letters.exists(), rotated(1), rotated(2))
    }
}

#[test]
fn what_a_stopped_service_left_is_looked_at_then_removed_and_written_down() {
    let stopped = Stopped::new();
    let dir = stopped.service.dir();
    let said = "1 files of dead letters, 1 rotated files go";
    let out = ended(0, &stopped.with(&dir, &["--no-holds", "--dry-run"]));
    assert!(out.contains(said), "{out}");
    let asked = run(&stopped.with(&dir, &["--no-holds"]));
    assert_eq!(asked.status.code(), Some(2), "{asked:?}");
    assert_eq!(stopped.there(), (true, true, true));
    let out = ended(
        0,
        &stopped.with(
            &dir,
            &["--no-holds", "--yes", "--by", "ann", "--record", &dir],
        ),
    );
    assert!(out.contains(said), "{out}");
    assert_eq!(stopped.there(), (false, false, true));
    ended(0, &["replay", &dir, "--to", &stopped.service.store()]);
    let store = stopped.service.store();
    let found = [
        "query",
        "--store",
        &store,
        "--action",
        "audit.prune",
        "--json",
    ];
    let record = json(&ended(0, &found));
    let beside = &record["details"]["beside"];
    assert_eq!(
        (&beside["dead_letters"], &beside["files"]),
        (&1.into(), &1.into())
    );
    assert_eq!(record["actor"]["claimed"], "ann");
    let again = json(&ended(
        0,
        &stopped.with(&dir, &["--no-holds", "--yes", "--json"]),
    ));
    assert_eq!(again["beside"]["files"], 0, "{again}");
}

#[test]
fn a_trail_that_a_service_holds_is_left_to_it() {
    let stopped = Stopped::new();
    let dir = stopped.service.dir();
    let lock = fs::File::open(stopped.service.trail().join("lock")).unwrap();
    lock.try_lock().unwrap();
    let out = ended(0, &stopped.with(&dir, &["--no-holds", "--yes"]));
    assert!(
        out.contains("0 files of dead letters, 1 rotated files go"),
        "{out}"
    );
    assert!(out.contains("a service that runs holds it"), "{out}");
    assert_eq!(stopped.there(), (true, false, true));
    drop(lock);
    ended(0, &stopped.with(&dir, &["--no-holds", "--yes"]));
    assert_eq!(stopped.there(), (false, false, true));
}

#[test]
fn a_hold_of_the_store_keeps_files_too_and_nothing_is_guessed() {
    let stopped = Stopped::new();
    let (dir, store) = (stopped.service.dir(), stopped.service.store());
    let held = [
        "hold",
        "add",
        "--store",
        &store,
        "--reason",
        "case 7",
        "actor=146",
    ];
    ended(0, &held);
    let yes = stopped.with(
        &dir,
        &["--store", &store, "--yes", "--json", "--idle", "30d"],
    );
    let out = ended(0, &yes);
    let lines: Vec<_> = out.lines().map(json).collect();
    assert_eq!((lines.len(), &lines[0]["removed"]), (2, &0.into()), "{out}");
    assert_eq!(lines[1]["beside"]["kept"].as_array().unwrap().len(), 2);
    assert_eq!(stopped.there(), (true, true, true));

    let err = refused(&stopped.with(&dir, &["--yes"]));
    assert!(err.contains("--no-holds"), "{err}");
    let elsewhere = stopped.service.tmp.path().display().to_string();
    let err = refused(&stopped.with(&elsewhere, &["--no-holds", "--yes"]));
    assert!(err.contains("there is no trail-<uuid> in it"), "{err}");
    let err = refused(&[
        "prune",
        "--dir",
        &dir,
        "--sink",
        "stdout://",
        "--policy",
        &stopped.policy,
        "--no-holds",
        "--yes",
    ]);
    assert!(err.contains("only a file sink has rotated files"), "{err}");
    assert_eq!(stopped.there(), (true, true, true));
}
