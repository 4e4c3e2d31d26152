//! What the MySQL sink says when it cannot deliver, and that it loses nothing by it.

use std::fs;

use tower_audit::sink::{MysqlSink, Sink, SinkError};

use crate::support::{
    batches::{batch, origin, plain, record},
    mariadb::Scratch,
    port::Port,
    services,
};

const RECORDS: &str = "SELECT COUNT(*) FROM audit_records";

pub(super) fn sink(address: &str) -> MysqlSink {
    MysqlSink::new(address).unwrap()
}

/// The reason why a sink is blocked; it holds no password.
pub(super) fn blocked(result: Result<(), SinkError>, scratch: &Scratch) -> String {
    let Err(SinkError::Blocked { reason }) = result else {
        panic!("blocked expected: {result:?}");
    };
    let (_, password) = scratch.login().split_once(':').unwrap();
    assert!(!reason.contains(password), "{reason}");
    assert!(reason.starts_with("mysql://127.0.0.1:"), "{reason}");
    reason
}

// Trap D13.
#[tokio::test]
async fn a_wrong_password_blocks_until_its_file_is_corrected() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    fs::write(&file, "hunter2").unwrap();
    let (user, password) = scratch.login().split_once(':').unwrap();
    let options = format!("?password_file={}", file.display());
    let mut sink = sink(&scratch.url_as(user, &options));

    let reason = blocked(sink.deliver(&plain(&origin(1), 0..3)).await, &scratch);
    assert!(
        reason.contains("correct the user or the password"),
        "{reason}"
    );
    assert!(!reason.contains("hunter2"), "{reason}");
    fs::remove_file(&file).unwrap();
    let reason = blocked(sink.probe().await, &scratch);
    assert!(reason.contains("cannot be read"), "{reason}");

    fs::write(&file, format!("{password}\n")).unwrap();
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(0)));
    sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();
    assert_eq!(scratch.number(RECORDS).await, 3);
}

#[tokio::test]
async fn an_unknown_database_blocks_and_a_server_that_is_away_does_not() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let unknown = scratch.url("_of_nobody");
    let reason = blocked(sink(&unknown).probe().await, &scratch);
    assert!(reason.contains("create the database"), "{reason}");

    let nobody = Port::new();
    let away = sink(&format!("mysql://u:hunter2@{}/audit", nobody.address()))
        .probe()
        .await;
    assert!(
        matches!(&away, Err(SinkError::Retry { reason, .. }) if reason.contains("refused") && !reason.contains("hunter2")),
        "{away:?}"
    );
}

#[tokio::test]
async fn a_foreign_certificate_blocks_and_a_known_authority_lets_pass() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let Some(certificates) = services::certificates() else {
        return;
    };
    let (ours, foreign) = (certificates.ca.display(), certificates.foreign_ca.display());
    for options in [
        format!("?ca={foreign}"),
        format!("?sslmode=verify-ca&ca={foreign}"),
        "?sslmode=verify-identity".to_owned(),
    ] {
        let reason = blocked(sink(&scratch.url(&options)).probe().await, &scratch);
        assert!(
            reason.contains("certificate is not trusted"),
            "{options}: {reason}"
        );
    }
    let missing = blocked(
        sink(&scratch.url("?ca=/nowhere/ca.pem")).probe().await,
        &scratch,
    );
    assert!(
        missing.contains("/nowhere/ca.pem cannot be read"),
        "{missing}"
    );
    for options in [
        format!("?ca={ours}"),
        format!("?sslmode=verify-ca&ca={ours}"),
        "?sslmode=require".to_owned(),
        "?sslmode=disable".to_owned(),
    ] {
        let probed = sink(&scratch.url(&options)).probe().await;
        assert_eq!(probed, Ok(()), "{options}");
    }
}

#[tokio::test]
async fn a_server_that_insists_on_tls_gets_it_unless_the_address_forbids_it() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let (user, database) = (format!("{}_tls", scratch.name()), scratch.name());
    scratch
        .run(&format!(
            "DROP USER IF EXISTS {user}; CREATE USER {user} IDENTIFIED BY 'x' REQUIRE SSL; \
             GRANT ALL ON {database}.* TO {user}"
        ))
        .await;
    let address = |options| scratch.url_as(&format!("{user}:x"), options);
    assert_eq!(sink(&address("")).probe().await, Ok(()));
    blocked(sink(&address("?sslmode=disable")).probe().await, &scratch);
    scratch.run(&format!("DROP USER {user}")).await;
}

#[tokio::test]
async fn tables_of_another_shape_block_and_are_left_as_they_are() {
    let cases = [
        (
            "a table of somebody else",
            "CREATE TABLE audit_records (id INT)",
            "",
        ),
        (
            "without transactions",
            "",
            "ALTER TABLE audit_trails ENGINE = MyISAM",
        ),
        (
            "a column gone",
            "",
            "ALTER TABLE audit_records DROP COLUMN leaf",
        ),
        (
            "a narrow character set",
            "",
            "ALTER TABLE audit_records MODIFY json LONGTEXT CHARACTER SET latin1 NOT NULL",
        ),
        (
            "a column of another type",
            "",
            "ALTER TABLE audit_trails MODIFY next INT NOT NULL",
        ),
        (
            "a key gone",
            "",
            "ALTER TABLE audit_records DROP KEY audit_records_number",
        ),
        ("a table gone", "", "DROP TABLE audit_targets"),
        ("no counter", "", "DELETE FROM audit_arrival"),
    ];
    for (name, before, after) in cases {
        let Some(scratch) = Scratch::new() else {
            return;
        };
        if before.is_empty() {
            sink(&scratch.url("")).probe().await.unwrap();
            scratch.run(after).await;
        } else {
            scratch.run(before).await;
        }
        let delivered = sink(&scratch.url(""))
            .deliver(&plain(&origin(1), 0..1))
            .await;
        let reason = blocked(delivered, &scratch);
        assert!(
            reason.contains("restore them, or give another prefix"),
            "{name}: {reason}"
        );
        // Another prefix is a way out.
        let other = sink(&scratch.url("?prefix=trail2_")).probe().await;
        assert_eq!(other, Ok(()), "{name}");
    }
}

#[tokio::test]
async fn a_newer_minor_version_is_used_and_a_newer_major_version_blocks() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    sink(&scratch.url("")).probe().await.unwrap();
    scratch
        .run(
            "ALTER TABLE audit_records ADD COLUMN mood VARCHAR(9); \
             INSERT INTO audit_schema VALUES (8, '0008_mood', 1, 7, 0)",
        )
        .await;
    let delivered = sink(&scratch.url(""))
        .deliver(&plain(&origin(1), 0..1))
        .await;
    assert_eq!(delivered, Ok(()));

    scratch
        .run("INSERT INTO audit_schema VALUES (9, '0009_other', 2, 0, 0)")
        .await;
    let reason = blocked(sink(&scratch.url("")).probe().await, &scratch);
    assert!(reason.contains("use a newer tower-audit"), "{reason}");
}

#[tokio::test]
async fn programs_that_start_at_once_make_the_tables_once() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let mut sink = sink(&scratch.url(""));
            tokio::spawn(async move { sink.probe().await })
        })
        .collect();
    for start in starts {
        assert_eq!(start.await.unwrap(), Ok(()));
    }
    assert_eq!(scratch.number("SELECT COUNT(*) FROM audit_schema").await, 2);
    assert_eq!(
        scratch.number("SELECT COUNT(*) FROM audit_arrival").await,
        1
    );
}

#[tokio::test]
async fn a_crash_between_two_tables_is_made_good_at_the_next_start() {
    let first = include_str!("../../../migrations/mysql/0001_records.sql");
    let noted = "INSERT INTO audit_schema VALUES (1, '0001_records', 1, 0, 0);\n";
    let second = include_str!("../../../migrations/mysql/0002_retention.sql");
    let ends =
        |text: &str| -> Vec<usize> { text.match_indices(";\n").map(|(end, _)| end + 1).collect() };
    let mut begun: Vec<String> = ends(first).iter().map(|end| first[..*end].into()).collect();
    assert_eq!(begun.len(), 7, "statements");
    let later = ends(second);
    begun.extend(
        later
            .iter()
            .map(|end| format!("{first}\n{noted}{}", &second[..*end])),
    );
    assert!(begun.len() > 7, "statements of the second step");
    for sql in begun {
        let Some(scratch) = Scratch::new() else {
            return;
        };
        scratch.run(&sql).await;
        let delivered = sink(&scratch.url(""))
            .deliver(&plain(&origin(1), 0..2))
            .await;
        assert_eq!(delivered, Ok(()), "after {} bytes", sql.len());
        assert_eq!(scratch.number("SELECT COUNT(*) FROM audit_schema").await, 2);
    }
}

#[tokio::test]
async fn a_key_of_somebody_else_blocks_and_its_values_are_not_told() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let mut sink = sink(&scratch.url(""));
    let actor = r#","actor":{"type":"user","id":"hunter2"}"#;
    sink.deliver(&batch(&origin(1), vec![record(0, "a.b", actor)]))
        .await
        .unwrap();
    scratch
        .run("ALTER TABLE audit_records ADD UNIQUE KEY mine (actor_id)")
        .await;
    let again = batch(&origin(1), vec![record(1, "a.b", actor)]);
    let reason = blocked(sink.deliver(&again).await, &scratch);
    assert!(
        reason.contains("restore the tables") && !reason.contains("hunter2"),
        "{reason}"
    );
    scratch.run("ALTER TABLE audit_records DROP KEY mine").await;
    assert_eq!(sink.deliver(&again).await, Ok(()));
}

#[tokio::test]
async fn a_server_with_small_packets_gets_more_of_them_and_a_killed_one_loses_nothing() {
    let Some(server) = services::private("mariadb") else {
        return;
    };
    let scratch = Scratch::on(&server.get("MARIADB_URL"));
    scratch.run("SET GLOBAL max_allowed_packet = 65536").await;
    let reason = blocked(sink(&scratch.url("")).probe().await, &scratch);
    assert!(
        reason.contains("max_allowed_packet to at least"),
        "{reason}"
    );

    scratch.run("SET GLOBAL max_allowed_packet = 1048576").await;
    let mut sink = sink(&scratch.url(""));
    let padding = format!(r#","details":"{}""#, "x".repeat(20_000));
    let records = (0..200).map(|number| record(number, "big.one", &padding));
    sink.deliver(&batch(&origin(1), records.collect()))
        .await
        .unwrap();
    let huge = format!(r#","details":"{}""#, "x".repeat(1_000_000));
    let refused = sink
        .deliver(&batch(&origin(1), vec![record(200, "a.b", huge)]))
        .await;
    assert!(
        matches!(&refused, Err(SinkError::Refused { reason, .. }) if reason.contains("max_allowed_packet")),
        "{refused:?}"
    );

    server.kill();
    let away = sink.deliver(&plain(&origin(1), 200..300)).await;
    assert!(matches!(&away, Err(SinkError::Retry { .. })), "{away:?}");
    server.start();
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(200)));
    sink.deliver(&plain(&origin(1), 200..300)).await.unwrap();
    assert_eq!(scratch.number(RECORDS).await, 300);
}
