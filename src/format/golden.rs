//! What each format looks like, line by line, and that the schemas of others take it.
//!
//! `UPDATE_GOLDEN=1 cargo test --lib format::golden` writes the files anew; look at the difference.

use std::{fs, path::PathBuf, time::Duration};

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Event, Format,
    published::{check_ecs, check_ocsf},
    tests::records as full_records,
};
use crate::{
    clock::{RecordId, Timestamp},
    evidence::leaf_hash,
    record::{Actor, Context, Http, Outcome, Record, Service, Target, Tenant},
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/formats")
}

fn context() -> Context {
    Context::new()
        .ip_address("39.139.42.243")
        .peer_address("10.0.0.7")
        .forwarded("39.139.42.243")
        .user_agent("Mozilla/5.0 (X11; Linux x86_64)")
        .session_id("hmac-sha256:k1:9f86d081884c7d65")
        .trace_id("4bf92f3577b34da6a3ce929d0e0e4736")
        .span_id("00f067aa0ba902b7")
}

fn http(method: &str, route: &str, status: u16) -> Context {
    let http = Http::new().method(method).route(route).status(status);
    context().http(http).duration(Duration::from_micros(1834))
}

fn user() -> Actor {
    Actor::user("146")
        .name("Flapjack Toasty")
        .email("flapjack@example.com")
        .auth_method("password")
}

fn record(action: &str) -> Record {
    Record::new(action).tenant(Tenant::new(42).name("Grist Labs").domain("gristlabs"))
}

/// What people look at first when a format is new to them.
fn cases() -> Vec<Record> {
    let at = |text: &str| text.parse().unwrap();
    let document = || Target::new("document", "4cq1mNabcdef").name("Untitled document");
    vec![
        record("user.login")
            .success()
            .actor(user())
            .context(http("POST", "/login", 303)),
        Record::new("user.login")
            .denied("bad password")
            .actor(Actor::anonymous().claimed("flapjack@example.com"))
            .context(http("POST", "/login", 401).ip_address("2001:db8::7")),
        record("document.rename")
            .success()
            .actor(user())
            .target(document())
            .change("name", "Untitled document", "Plans")
            .detail("workspace", json!({"id": 97, "name": "Secret Plans"}))
            .context(http("PATCH", "/api/docs/{id}", 200)),
        record("user.create")
            .success()
            .actor(Actor::service("m2m-1").credential("api_key", "k-7"))
            .target(Target::new("user", "147").name("Waffle Crisp"))
            .context(http("POST", "/api/users", 201)),
        record("role.assign")
            .success()
            .actor(user().on_behalf_of(Actor::user("7").name("Support")))
            .target(Target::new("role", "editor"))
            .target(Target::new("user", "147").name("Waffle Crisp"))
            .context(context()),
        Record::system("backup.prune")
            .success()
            .target(Target::new("backup", "2026-10-20"))
            .detail("bytes", 1_073_741_824_u64),
        record("document.delete")
            .outcome(Outcome::Unknown)
            .reason("the process ended before the outcome was known")
            .actor(user())
            .target(document())
            .context(context().http(Http::new().method("DELETE").route("/api/docs/{id}"))),
        Record::new("http.request")
            .denied("no credential")
            .folded(7412, at("2026-11-20T13:34:01Z"), at("2026-11-20T13:35:00Z"))
            .context(Context::new().ip_address("39.139.42.0/24")),
        Record::new("note\u{202e}.create\0")
            .success()
            .reason("one\r\ntwo\u{2028}\u{1b}[2J \"quoted\" back\\slash")
            .actor(Actor::user("<script>").email("not\n an address"))
            .target(Target::new("previous", "{type}").name("a.b[].*"))
            .change("tower_audit", json!({"trail": "x"}), 1)
            .detail("trail", "\",\"n\":7,\"h\":\"")
            .detail(
                "k\u{200b}ey",
                json!({"emoji": "👩\u{200d}🚀", "list": ["\u{7f}", 1.5, null, true]}),
            )
            .context(
                Context::new()
                    .ip_address("hmac-sha256:k1:00ff")
                    .forwarded("_hidden, 10.0.0.1"),
            ),
    ]
}

/// The records, as a trail has them.
fn records() -> Vec<String> {
    let at: Timestamp = "2026-11-20T13:34:01.123456Z".parse().unwrap();
    let service = Service::new("docs").version("1.4.2").instance("web-1");
    let numbered = (1..).zip(cases());
    numbered
        .map(|(number, record)| record.finish(RecordId::new(at, number), at, &service).json)
        .collect()
}

fn line(format: Format, number: u64, json: &str) -> String {
    let mut line = Vec::new();
    let event = Event {
        trail: &Uuid::from_u128(0x0199_a3c8_0000_7000_8000_0000_0000_0001),
        number,
        leaf: &leaf_hash(json.as_bytes()),
        json,
    };
    format.write(&mut line, &event);
    String::from_utf8(line).unwrap()
}

#[test]
fn every_line_is_as_in_the_golden_file_of_its_format() {
    for format in Format::ALL {
        let lines: Vec<String> = (41..)
            .zip(records())
            .map(|(number, json)| line(format, number, &json))
            .collect();
        let path = folder().join(format!("{format}.jsonl"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, lines.join("\n") + "\n").unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        let golden: Vec<&str> = golden.lines().collect();
        assert_eq!(lines, golden, "{format}");
    }
}

#[test]
fn every_class_of_ocsf_is_written_as_it_is_published() {
    let full = full_records().into_iter().map(|record| record.to_string());
    let mut classes: Vec<u64> = records()
        .into_iter()
        .chain(full)
        .map(|json| check_ocsf(&line(Format::Ocsf, 1, &json)).unwrap())
        .collect();
    classes.sort_unstable();
    classes.dedup();
    assert_eq!(classes, [3001, 3002, 3004, 3005, 6003]);
}

#[test]
fn what_ocsf_does_not_have_is_found() {
    let good = line(Format::Ocsf, 1, &records()[0]);
    check_ocsf(&good).unwrap();
    for (from, to) in [
        ("\"status_id\":1", "\"status_id\":7"),
        ("\"session\":{", "\"sitting\":{"),
        ("\"ip\":\"39.139.42.243\"", "\"ip\":\"39.139.42.0/24\""),
        ("\"product\":{", "\"produce\":{"),
        ("\"service\":{", "\"comment\":{"),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good, "{from}");
        let found = check_ocsf(&bad);
        assert!(found.is_err(), "{to}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    // Whatever a record lacks, the classes get what they demand.
    #[test]
    fn any_part_of_a_record_is_valid_in_ocsf_and_ecs(
        which in any::<prop::sample::Index>(),
        gone in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        action in prop_oneof!["[a-z]{1,6}\\.(login|create|delete|rename|assign_role|x)", "\\PC{1,20}"],
        address in prop_oneof![Just("192.0.2.9".to_owned()), "\\PC{1,20}"],
    ) {
        let all = full_records();
        let mut record = all[which.index(all.len())].clone();
        for gone in gone {
            let fields: Vec<&str> = super::explain::FIELDS.iter().copied().filter(|field| *field != "id").collect();
            let path: Vec<&str> = fields[gone.index(fields.len())].split('.').collect();
            let mut way = path[..path.len() - 1].iter();
            let parent = way.try_fold(&mut record, |at, key| match *key {
                "*" => at.get_mut(0),
                key => at.get_mut(key),
            });
            if let Some(Value::Object(parent)) = parent {
                parent.remove(path[path.len() - 1]);
            }
        }
        record["action"] = action.into();
        if let Some(context) = record["context"].as_object_mut() {
            context.entry("ip_address").and_modify(|there| *there = address.into());
        }
        let json = record.to_string();
        if let Err(error) = check_ocsf(&line(Format::Ocsf, 1, &json)) {
            return Err(TestCaseError::fail(error));
        }
        check_ecs(&line(Format::Ecs, 1, &json));
    }
}

#[test]
fn every_field_of_ecs_is_one_that_is_published() {
    let full = full_records().into_iter().map(|record| record.to_string());
    for json in records().into_iter().chain(full) {
        check_ecs(&line(Format::Ecs, 1, &json));
    }
}

/// The table of the documentation, from the tables that do it.
fn table() -> String {
    let cell = |format: Format, field: &str| {
        let rows = format.explain();
        let rows: Vec<_> = rows
            .iter()
            .filter(|row| row.field.starts_with(field))
            .collect();
        let mut homes: Vec<&str> = Vec::new();
        for row in rows.iter().filter(|row| row.has_home) {
            if !homes.contains(&row.to.as_str()) {
                homes.push(&row.to);
            }
        }
        let is_sure = rows.iter().all(|row| row.has_home);
        match (homes.is_empty(), is_sure) {
            (true, _) => "–".to_owned(),
            (false, true) => format!("`{}`", homes.join("`, `")),
            (false, false) => format!("(`{}`)", homes.join("`, `")),
        }
    };
    let row = |field: &&str| {
        let [ecs, ocsf, grist] =
            [Format::Ecs, Format::Ocsf, Format::Grist].map(|format| cell(format, field));
        format!("| `{field}` | {ecs} | {ocsf} | {grist} |\n")
    };
    super::explain::FIELDS.iter().map(row).collect()
}

#[test]
fn the_table_of_the_documentation_is_the_one_that_is_done() {
    const HEAD: &str = "| field | ECS | OCSF | Grist |\n|---|---|---|---|\n";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/sinks.md");
    let docs = fs::read_to_string(&path).unwrap();
    let (before, rest) = docs.split_once(HEAD).unwrap();
    let (found, after) = rest.split_at(rest.find("\n\n").unwrap() + 1);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, format!("{before}{HEAD}{}{after}", table())).unwrap();
    } else {
        assert_eq!(found, table());
    }
}
