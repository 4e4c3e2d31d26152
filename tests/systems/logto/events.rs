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

const AGENT: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148 Safari/604.1";

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
async fn one_request_writes_several_entries_which_are_complete_and_masked() {
    let Some(place) = postgres::place() else {
        return;
    };
    let stage = service::start(Database::Postgres(place)).await;
    let answer = sign_in(&stage, "t-a", "good", "correct horse").await;
    assert_eq!(answer.status, StatusCode::OK);
    let mut entries = stage.has(&Query::new().request("good"), 4).await;
    has_its_parameters_masked(&entries);

    for (path, request, count) in [("/oidc/token", "token", 2), ("/oidc/revoke", "revoked", 1)] {
        let given = json!({"user": "u-1", "scope": "openid", "customized": true});
        let headers = headers("t-a", request);
        let answer = stage.service.post(path, &headers, given).await;
        assert_eq!(answer.status, StatusCode::OK);
        entries.extend(stage.has(&Query::new().request(request), count).await);
    }
    are_complete(&entries);
    end(&stage.audit).await;
    for secret in ["correct horse", "246810", "interaction-8f3a"] {
        assert!(!holds(stage.folder.path(), secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_turns_entries_that_are_not_independent_into_errors() {
    let Some(place) = postgres::place() else {
        return;
    };
    let stage = service::start(Database::Postgres(place)).await;
    let known = json!({"type": "RequestError", "code": "session.invalid_credentials", "message": "The password is wrong."});
    // Nobody foresaw it: where a service writes its entries itself, at the end, there are none now.
    let bug = json!({"type": "panic", "message": "index out of bounds"});
    for (request, password, error) in [("wrong", "battery staple", known), ("broken", "a bug", bug)]
    {
        let answer = sign_in(&stage, "t-a", request, password).await;
        assert!(!answer.status.is_success(), "{answer:?}");
        let entries = stage.has(&Query::new().request(request), 4).await;
        // Logto: an exception turns all entries of the request into errors, with the error object.
        for action in [
            "Interaction.SignIn.Submit",
            "Interaction.SignIn.Identifier.Password.Submit",
            "Interaction.SignIn.Verification.Password.Submit",
        ] {
            let entry = entry(&entries, action);
            assert_eq!(entry["outcome"], "error", "{entry}");
            assert_eq!(entry["error"], error, "{entry}");
        }
        // Logto: but for those that are independent.
        let hook = entry(&entries, "TriggerHook.PostSignIn");
        assert_eq!(
            (&hook["outcome"], hook.get("error")),
            (&json!("success"), None)
        );
    }
    end(&stage.audit).await;
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
fn are_complete(entries: &[Value]) {
    // Logto: names of events are dotted, of any depth, and in capitals; they are kept as they are.
    // Per event: type, application, address, user, id, time, user agent, session, result.
    for action in [
        "Interaction.SignIn.Submit",
        "Interaction.SignIn.Identifier.Password.Submit",
        "Interaction.SignIn.Verification.Password.Submit",
        "TriggerHook.PostSignIn",
        "ExchangeTokenBy.AuthorizationCode",
        "JwtCustomizer.AccessToken",
        "RevokeToken",
    ] {
        let entry = entry(entries, action);
        assert_eq!(entry["outcome"], "success", "{entry}");
        assert_eq!(entry["application"]["id"], "app-console", "{entry}");
        assert_eq!(entry["tenant"]["id"], "t-a", "{entry}");
        assert_eq!(entry["actor"]["id"], "u-1", "{entry}");
        assert_eq!(entry["context"]["ip_address"], "203.0.113.7", "{entry}");
        let session = entry["context"]["session_id"].as_str().unwrap();
        assert!(session.starts_with("hmac-sha256:"), "{entry}");
        assert!(
            entry["id"].is_string() && entry["timestamp"].is_string(),
            "{entry}"
        );
        // Logto: the user agent raw, and parsed; the parsed form is the service's own to say.
        assert_eq!(entry["context"]["user_agent"], AGENT, "{entry}");
        let parsed = &entry["details"]["user_agent"];
        assert_eq!(parsed["os"], "iPhone; CPU iPhone OS 18_0 like Mac OS X");
        assert_eq!(
            parsed["browser"],
            json!({"name": "Safari", "version": "604.1"})
        );
    }
}

#[track_caller]
fn has_its_parameters_masked(entries: &[Value]) {
    // Logto: parameters are kept, secrets masked; here at any depth and in any spelling.
    let entry = entry(entries, "Interaction.SignIn.Identifier.Password.Submit");
    let params = &entry["details"]["params"];
    assert_eq!(params["user"], "u-1");
    for masked in [
        &params["password"],
        &params["verification"]["verificationCode"],
    ] {
        assert!(masked.is_string(), "{params}");
        let masked = masked.to_string();
        assert!(
            !masked.contains("horse") && !masked.contains("246810"),
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
