//! The PostgreSQL sink when something else is there, away, older, newer, shared or in a hurry.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    process::Command,
};

use tower_audit::sink::{PostgresSink, Sink, SinkError};

use crate::support::{
    batches::{origin, plain},
    port::Port,
    postgres::{Place, place},
    services,
};

pub(super) fn blocked<T: std::fmt::Debug>(result: Result<T, SinkError>) -> String {
    match result {
        Err(SinkError::Blocked { reason }) => reason,
        other => panic!("blocked expected: {other:?}"),
    }
}

pub(super) fn tried_again<T: std::fmt::Debug>(result: Result<T, SinkError>) -> String {
    match result {
        Err(SinkError::Retry { reason, .. }) => reason,
        other => panic!("retry expected: {other:?}"),
    }
}

// trap D9: the host's own migrations.
#[tokio::test]
async fn a_schema_of_the_host_is_shared_without_touching_its_tables() {
    let Some(place) = place() else { return };
    let schema = &place.schema;
    place.run(&format!("CREATE SCHEMA {schema}")).await;
    place
        .run(
            "CREATE TABLE _sqlx_migrations (version bigint); \
             INSERT INTO _sqlx_migrations VALUES (7); CREATE TABLE records (id int)",
        )
        .await;
    let address = format!("{}&prefix=trail_", place.address());
    let mut sink = PostgresSink::new(&address).unwrap();
    sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();
    let version = "SELECT sum(version)::bigint FROM _sqlx_migrations";
    assert_eq!(place.number(version).await, 7);
    assert_eq!(place.number("SELECT count(*) FROM trail_records").await, 3);
    let audit = format!(
        "SELECT count(*) FROM pg_class WHERE relname LIKE 'audit%' \
         AND relnamespace = '{schema}'::regnamespace"
    );
    assert_eq!(place.number(&audit).await, 0);
}

/// The schema as `pg_dump` writes it.
fn dump(place: &Place) -> Vec<u8> {
    let mut dump = Command::new("pg_dump");
    dump.args(["--schema", &place.schema, &place.server]);
    let output = dump.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

fn put_back(place: &Place, dump: &[u8]) {
    let mut all = format!("DROP SCHEMA {} CASCADE;\n", place.schema).into_bytes();
    all.extend_from_slice(dump);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), all).unwrap();
    let mut psql = Command::new("psql");
    psql.args(["-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-f"]);
    let output = psql.arg(file.path()).arg(&place.server).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

// trap D14: an older copy of the database is put back.
#[tokio::test]
async fn an_older_copy_says_itself_how_far_it_comes_and_is_refilled() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
    sink.deliver(&plain(&origin(1), 0..10)).await.unwrap();
    let copy = dump(&place);
    sink.deliver(&plain(&origin(1), 10..20)).await.unwrap();
    sink.deliver(&plain(&origin(2), 100..105)).await.unwrap();
    sink.close().await.unwrap();

    put_back(&place, &copy);
    let mut sink = place.sink();
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(10)));
    let never_seen = sink.position(&origin(2)).await;
    assert_eq!(never_seen, Ok(Some(0)), "a trail the copy never saw");
    sink.deliver(&plain(&origin(1), 10..20)).await.unwrap();
    assert_eq!(place.number("SELECT count(*) FROM audit_records").await, 20);
}

// trap D14: the same while the service runs, under a connection that is not cut.
#[tokio::test]
async fn tables_that_were_put_back_under_a_running_sink_are_noticed_before_the_next_batch() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
    sink.deliver(&plain(&origin(1), 0..10)).await.unwrap();
    let copy = dump(&place);
    sink.deliver(&plain(&origin(1), 10..20)).await.unwrap();
    put_back(&place, &copy);

    let reason = tried_again(sink.deliver(&plain(&origin(1), 20..30)).await);
    assert!(reason.contains("older than they were"), "{reason}");
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(10)));
    sink.deliver(&plain(&origin(1), 10..30)).await.unwrap();
    assert_eq!(place.number("SELECT count(*) FROM audit_records").await, 30);
}

#[tokio::test]
async fn a_newer_minor_format_is_used_and_a_newer_major_one_blocks() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
    sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();
    sink.close().await.unwrap();
    place
        .run(
            "INSERT INTO audit_schema VALUES (8, '0008_more', 1, 7, 0); \
              ALTER TABLE audit_records ADD COLUMN more text",
        )
        .await;
    sink.deliver(&plain(&origin(1), 3..5)).await.unwrap();
    sink.close().await.unwrap();
    place
        .run("INSERT INTO audit_schema VALUES (9, '0009_other', 2, 0, 0)")
        .await;
    let reason = blocked(sink.deliver(&plain(&origin(1), 5..6)).await);
    assert!(
        reason.contains("format 2.0") && reason.contains("use a newer tower-audit"),
        "{reason}"
    );
}

#[tokio::test]
async fn tables_of_another_shape_block_with_what_is_wrong_and_go_on_when_it_is_mended() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
    sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();
    let alter = "ALTER TABLE audit_records";
    for (name, spoil, mend, said) in [
        (
            "another type",
            "ALTER COLUMN json TYPE jsonb USING json::jsonb",
            "ALTER COLUMN json TYPE json",
            "no column json of type json",
        ),
        (
            "renamed",
            "RENAME COLUMN leaf TO blatt",
            "RENAME COLUMN blatt TO leaf",
            "no column leaf of type bytea",
        ),
        (
            "asks for more",
            "ADD COLUMN x int NOT NULL DEFAULT 1, ALTER COLUMN x DROP DEFAULT",
            "DROP COLUMN x",
            "a value of its column \"x\"",
        ),
        (
            "a check",
            "ADD CONSTRAINT no CHECK (number < 3)",
            "DROP CONSTRAINT no",
            "not as tower-audit made them",
        ),
    ] {
        sink.close().await.unwrap();
        for part in spoil.split(", ") {
            place.run(&format!("{alter} {part}")).await;
        }
        let reason = blocked(sink.deliver(&plain(&origin(1), 3..6)).await);
        assert!(
            reason.contains(said) && reason.contains("127.0.0.1"),
            "{name}: {reason}"
        );
        assert!(reason.contains("restore them"), "{name}: {reason}");
        place.run(&format!("{alter} {mend}")).await;
    }
    sink.deliver(&plain(&origin(1), 3..6)).await.unwrap();
    assert_eq!(place.number("SELECT count(*) FROM audit_records").await, 6);
}

#[tokio::test]
async fn a_name_that_somebody_else_has_blocks_and_changes_nothing() {
    let Some(place) = place() else { return };
    place.run(&format!("CREATE SCHEMA {}", place.schema)).await;
    place.run("CREATE TABLE audit_records (mine int)").await;
    let reason = blocked(place.sink().deliver(&plain(&origin(1), 0..3)).await);
    assert!(reason.contains("is not tower-audit's"), "{reason}");
    let made = "SELECT count(to_regclass('audit_schema'))";
    assert_eq!(place.number(made).await, 0, "all or nothing");
}

#[tokio::test]
async fn who_is_not_let_in_is_told_why_and_the_password_never() {
    let Some(place) = place() else { return };
    let batch = plain(&origin(1), 0..3);
    for (address, said) in [
        (
            place.address_of("audit", "hunter2"),
            "correct the user or the password",
        ),
        (
            place.address_of("nobody", "hunter2"),
            "correct the user or the password",
        ),
        (
            place.address().replace("/audit?", "/hunter?"),
            "create the database",
        ),
    ] {
        let mut sink = PostgresSink::new(&address).unwrap();
        for result in [sink.probe().await, sink.deliver(&batch).await] {
            let reason = blocked(result);
            assert!(reason.contains(said), "{reason}");
            assert!(reason.starts_with("postgres://127.0.0.1:"), "{reason}");
            assert!(!reason.contains("hunter2"), "{reason}");
        }
        assert!(!format!("{sink:?} {}", sink.address()).contains("hunter2"));
    }
}

#[tokio::test]
async fn a_password_file_is_read_again_until_it_is_right() {
    let Some(place) = place() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    let (_, rest) = place.server.split_once("://audit:").unwrap();
    let (password, rest) = rest.split_once('@').unwrap();
    let address = format!(
        "postgres://audit@{rest}?schema={}&password_file={}",
        place.schema,
        file.display()
    );
    let mut sink = PostgresSink::new(&address).unwrap();
    let reason = blocked(sink.probe().await);
    assert!(reason.contains("password cannot be read"), "{reason}");
    fs::write(&file, "wrong").unwrap();
    let reason = blocked(sink.probe().await);
    assert!(
        reason.contains("correct the user or the password"),
        "{reason}"
    );
    fs::write(&file, format!("{password}\n")).unwrap();
    assert_eq!(sink.deliver(&plain(&origin(1), 0..3)).await, Ok(()));
}

#[tokio::test]
async fn a_server_that_is_away_is_tried_again_and_a_stranger_blocks() {
    let port = Port::new();
    let listener = TcpListener::bind(port.address()).unwrap();
    let address = format!("postgres://u:hunter2@{}/d?sslmode=require", port.address());
    let mut sink = PostgresSink::new(&address).unwrap();
    let stranger = std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        let _asked = peer.read(&mut [0; 8]).unwrap();
        peer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let reason = blocked(sink.probe().await);
    assert!(reason.contains("no PostgreSQL server"), "{reason}");
    stranger.join().unwrap();
    let reason = tried_again(sink.probe().await);
    assert!(reason.contains("refused"), "{reason}");
}

#[tokio::test]
async fn a_certificate_is_checked_and_a_foreign_one_blocks() {
    let Some(place) = place() else { return };
    let Some(certificates) = services::certificates() else {
        return;
    };
    let with = |mode: &str, ca: &std::path::Path| {
        let address = format!("{}&sslmode={mode}&ca={}", place.address(), ca.display());
        PostgresSink::new(&address).unwrap()
    };
    for mode in ["verify-ca", "verify-full"] {
        assert_eq!(with(mode, &certificates.ca).probe().await, Ok(()), "{mode}");
        let reason = blocked(with(mode, &certificates.foreign_ca).probe().await);
        assert!(
            reason.contains("certificate") && reason.contains("ca="),
            "{mode}: {reason}"
        );
    }
    let missing = certificates.ca.with_file_name("missing.pem");
    let reason = blocked(with("verify-full", &missing).probe().await);
    assert!(reason.contains("missing.pem"), "{reason}");
    // Without an authority of ours the system's are asked, who do not know this server.
    let system = format!("{}&sslmode=verify-full", place.address());
    blocked(PostgresSink::new(&system).unwrap().probe().await);
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_record_blocks() {
    let Some(place) = place() else { return };
    let name = format!("latin_{}", place.schema);
    let make = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    place.run(&format!("CREATE DATABASE {name} {make}")).await;
    let address = place.address().replace("/audit?", &format!("/{name}?"));
    let result = PostgresSink::new(&address).unwrap().probe().await;
    place
        .run(&format!("DROP DATABASE {name} WITH (FORCE)"))
        .await;
    let reason = blocked(result);
    assert!(
        reason.contains("LATIN1") && reason.contains("UTF8"),
        "{reason}"
    );
}
