//! What must not be in a record is in none of its bytes, wherever it was planted.

use std::{collections::BTreeMap, path::Path};

use axum::{
    Router,
    body::Body,
    http::{Request, header},
    routing::post,
};
use serde::Serialize;
use serde_json::json;
use tower::ServiceExt;
use tower_audit::{
    Audit, AuditScope, HashKey, Policy, Record, Target,
    capture::Session,
    policy::Redaction,
    record::{Actor, Context, Fault, Outcome},
    sink::FileSink,
    testing::{Canary, TestTrail},
};

/// A secret without characters that a path or a header would not carry.
const SECRET: &str = "canary-7f3a9c51e0b24d68";

fn bytes<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

#[derive(Debug, Clone, Serialize)]
struct Credentials {
    name: &'static str,
    password: String,
}

#[derive(Serialize)]
enum Proof {
    Token(String),
    Password { current_password: String },
}

/// One value of each type that a service may hand over.
#[derive(Serialize)]
struct Everything {
    login: Credentials,
    #[serde(serialize_with = "bytes")]
    secret: Vec<u8>,
    optional: Option<Credentials>,
    list: Vec<Credentials>,
    #[serde(rename = "clientSecret")]
    client_secret: (String, Vec<String>),
    proofs: Vec<Proof>,
    #[serde(flatten)]
    more: BTreeMap<&'static str, String>,
    password_changed: bool,
    tokens_used: u32,
}

fn everything(secret: &str) -> Everything {
    let (text, credentials) = (
        || secret.to_owned(),
        || Credentials {
            name: "Flapjack",
            password: secret.to_owned(),
        },
    );
    let names = [
        "api-key",
        "Set-Cookie",
        "codeVerifier",
        "idToken",
        "SAMLResponse",
        "backupCode",
        "totp",
    ];
    Everything {
        login: credentials(),
        secret: secret.as_bytes().to_vec(),
        optional: Some(credentials()),
        list: vec![credentials(); 2],
        client_secret: (text(), vec![text()]),
        proofs: vec![
            Proof::Token(text()),
            Proof::Password {
                current_password: text(),
            },
        ],
        more: names.iter().map(|name| (*name, text())).collect(),
        password_changed: true,
        tokens_used: 3,
    }
}

/// A record with the secret in every place that has a name, and repeated in every other text.
fn planted(secret: &str) -> Record {
    let spread = |before: &str| format!("{before} {secret}.");
    let mut record = Record::new("user.login")
        .outcome(Outcome::Failure)
        .reason(spread("refused"))
        .error(Fault::new(spread("cannot use")))
        .actor(
            Actor::user(secret)
                .name(spread("n"))
                .email(secret)
                .claimed(secret)
                .on_behalf_of(Actor::user(secret)),
        )
        .target(Target::new("user", secret).name(spread("n")))
        .change("user.password", secret, [secret, "b"])
        .change("note", spread("was"), json!({"is": [secret]}))
        .detail("form", everything(secret))
        .detail("debug", format!("{:?}", everything(secret).login))
        .detail("json", serde_json::to_string(&everything(secret)).unwrap())
        .detail("query", format!("a=1&new_password={secret}&b=2"))
        .detail("url", format!("postgres://docs:{secret}@db/docs"))
        .detail("header", format!("Authorization: Bearer {secret}"))
        .detail("note", json!([[[{"again": spread("here it is")}]]]));
    record.context = Context::default()
        .user_agent(secret)
        .request_id(secret)
        .session_id(secret);
    record.context.forwarded = vec![secret.to_owned().into()];
    record
}

fn found(canary: &Canary, trail: &TestTrail) -> Vec<String> {
    let lines = trail.lines();
    let hits = lines
        .iter()
        .filter(|line| canary.find_in(line.as_bytes()).is_some());
    hits.map(ToString::to_string).collect()
}

// Traps R1, R2, R3, R7: every type, every place, every spelling.
#[test]
fn a_secret_under_a_sensitive_name_is_nowhere_in_the_record() {
    let trail = TestTrail::start();
    for label in ["plain", "with \"quotes\" and \\", "日本語 &=:;"] {
        let canary = Canary::new(label);
        trail.audit().record(planted(canary.text())).unwrap();
        assert_eq!(found(&canary, &trail), [""; 0], "{label}");
    }
    let records = trail.records();
    assert_eq!(records.len(), 3);
    let form = &records[0].details["form"];
    assert_eq!(
        form["login"],
        json!({"name": "Flapjack", "password": "[redacted]"})
    );
    assert_eq!(
        (&form["password_changed"], &form["tokens_used"]),
        (&json!(true), &json!(3))
    );
    assert_eq!(records[0].changes[0].current, Some(json!("[redacted]")));
}

#[test]
fn what_a_policy_allows_is_found() {
    let policy = Policy::default().redaction(Redaction::default().allow("password"));
    let trail = TestTrail::with(|builder| builder.policy(policy));
    let canary = Canary::new("allowed");
    trail
        .audit()
        .record(Record::new("user.login").detail("password", canary.text()))
        .unwrap();
    trail
        .audit()
        .record(Record::new("user.login").detail("secret", canary.text()))
        .unwrap();
    assert_eq!(found(&canary, &trail).len(), 1);
}

// Trap R5.
#[test]
fn a_value_of_any_depth_is_recorded_and_masked() {
    let trail = TestTrail::start();
    let canary = Canary::new("deep");
    for levels in [1, 14, 15, 16, 17, 200] {
        let bottom = json!({"password": canary.text()});
        let deep = (0..levels).fold(bottom, |value, _| json!([value]));
        let mut record = Record::new("x.y").detail("pin", 1234);
        record.details.insert("deep".to_owned(), deep);
        trail.audit().record(record).unwrap();
    }
    assert_eq!(trail.records().len(), 6);
    assert_eq!(found(&canary, &trail), [""; 0]);
}

/// An intent is written before its work begins, and read back after a crash.
#[tokio::test]
async fn an_intent_is_masked_before_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let canary = Canary::new("intent");
    let audit = audit_in(folder.path());
    let record = Record::system("backup.prune")
        .detail("token", canary.text())
        .reason(canary.text());
    let work = audit.scope(record).strict().run(async {
        let scope = AuditScope::current().unwrap();
        scope
            .detail("api_key", canary.text())
            .denied(format!("no {}", canary.text()));
        scope
            .record(Record::new("x.y").detail("otp", canary.text()))
            .unwrap();
        assert_eq!(canary.find_below(folder.path()).unwrap(), [""; 0]);
    });
    work.await.unwrap();
    assert!(
        audit
            .shutdown_blocking(std::time::Duration::from_secs(10))
            .in_order
    );
    assert_eq!(canary.find_below(folder.path()).unwrap(), [""; 0]);
}

fn audit_in(folder: &Path) -> Audit {
    Audit::builder("docs")
        .dir(folder.join("journal"))
        // Nothing to search through.
        .reserve_bytes(0)
        .hash_key(HashKey::new("k1", b"0123456789abcdef"))
        .sink(
            "file",
            FileSink::builder(folder.join("audit.jsonl"))
                .build()
                .unwrap(),
        )
        .start_blocking()
        .unwrap()
}

/// A careless handler: it writes down whatever it was given.
async fn careless(scope: AuditScope, request: Request<Body>) {
    let headers: BTreeMap<String, String> = request
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    scope
        .action("user.login")
        .target(Target::new("session", SECRET).name(SECRET))
        .detail("headers", headers)
        .detail("debug", format!("{:?}", request.headers()))
        .detail("note", format!("they sent {SECRET}"))
        .failure(format!("{SECRET} is not known"));
}

// Traps C14, R8: a session, a credential, a token in the path or the query.
#[tokio::test]
async fn what_a_request_proves_itself_with_is_in_no_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let audit = audit_in(folder.path());
    let app = Router::new()
        .route("/login", post(careless))
        .route("/reset/{token}", post(|| async {}))
        .layer(audit.layer().session(Session::cookie("sid")));
    // `flapjack:canary-7f3a9c51e0b24d68` in base64.
    let basic = "Basic ZmxhcGphY2s6Y2FuYXJ5LTdmM2E5YzUxZTBiMjRkNjg=";
    for (path, name, value) in [
        (
            "/login",
            header::COOKIE,
            format!("theme=dark; sid={SECRET}"),
        ),
        ("/login", header::AUTHORIZATION, format!("Bearer {SECRET}")),
        ("/login", header::AUTHORIZATION, basic.to_owned()),
        (
            &format!("/reset/{SECRET}?token={SECRET}"),
            header::COOKIE,
            format!("sid={SECRET}"),
        ),
        (
            &format!("/nowhere/{SECRET}"),
            header::COOKIE,
            format!("sid={SECRET}"),
        ),
    ] {
        let request = Request::post(path)
            .header(name, value)
            .body(Body::from(SECRET))
            .unwrap();
        app.clone().oneshot(request).await.unwrap();
    }
    assert!(
        audit
            .shutdown_blocking(std::time::Duration::from_secs(10))
            .in_order
    );
    assert_eq!(
        Canary::of(SECRET).find_below(folder.path()).unwrap(),
        [""; 0]
    );
    let written = std::fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
    assert_eq!(
        written.matches(r#""action":"user.login""#).count(),
        3,
        "{written}"
    );
    assert_eq!(
        written.matches(r#""action":"POST /reset/{token}""#).count(),
        1,
        "{written}"
    );
    assert_eq!(
        written.matches("[redacted] is not known").count(),
        3,
        "{written}"
    );
}

// Trap C14: which of several a service takes is its own business.
#[tokio::test]
async fn every_session_and_every_credential_that_a_request_presents_is_in_no_bytes() {
    let trail = TestTrail::start();
    let layer = trail.audit().layer().session(Session::cookie("sid"));
    let app = Router::new().route("/login", post(careless)).layer(layer);
    for (name, values) in [
        (header::COOKIE, &[format!("sid=planted; sid={SECRET}")][..]),
        (
            header::COOKIE,
            &["sid=planted".to_owned(), format!("sid={SECRET}")],
        ),
        (
            header::AUTHORIZATION,
            &["Bearer planted".to_owned(), format!("Bearer {SECRET}")],
        ),
    ] {
        let mut request = Request::post("/login").body(Body::empty()).unwrap();
        for value in values {
            let value = value.parse().unwrap();
            request.headers_mut().append(name.clone(), value);
        }
        app.clone().oneshot(request).await.unwrap();
    }
    assert_eq!(trail.records().len(), 3);
    assert_eq!(found(&Canary::of(SECRET), &trail), [""; 0]);
}

/// Without the layer's secrets the same handler would leak: the test above can fail.
#[test]
fn a_text_that_nothing_announces_is_not_masked() {
    let trail = TestTrail::start();
    trail
        .audit()
        .record(Record::new("x.y").reason(format!("they sent {SECRET}")))
        .unwrap();
    assert_eq!(found(&Canary::of(SECRET), &trail).len(), 1);
}
