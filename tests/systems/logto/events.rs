//! What is captured, and the list for programs: on PostgreSQL.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tower_audit::store::Query;

use super::service;
use crate::support::{
    desk::cookie,
    postgres,
    service::{Answer, end, holds},
    stage::{Database, Stage},
};

/// Tokens that are given.
const TOKENS: usize = 130;

const AGENT: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)";

fn headers<'a>(tenant: &'a str, request: &'a str) -> [(&'a str, &'a str); 6] {
    [
        ("x-tenant", tenant),
        ("x-application", "app-console"),
        ("x-request-id", request),
        ("user-agent", AGENT),
        ("x-forwarded-for", "203.0.113.7"),
        ("cookie", "sid=interaction-8f3a"),
    ]
}

async fn sign_in(stage: &Stage, tenant: &str, request: &str, password: &str) -> Answer {
    let given = json!({"user": "u-1", "name": "Ada", "password": password, "verification": {"verificationCode": "246810"}});
    stage
        .service
        .post(
            "/sign-in-experience/submit",
            &headers(tenant, request),
            given,
        )
        .await
}

/// Asks the list as somebody who manages a tenant.
async fn list(stage: &Stage, tenant: &str, query: &str) -> Value {
    let (header, value) = cookie(&format!("admin-of-{tenant}"));
    let answer = stage
        .service
        .get(&format!("/audit/api/{query}"), &[(header, &value)])
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

#[track_caller]
fn entry<'a>(records: &'a [Value], action: &str) -> &'a Value {
    let found = records.iter().find(|record| record["action"] == action);
    found.unwrap_or_else(|| panic!("no {action} in {records:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_writes_several_entries_and_an_exception_turns_them_into_errors() {
    let Some(place) = postgres::place() else {
        return;
    };
    let stage = service::start(Database::Postgres(place)).await;
    let answer = sign_in(&stage, "t-a", "good", "correct horse").await;
    assert_eq!(answer.status, StatusCode::OK);
    let good = stage.has(&Query::new().request("good"), 4).await;
    are_complete_and_masked(&good);

    // Logto: an exception turns all entries of the request that are not independent into errors, with
    // the error object.
    let answer = sign_in(&stage, "t-a", "bad", "battery staple").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let bad = stage.has(&Query::new().request("bad"), 4).await;
    let errors: Vec<_> = bad
        .iter()
        .filter(|entry| entry["outcome"] == "error")
        .collect();
    assert_eq!(errors.len(), 3, "{bad:?}");
    assert!(
        errors
            .iter()
            .all(|entry| entry["error"]["code"] == "session.invalid_credentials"),
        "{errors:?}"
    );
    assert_eq!(entry(&bad, "TriggerHook.PostSignIn")["outcome"], "success");
    end(&stage.audit).await;
    for secret in [
        "correct horse",
        "battery staple",
        "246810",
        "interaction-8f3a",
    ] {
        assert!(!holds(stage.folder.path(), secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered_paged_bounded_and_of_one_tenant() {
    let Some(place) = postgres::place() else {
        return;
    };
    let stage = service::start(Database::Postgres(place)).await;
    for number in 0..TOKENS {
        stage.clock.advance(std::time::Duration::from_secs(1));
        let given = json!({"user": format!("u-{}", number % 3), "scope": "openid"});
        let request = format!("token-{number}");
        let mut headers = headers("t-a", &request);
        headers[1].1 = if number % 2 == 0 {
            "app-web"
        } else {
            "app-native"
        };
        stage.service.post("/oidc/token", &headers, given).await;
    }
    sign_in(&stage, "t-b", "of-b", "correct horse").await;
    // Logto does not record what its management interface does.
    let of_a = headers("t-a", "deleted");
    let deleted = stage
        .service
        .send(Method::DELETE, "/api/users/u-2", &of_a, Value::Null);
    assert_eq!(deleted.await.status, StatusCode::NO_CONTENT);
    stage.has(&Query::new().limit(1000), TOKENS + 5).await;

    is_filtered_and_paged(&stage).await;
    // Logto: a count, which is bounded.
    let count = list(&stage, "t-a", "count?range=all&max=50").await;
    assert_eq!(
        (&count["is_exact"], count["records"].as_u64() >= Some(50)),
        (&json!(false), true),
        "{count}"
    );
    let count = list(&stage, "t-a", "count?range=all").await;
    assert_eq!(count, json!({"records": TOKENS + 1, "is_exact": true}));

    is_of_one_tenant(&stage).await;
    end(&stage.audit).await;
}

#[track_caller]
fn are_complete_and_masked(good: &[Value]) {
    // Logto: names of events are dotted, of any depth, and in capitals; they are kept as they are.
    // Per event: type, application, address, user, id, time, user agent, session, result.
    for action in [
        "Interaction.SignIn.Submit",
        "Interaction.SignIn.Identifier.Password.Submit",
        "Interaction.SignIn.Verification.Password.Submit",
        "TriggerHook.PostSignIn",
    ] {
        let entry = entry(good, action);
        assert_eq!(entry["outcome"], "success", "{entry}");
        assert_eq!(entry["application"]["id"], "app-console", "{entry}");
        assert_eq!(entry["tenant"]["id"], "t-a", "{entry}");
        assert_eq!(entry["actor"]["id"], "u-1", "{entry}");
        assert_eq!(entry["context"]["ip_address"], "203.0.113.7", "{entry}");
        assert_eq!(entry["context"]["user_agent"], AGENT, "{entry}");
        assert!(
            entry["context"]["session_id"]
                .as_str()
                .unwrap()
                .starts_with("hmac-sha256:")
        );
        assert!(
            entry["id"].is_string() && entry["timestamp"].is_string(),
            "{entry}"
        );
    }
    // Logto: parameters are kept, secrets masked; here at any depth and in any spelling.
    let params = &entry(good, "Interaction.SignIn.Identifier.Password.Submit")["details"]["params"];
    assert_eq!(params["user"], "u-1");
    for masked in [
        &params["password"],
        &params["verification"]["verificationCode"],
    ] {
        assert!(
            !masked.to_string().contains("horse") && !masked.to_string().contains("246810"),
            "{params}"
        );
    }
}

async fn is_filtered_and_paged(stage: &Stage) {
    // Logto: user, application, event, start, end; pages of up to 100.
    let page = list(
        stage,
        "t-a",
        "records?range=all&limit=100&action=ExchangeTokenBy.AuthorizationCode",
    )
    .await;
    assert_eq!(page["records"].as_array().unwrap().len(), 100);
    let older = page["older"].as_str().unwrap();
    let rest = format!("records?range=all&limit=100&action=ExchangeTokenBy.*&before={older}");
    let rest = list(stage, "t-a", &rest).await;
    assert_eq!(rest["records"].as_array().unwrap().len(), TOKENS - 100);
    assert_eq!(rest["older"], Value::Null);
    for (filter, expected) in [
        ("actor=u-0&action=ExchangeTokenBy.*", 44),
        ("application=app-web", 65),
        (
            "actor=u-1&application=app-native&from=2026-11-20T15:00:00Z&to=2026-11-20T15:01:01Z",
            10,
        ),
        // What Logto cannot be asked for: by address, and by result.
        ("ip=203.0.113.7&application=app-native", 65),
        ("outcome=success", TOKENS + 1),
        ("outcome=denied", 0),
        ("action=DELETE /api/users/{id}", 1),
    ] {
        let range = if filter.contains("from=") {
            ""
        } else {
            "range=all&"
        };
        let filter = filter
            .replace(' ', "%20")
            .replace('{', "%7B")
            .replace('}', "%7D");
        let found = list(stage, "t-a", &format!("records?{range}{filter}&limit=200")).await;
        assert_eq!(
            found["records"].as_array().unwrap().len(),
            expected,
            "{filter}"
        );
    }
}

async fn is_of_one_tenant(stage: &Stage) {
    // Logto: tenants are isolated; nothing of another is found, counted or offered.
    let of_b = stage.has(&Query::new().tenant("t-b"), 4).await;
    let id = of_b[0]["id"].as_str().unwrap();
    let (header, value) = cookie("admin-of-t-a");
    let answer = stage
        .service
        .get(&format!("/audit/api/records/{id}"), &[(header, &value)])
        .await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let found = list(stage, "t-a", "records?range=all&tenant=t-b").await;
    assert_eq!(found["records"], json!([]));
    let facets = list(stage, "t-a", "facets?field=tenant").await;
    assert_eq!(facets["facets"][0]["values"], json!(["t-a"]));
}
