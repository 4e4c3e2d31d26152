//! Destinations that are wrong in every way: each is named with its cause in the report of the start
//! and in health, the service runs, and no record is lost.

use std::{fs, time::Duration};

use sqlx::{ConnectOptions, Connection};
use tower_audit::{
    Audit, Health, Record,
    sink::{Sink, SqliteSink},
    stats::SinkStats,
    testing::{TestTrail, sinks::MemoryStore},
};

use crate::support::{
    receiver::{Receiver, Reply},
    services,
    tls::certificate,
};

const LONG: Duration = Duration::from_secs(60);

/// A wrong destination: its name, its address, and what must be said of it.
struct Case {
    name: &'static str,
    address: String,
    said: &'static str,
}

fn case(name: &'static str, address: impl Into<String>, said: &'static str) -> Case {
    let address = address.into();
    Case {
        name,
        address,
        said,
    }
}

/// Receivers that answer wrongly, and the addresses of sinks that send to them.
fn receivers() -> (Vec<Receiver>, Vec<Case>) {
    let big = "x".repeat(3_000_000);
    let page = Reply::with(200, "content-type", "text/html", "<h1>Log in</h1>");
    let away = Reply::with(302, "location", "https://other.example/?secret", "");
    let echo = Reply::with(
        400,
        "content-type",
        "application/json",
        r#"{"path":"/in/hunter2"}"#,
    );
    let answers: [(&str, &str, Reply, &str); 7] = [
        (
            "forbidden",
            "splunk+http://A?token=hunter2",
            Reply::plain(403, ""),
            "403",
        ),
        (
            "page",
            "splunk+http://A?token=hunter2",
            page.clone(),
            "no answer of Splunk",
        ),
        ("redirect", "http://A/in?secret=hunter2", away, "redirect"),
        (
            "megabytes",
            "http://A/in?secret=hunter2",
            Reply::plain(500, big),
            "500",
        ),
        ("refuses", "http://A/in/hunter2?secret=hunter2", echo, "400"),
        (
            "login",
            "http://A/in?secret=hunter2",
            page.clone(),
            "it is a web page",
        ),
        (
            "otlp-page",
            "otlp+http://A/hunter2/v1/logs",
            page,
            "it is a web page",
        ),
    ];
    let mut receivers = Vec::new();
    let mut cases = Vec::new();
    for (name, address, reply, said) in answers {
        let receiver = Receiver::start(move |_| reply.clone());
        cases.push(case(name, address.replace('A', &receiver.address()), said));
        receivers.push(receiver);
    }
    let foreign = Receiver::start_tls("foreign", |_| Reply::plain(200, "{}"));
    let port = foreign.address().replace("127.0.0.1", "localhost");
    let ca = certificate("ca.pem");
    let address = format!("https://{port}/in?secret=hunter2&ca={ca}");
    cases.push(case("certificate", address, "certificate"));
    receivers.push(foreign);
    (receivers, cases)
}

/// Databases with tables that are not ours, or not yet.
async fn tables(dir: &std::path::Path) -> [Case; 2] {
    let other = dir.join("other.db");
    let newer = dir.join("newer.db");
    let mut sink = SqliteSink::new(&newer);
    sink.probe().await.unwrap();
    sink.close().await.unwrap();
    for (path, sql) in [
        (
            &other,
            "CREATE TABLE audit_schema (id INTEGER); CREATE TABLE audit_records (id INTEGER)",
        ),
        (
            &newer,
            "INSERT INTO audit_schema VALUES (99, '0099_other', 2, 0, 0)",
        ),
    ] {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut connection = options.create_if_missing(true).connect().await.unwrap();
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()));
        done.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
    [
        case(
            "another-shape",
            format!("sqlite://{}", other.display()),
            "prefix",
        ),
        case(
            "newer-format",
            format!("sqlite://{}", newer.display()),
            "2.0",
        ),
    ]
}

async fn cases(dir: &std::path::Path) -> (Vec<Receiver>, Vec<Case>) {
    let (receivers, mut cases) = receivers();
    cases.extend(tables(dir).await);
    let notes = dir.join("notes.db");
    fs::write(
        &notes,
        "this is no database, whatever its name says ".repeat(40),
    )
    .unwrap();
    cases.extend([
        case(
            "no-route",
            "postgres://docs:hunter2@127.0.0.1:1/audit",
            "127.0.0.1:1",
        ),
        case("nobody", "otlp+grpc://127.0.0.1:1", "127.0.0.1:1"),
        case("no-syslog", "syslog+tcp://127.0.0.1:1", "127.0.0.1:1"),
        case(
            "no-directory",
            "file:///no/such/directory/audit.jsonl",
            "/no/such/directory",
        ),
        case(
            "no-database",
            format!("sqlite://{}", notes.display()),
            "notes.db",
        ),
        case(
            "no-token",
            "http://127.0.0.1:1/in?secret_file=/no/such/token",
            "/no/such/token",
        ),
    ]);
    if let Some(url) = services::postgres() {
        let (_, rest) = url.split_once('@').unwrap();
        let address = format!("postgres://nobody:hunter2@{rest}");
        cases.push(case("password", address, "password"));
    }
    if let Some(url) = services::mariadb() {
        let (_, rest) = url.split_once('@').unwrap();
        let address = format!("mysql://nobody:hunter2@{rest}");
        cases.push(case("mariadb-password", address, "password"));
    }
    (receivers, cases)
}

fn balanced(sink: &SinkStats) {
    let sum = sink.delivered + sink.pending + sink.dead + sink.missed;
    assert_eq!(sink.committed, sum, "{sink:?}");
}

/// Waits until health names each of the sinks.
fn reasons(audit: &Audit, cases: &[Case]) -> Vec<String> {
    let deadline = std::time::Instant::now() + LONG;
    loop {
        let Health::Degraded(reasons) = audit.health() else {
            panic!("{:?}", audit.health())
        };
        let named = |case: &Case| {
            let start = format!("sink {} ", case.name);
            reasons.iter().any(|reason| reason.starts_with(&start))
        };
        if cases.iter().all(named) {
            return reasons;
        }
        assert!(std::time::Instant::now() < deadline, "{reasons:#?}");
        std::thread::yield_now();
    }
}

// trap D13, and the bad input of every kind of sink.
#[tokio::test]
async fn what_is_wrong_with_a_destination_stands_in_the_report_and_in_health() {
    let dir = tempfile::tempdir().unwrap();
    let (_receivers, cases) = cases(dir.path()).await;
    let list: Vec<_> = cases
        .iter()
        .map(|case| format!("{}={}", case.name, case.address))
        .collect();
    let good = MemoryStore::new();
    let trail = TestTrail::with(|builder| {
        builder
            .sink("good", good.sink())
            .variables([("AUDIT_SINKS", list.join("\n"))])
    });
    let audit = trail.audit();
    audit.commit(Record::new("user.login")).await.unwrap();

    let report = audit.sinks().report(LONG).await;
    assert_eq!(report.len(), cases.len() + 1);
    assert_eq!(
        (report[0].name.as_str(), &report[0].problem),
        ("good", &None)
    );
    for (case, answer) in cases.iter().zip(&report[1..]) {
        assert_eq!(answer.name, case.name);
        let problem = answer.problem.as_deref().unwrap_or("ok");
        assert!(problem.contains(case.said), "{}: {problem}", case.name);
        assert!(problem.len() <= 600, "{}: {problem}", case.name);
    }
    let reasons = reasons(audit, &cases).join("\n");
    for text in [
        format!("{report:?}"),
        reasons,
        format!("{:?}", audit.stats()),
    ] {
        assert!(
            !text.contains("hunter2") && !text.contains("?secret"),
            "{text}"
        );
    }

    good.wait_until("the others cost it nothing", |contents| {
        let mut records = contents.records.iter();
        records.any(|record| record.json.contains("user.login"))
    });
    let stats = audit.stats();
    stats.sinks.iter().for_each(balanced);
    let dead = |sink: &&SinkStats| sink.dead > 0;
    let dead: Vec<_> = stats
        .sinks
        .iter()
        .filter(dead)
        .map(|sink| sink.name.as_str())
        .collect();
    assert_eq!(dead, ["refuses"], "only what was refused for itself");
    assert!(trail.shutdown().in_order);
    let lines = trail.lines();
    assert!(
        lines.iter().all(|line| !line.contains("hunter2")),
        "no secret in a record"
    );
}
