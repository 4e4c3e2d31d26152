//! Bad input and a store that is gone: which parameter, and why; never an empty list.

use std::fs;

use http::StatusCode;
use tower_audit::viewer::Viewer;

use super::{Place, addresses, asking, get, get_as, told};
use crate::support::batches::id;

/// Bad values, and the parameter that they are of.
fn bad() -> Vec<(String, &'static str)> {
    let long = "x".repeat(10_000);
    let mut bad: Vec<(String, &'static str)> = [
        ("before=1", "before"),
        ("after=01a1f929", "after"),
        ("before=01a1f929-fda3-474b-8000-000000000001", "before"),
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("limit=99999999999999999999999", "limit"),
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("from=2026-11-20T25:00:00Z", "from"),
        ("range=1y", "range"),
        ("action=*", "action"),
        ("action=doc*", "action"),
        ("outcome=good", "outcome"),
        ("actor_type=robot", "actor_type"),
        ("reads=yes", "reads"),
        ("session=raw-session-id", "session"),
        ("actor=1&actor=2", "actor"),
        ("colour=red", "colour"),
        ("=x", ""),
    ]
    .map(|(query, name)| (query.to_owned(), name))
    .into();
    for name in ["action", "actor", "q", "target", "ip", "tenant"] {
        bad.push((format!("{name}={long}"), name));
    }
    bad.push((format!("{long}=1"), "x"));
    bad
}

#[tokio::test]
async fn a_bad_parameter_is_named_with_the_reason_to_programs_and_to_people() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    for (query, name) in bad() {
        for path in [
            "/api/records",
            "/api/histogram",
            "/api/count",
            "/api/export?format=csv",
        ] {
            let sign = if path.contains('?') { '&' } else { '?' };
            let answer = get(&viewer, &format!("/audit{path}{sign}{query}")).await;
            let short = query.chars().take(60).collect::<String>();
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {short}");
            let error = &answer.json()["error"];
            let told = error["parameter"].as_str().unwrap();
            assert!(
                told.starts_with(name) && told.len() <= 64,
                "{path} {short}: {told}"
            );
            assert!(!error["reason"].as_str().unwrap().is_empty());
        }
        for path in ["/", "/actors/146", "/live", "/export?format=csv"] {
            // The page is about this actor, whatever else the address says.
            if path == "/actors/146" && name == "actor" {
                continue;
            }
            let sign = if path.contains('?') { '&' } else { '?' };
            let answer = get(&viewer, &format!("/audit{path}{sign}{query}")).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {query:.60}");
            assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
            assert!(answer.text().contains(name), "{path} {query:.60}");
            assert!(answer.body.len() < 30_000, "the value is not repeated");
        }
    }
}

#[tokio::test]
async fn the_parameters_of_single_addresses_are_held_too() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    let record = format!("/records/{}", id(3));
    for (path, name) in [
        ("/?tz=Mars/Olympus".to_owned(), "tz"),
        ("/?live=yes".to_owned(), "live"),
        ("/?lang=en&lang=fr".to_owned(), "lang"),
        ("/live?since=x".to_owned(), "since"),
        ("/export".to_owned(), "format"),
        ("/export?format=xlsx".to_owned(), "format"),
        ("/export?format=csv&columns=no_such".to_owned(), "columns"),
        (format!("{record}?actor=1"), "actor"),
        ("/records/1".to_owned(), "id"),
        (
            "/records/00000000-0000-4000-8000-000000000000".to_owned(),
            "id",
        ),
        ("/api/records/1".to_owned(), "id"),
        ("/api/records?following=x".to_owned(), "following"),
        (
            format!("/api/records?following=0&before={}", id(3)),
            "before",
        ),
        ("/api/records?lang=fr".to_owned(), "lang"),
        ("/api/facets?field=colour".to_owned(), "field"),
        ("/api/facets?max=0".to_owned(), "max"),
        ("/api/facets?actor=1".to_owned(), "actor"),
        ("/api/histogram?steps=100000".to_owned(), "steps"),
        ("/api/count?max=-1".to_owned(), "max"),
        ("/api/openapi.json?x=1".to_owned(), "x"),
        ("/exports?x=1".to_owned(), "x"),
    ] {
        let answer = get(&viewer, &format!("/audit{path}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        if path.starts_with("/api/") {
            assert_eq!(answer.json()["error"]["parameter"], name, "{path}");
        } else {
            assert!(answer.text().contains(&format!(">{name}<")), "{path}");
        }
    }
    let request = asking(
        "/audit/live",
        &[("x-reader", "all"), ("last-event-id", "x")],
    );
    assert_eq!(told(&viewer, request).await.status, StatusCode::BAD_REQUEST);
    let long = format!("/audit/api/records?{}", "a=&".repeat(6_000));
    let answer = get(&viewer, &long).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.json()["error"]["parameter"], "query");
}

#[tokio::test]
async fn what_is_not_there_is_said_and_an_unknown_language_is_english() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    for path in [
        "/x",
        "/records",
        "/api",
        "/api/x",
        "/destinations",
        "/exports/x",
        "//",
        "/%2e%2e/",
    ] {
        let answer = get(&viewer, &format!("/audit{path}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let english = get(&viewer, "/audit/").await;
    for lang in ["tlh", "", "%00", "../../etc", "xx-YY"] {
        let answer = get(&viewer, &format!("/audit/?lang={lang}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{lang}");
        assert!(answer.text().contains("<html lang=\"en\""), "{lang}");
    }
    assert!(english.text().contains("<html lang=\"en\""));
    let french = get(&viewer, "/audit/?lang=fr").await;
    assert!(french.text().contains("<html lang=\"fr\""));
}

// Some clients encode every sign that is no letter.
#[tokio::test]
async fn a_record_is_found_by_its_id_however_that_is_encoded_and_by_nothing_else() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    let id = id(3).to_string();
    let encoded = id.replace('-', "%2D");
    let all: String = id.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let twice = encoded.replace('%', "%25");
    for before in ["/audit/records", "/audit/api/records"] {
        for right in [&id, &encoded, &all] {
            let answer = get(&viewer, &format!("{before}/{right}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{before}/{right}");
            assert!(answer.text().contains(&id), "{before}/{right}");
        }
        for (wrong, status) in [
            (twice.clone(), StatusCode::BAD_REQUEST),
            (format!("{id}%2Fx"), StatusCode::BAD_REQUEST),
            (format!("{id}%"), StatusCode::NOT_FOUND),
            (format!("{id}%ff"), StatusCode::NOT_FOUND),
        ] {
            let answer = get(&viewer, &format!("{before}/{wrong}")).await;
            assert_eq!(answer.status, status, "{before}/{wrong}");
        }
    }
}

/// Every address says 503, and nothing of where the store is.
pub(super) async fn all_say_that_it_is_gone(viewer: &Viewer) {
    for path in addresses(&id(3).to_string()) {
        // What does not ask the store.
        if [
            "/audit/exports",
            "/audit/destinations",
            "/audit/api/openapi.json",
        ]
        .contains(&&*path)
        {
            continue;
        }
        let answer = get(viewer, &path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.header("retry-after"), "5", "{path}");
        let told = answer.text();
        assert!(
            !told.contains("audit.db") && !told.contains("127.0.0.1"),
            "{path}: readers need not know where it is"
        );
        if path.starts_with("/audit/api/") {
            let error = &answer.json()["error"]["reason"];
            assert!(
                error.as_str().unwrap().contains("does not answer"),
                "{path}: {told}"
            );
        } else {
            assert!(told.contains("503"), "{path}");
        }
    }
}

// Trap Q7: a store that fails is never shown as one without records.
#[tokio::test]
async fn a_store_that_is_gone_is_503_everywhere_and_comes_back() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    assert_eq!(get(&viewer, "/audit/").await.status, StatusCode::OK);
    let file = place.dir.path().join("audit.db");
    let away = place.dir.path().join("away.db");
    fs::rename(&file, &away).unwrap();
    all_say_that_it_is_gone(&viewer).await;
    fs::rename(&away, &file).unwrap();
    assert_eq!(get(&viewer, "/audit/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn nobody_learns_more_of_the_store_than_that_it_fails() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    fs::rename(
        place.dir.path().join("audit.db"),
        place.dir.path().join("x"),
    )
    .unwrap();
    for reader in ["all", "tenant A"] {
        let answer = get_as(&viewer, reader, "/audit/api/records").await;
        let reason = "the store does not answer; nothing is known of what it holds";
        assert_eq!(
            answer.json(),
            serde_json::json!({"error": {"reason": reason}})
        );
    }
}

#[tokio::test]
async fn the_page_of_a_mistake_does_not_repeat_a_long_address() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    let pairs: Vec<_> = (0..12)
        .map(|n| format!("p{n}={}", "x".repeat(1000)))
        .collect();
    for path in [
        format!("/audit/{}", "x".repeat(10_000)),
        format!("/audit/?{}", pairs.join("&")),
    ] {
        let page = get(&viewer, &path).await;
        assert!(page.status.is_client_error() && page.text().contains("lang=de"));
        assert!(page.text().len() < 10_000, "{}", page.text().len());
    }
}
