//! `tower-audit prune` and `tower-audit hold`.

use tower_audit::{
    clock::{RecordId, Timestamp},
    evidence::leaf_hash,
    sink::{Batch, Delivery, Sink},
};
use uuid::Uuid;

use super::*;

const DAY: i64 = 86_400_000_000;

/// A store with twenty records of 100 days ago and ten of two days ago, of two actors in turn.
fn filled() -> (TempDir, String, String) {
    let tmp = tempfile::tempdir().unwrap();
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_micros()).unwrap();
    let record = |number: u64| {
        let age = if number < 20 { 100 * DAY } else { 2 * DAY };
        let at = Timestamp::from_micros(now - age + number.cast_signed());
        let lowest = u128::from_be_bytes(*RecordId::lowest_at(at).as_bytes());
        let (id, actor) = (Uuid::from_u128(lowest | u128::from(number)), number % 2);
        let json = format!(
            r#"{{"id":"{id}","timestamp":"{at}","schema":"1.0","action":"document.create","actor":{{"type":"user","id":"{actor}"}}}}"#
        );
        (at, Delivery::new(number, leaf_hash(json.as_bytes()), json))
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let mut sink = SqliteSink::new(tmp.path().join("audit.db"));
        let origin = tower_audit::record::Origin::new(Uuid::from_u128(1), "docs", None);
        for numbers in [0..20, 20..30] {
            let (ats, records): (Vec<_>, Vec<_>) = numbers.clone().map(record).unzip();
            let batch = Batch::new(origin.clone(), *ats.last().unwrap(), records, numbers.end);
            sink.deliver(&batch).await.unwrap();
        }
        sink.close().await.unwrap();
    });
    let policy = tmp.path().join("retention.toml");
    fs::write(&policy, "keep = \"90d\"\n").unwrap();
    let store = address(&tmp.path().join("audit.db"));
    let policy = policy.display().to_string();
    (tmp, store, policy)
}

#[test]
fn a_prune_is_looked_at_then_done_and_written_into_the_trail() {
    let (tmp, store, policy) = filled();
    let prune = ["prune", "--store", &store, "--policy", &policy];
    let err = refused(&[&prune[..], &["--yes"]].concat());
    assert!(err.contains("here: --idle 30d"), "{err}");
    let prune = [&prune[..], &["--idle", "365d"]].concat();
    let out = ended(0, &[&prune[..], &["--dry-run"]].concat());
    assert!(
        out.contains("20 go, 0 held, 0 kept: the rest for 90d"),
        "{out}"
    );
    let plan = json(&ended(0, &[&prune[..], &["--dry-run", "--json"]].concat()));
    assert_eq!(plan["removed"], 20);
    let output = run(&prune);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("say --yes"), "{output:?}");

    let dir = tmp.path().join("journal").display().to_string();
    let yes = ["--yes", "--json", "--by", "ann", "--record", &dir];
    let report = json(&ended(0, &[&prune[..], &yes].concat()));
    assert_eq!(
        (&report["removed"], &report["complete"]),
        (&20.into(), &true.into())
    );
    let journal = ended(0, &["replay", &dir, "--to", &store]);
    assert!(journal.contains("records delivered"), "{journal}");
    let found = [
        "query",
        "--store",
        &store,
        "--action",
        "audit.prune",
        "--json",
    ];
    let record = json(&ended(0, &found));
    assert_eq!(record["details"]["removed"], 20, "{record}");
    assert_eq!(record["actor"]["claimed"], "ann");
    let verified = ended(0, &["verify", "--store", &store]);
    assert!(verified.contains("20 removed by prunes"), "{verified}");
    let numbers =
        "1 prune removed 20 records, of which 20 leaves are kept; 1 compared with a trail's record";
    assert!(verified.contains(numbers), "{verified}");
    // Whoever removes a record by hand leaves one leaf more than prunes removed.
    forge(&tmp);
    let verified = ended(1, &["verify", "--store", &store]);
    assert!(
        verified.contains("1 record was removed by something else"),
        "{verified}"
    );
    assert!(verified.ends_with("; prunes WRONG\n"), "{verified}");
    let report = json(&ended(1, &["verify", "--store", &store, "--json"]));
    assert_eq!(report["prunes"]["leaves"], 21, "{report}");
    assert_eq!(report["prunes"]["findings"][0]["kind"], "prunes");
}

/// Removes a record and leaves its leaf, as whoever may write the file can.
fn forge(tmp: &TempDir) {
    use sqlx::{Connection as _, SqliteConnection};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let path = tmp.path().join("audit.db");
        let mut database = SqliteConnection::connect(path.to_str().unwrap())
            .await
            .unwrap();
        let forged = "INSERT INTO audit_emptied SELECT trail, number, leaf FROM audit_records \
                      WHERE number = 25; DELETE FROM audit_records WHERE number = 25";
        sqlx::raw_sql(forged).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    });
}

#[test]
fn a_hold_is_added_listed_and_released_once() {
    let (_tmp, store, policy) = filled();
    let at = ["--store", &store, "--by", "ann"];
    let add = [&["hold", "add", "--reason", "case 7", "actor=1"][..], &at].concat();
    let line = ended(0, &add);
    let id = line.split(' ').next().unwrap().to_owned();
    assert!(line.contains("ann: case 7  [actor=\"1\"]"), "{line}");
    let prune = ["prune", "--store", &store, "--policy", &policy];
    let prune = [&prune[..], &["--yes", "--idle", "365d"]].concat();
    let out = ended(0, &prune);
    assert!(out.contains("10 go, 10 held"), "{out}");
    assert_eq!(ended(0, &["hold", "list", "--store", &store]), line);
    let release = [&["hold", "release", &id][..], &at].concat();
    assert!(ended(0, &release).contains("by ann"));
    let err = refused(&release);
    assert!(err.contains("there is no hold"), "{err}");
    assert!(ended(0, &prune).contains("10 go, 0 held"));
    for (wrong, expected) in [
        (&["actro=1"][..], "unknown parameter"),
        (&["actor"], "write name=value"),
        (&[], "--everything"),
    ] {
        let err = refused(&[&["hold", "add", "--reason", "x"][..], &at, wrong].concat());
        assert!(err.contains(expected), "{err}");
    }
}

#[test]
fn a_policy_that_is_wrong_removes_nothing() {
    let (tmp, store, _) = filled();
    let policy = tmp.path().join("low.toml");
    let path = policy.display().to_string();
    for (text, expected) in [
        (
            "keep = \"7d\"\n",
            "low.toml: line 1: keep: 7d is below the floor of 30d",
        ),
        ("kep = \"90d\"\n", "kep: unknown key"),
    ] {
        fs::write(&policy, text).unwrap();
        let err = refused(&["prune", "--store", &store, "--policy", &path, "--yes"]);
        assert!(err.contains(expected), "{err}");
    }
    let err = refused(&["prune", "--store", &store, "--policy", "/nowhere", "--yes"]);
    assert!(err.contains("/nowhere cannot be read"), "{err}");
}
