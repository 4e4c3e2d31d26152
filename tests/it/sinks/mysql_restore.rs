//! A MariaDB database that is put back from an older copy.

use std::{
    fs,
    process::{Command, Stdio},
};

use tower_audit::sink::{Sink, SinkError};

use super::mysql_faults::sink;
use crate::support::{
    batches::{origin, plain},
    mariadb::Scratch,
};

const RECORDS: &str = "SELECT COUNT(*) FROM audit_records";

/// A program of the server's packages, for this database.
fn client(program: &str, scratch: &Scratch) -> Command {
    let url = scratch.url("");
    let (_, host) = url.rsplit_once('@').unwrap();
    let (host, name) = host.split_once('/').unwrap();
    let (host, port) = host.rsplit_once(':').unwrap();
    let (user, password) = scratch.login().split_once(':').unwrap();
    let mut client = Command::new(program);
    client.args([
        "--no-defaults",
        "--protocol=tcp",
        "--host",
        host,
        "--port",
        port,
    ]);
    client
        .args(["--user", user, name])
        .env("MYSQL_PWD", password);
    client
}

fn dump(scratch: &Scratch) -> Vec<u8> {
    let output = client("mariadb-dump", scratch).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

fn put_back(scratch: &Scratch, dump: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), dump).unwrap();
    let file = Stdio::from(fs::File::open(file.path()).unwrap());
    let output = client("mariadb", scratch).stdin(file).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

// trap D14: an older copy of the database is put back.
#[tokio::test]
async fn an_older_copy_says_itself_how_far_it_comes_and_is_refilled() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let mut first = sink(&scratch.url(""));
    first.deliver(&plain(&origin(1), 0..10)).await.unwrap();
    let copy = dump(&scratch);
    first.deliver(&plain(&origin(1), 10..20)).await.unwrap();
    first.deliver(&plain(&origin(2), 100..105)).await.unwrap();
    first.close().await.unwrap();

    put_back(&scratch, &copy);
    let mut second = sink(&scratch.url(""));
    assert_eq!(second.position(&origin(1)).await, Ok(Some(10)));
    let never_seen = second.position(&origin(2)).await;
    assert_eq!(never_seen, Ok(Some(0)), "a trail the copy never saw");
    second.deliver(&plain(&origin(1), 10..20)).await.unwrap();
    assert_eq!(scratch.number(RECORDS).await, 20);
}

// trap D14: the same while the service runs, under a connection that is not cut.
#[tokio::test]
async fn tables_that_were_put_back_under_a_running_sink_are_noticed_before_the_next_batch() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let mut sink = sink(&scratch.url(""));
    sink.deliver(&plain(&origin(1), 0..10)).await.unwrap();
    let copy = dump(&scratch);
    sink.deliver(&plain(&origin(1), 10..20)).await.unwrap();
    put_back(&scratch, &copy);

    let answer = sink.deliver(&plain(&origin(1), 20..30)).await;
    assert!(
        matches!(&answer, Err(SinkError::Retry { reason, .. }) if reason.contains("older than they were")),
        "{answer:?}"
    );
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(10)));
    sink.deliver(&plain(&origin(1), 10..30)).await.unwrap();
    assert_eq!(scratch.number(RECORDS).await, 30);
}
