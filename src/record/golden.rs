//! The published format, byte by byte: what is written today is what the golden files hold.
//!
//! `tests/golden/record/<version>/` is never changed once that version is released; the files of
//! every version are read for ever (`tests/it/record.rs`).

use std::{fs, path::PathBuf, time::Duration};

use serde_json::json;

use super::{json::SCHEMA, *};

/// The sample of the documentation.
fn sample() -> Record {
    Record::new("document.create")
        .success()
        .actor(
            Actor::user("146")
                .name("Flapjack Toasty")
                .email("flapjack@example.com")
                .auth_method("password")
                .credential("session", "hmac-sha256:k1:9f86d081884c7d65"),
        )
        .target(Target::new("document", "4cq1mNabcdef").name("Untitled document"))
        .tenant(Tenant::new(42).name("Grist Labs").domain("gristlabs"))
        .application(Application::new("web").name("Web console"))
        .context(
            Context::new()
                .ip_address("39.139.42.243")
                .peer_address("10.0.0.7")
                .forwarded("39.139.42.243")
                .user_agent("Mozilla/5.0 (X11; Linux x86_64)")
                .session_id("hmac-sha256:k1:9f86d081884c7d65")
                .request_id("r-1")
                .trace_id("4bf92f3577b34da6a3ce929d0e0e4736")
                .span_id("00f067aa0ba902b7")
                .http(Http::new().method("POST").route("/api/docs").status(201))
                .duration(Duration::from_micros(1834)),
        )
        .change("name", "a", "b")
        .detail("workspace", json!({"id": 97, "name": "Secret Plans"}))
}

/// Every field there is.
fn full() -> Record {
    let at = |text: &str| text.parse().unwrap();
    let mut record = sample()
        .category("documents")
        .outcome(Outcome::Error)
        .reason("the disk is full")
        .error(
            Fault::new("no space left on device")
                .kind("io::Error")
                .code(28),
        )
        .folded(3, at("2026-11-20T13:34:01Z"), at("2026-11-20T13:35:00Z"))
        .detail("description", "x".repeat(5000));
    record.context = record.context.previous_session_id("hmac-sha256:k1:00ff");
    record.actor = record.actor.map(|actor| {
        actor
            .claimed("flapjack")
            .on_behalf_of(Actor::user("7").name("Support"))
    });
    record
}

fn cases() -> Vec<(&'static str, Record)> {
    let first = "2026-11-20T13:34:01.123456Z".parse().unwrap();
    let last = "2026-11-20T13:34:59.999999Z".parse().unwrap();
    vec![
        ("sample", sample()),
        ("full", full()),
        ("minimal", Record::new(Action::UNKNOWN)),
        (
            "denied_login",
            Record::new("user.login")
                .actor(Actor::anonymous().claimed("flapjack@example.com"))
                .denied("bad password")
                .context(Context::new().ip_address("2001:db8::7")),
        ),
        (
            "foreign_action",
            Record::new("Interaction.SignIn.Verification.Password.Submit")
                .failure("session.verification_failed")
                .actor(Actor::service("m2m-1")),
        ),
        (
            "folded",
            Record::new("http.request")
                .denied("no credential")
                .folded(7412, first, last),
        ),
        (
            "escaped",
            Record::system("note\u{202e}.create\0")
                .success()
                .reason("one\r\ntwo\tthree\u{2028}\u{1b}[2J \"quoted\" back\\slash")
                .detail(
                    "k\u{200b}ey",
                    json!({"emoji": "👩\u{200d}🚀", "list": ["\u{7f}", 1.5, null, true]}),
                ),
        ),
        (
            "truncated",
            Record::new("a.b")
                .context(Context::new().user_agent("u".repeat(1 << 20)))
                .change("text", "é".repeat(4000), 1)
                .success(),
        ),
    ]
}

#[test]
fn every_case_is_written_exactly_like_its_golden_file() {
    let at: Timestamp = "2026-11-20T13:34:01.123456Z".parse().unwrap();
    let service = Service::new("docs").version("1.4.2").instance("web-1");
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/record")
        .join(SCHEMA);
    for (number, (name, record)) in (1..).zip(cases()) {
        let finished = record.finish(RecordId::new(at, number), at, &service);
        let golden = fs::read_to_string(folder.join(format!("{name}.json"))).unwrap_or_default();
        assert_eq!(finished.json + "\n", golden, "{name}");
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), cases().len());
}
