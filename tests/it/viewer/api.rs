//! The JSON API, and the description of it.

use std::collections::BTreeSet;

use http::StatusCode;
use jsonschema::Validator;
use serde_json::{Value, json};

use super::{Place, asking, get, get_as, told};
use crate::support::{
    batches::{id, origin, plain, record},
    project::read,
};

/// What asks the store, and needs no id.
const OPERATIONS: [&str; 5] = [
    "/api/records",
    "/api/facets",
    "/api/histogram",
    "/api/count",
    "/api/export",
];

fn described() -> Value {
    serde_json::from_str(&read("docs/openapi.json")).expect("the description is JSON")
}

/// What one operation answers with one status.
fn validator(path: &str, status: StatusCode) -> Validator {
    let described = described();
    let answer = &described["paths"][path]["get"]["responses"][status.as_str()];
    let schema = &answer["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{path} {status} is not described");
    let mut schema = schema.clone();
    schema["components"] = described["components"].clone();
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("a JSON Schema")
}

fn hold(path: &str, status: StatusCode, answer: &Value) {
    let validator = validator(path, status);
    let errors: Vec<String> = validator
        .iter_errors(answer)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{path} {status}: {errors:?}: {answer}");
}

#[tokio::test]
async fn every_answer_is_as_the_description_says() {
    let mut place = Place::plain().await;
    let of_request = r#","outcome":"success","context":{"request_id":"r1"}"#;
    place
        .put(
            2,
            vec![record(20, "a.b", of_request), record(21, "a.c", of_request)],
        )
        .await;
    let viewer = place.viewer().await;
    let (one, absent) = (id(20), id(99));
    for (path, query, status) in [
        ("/api/records", "", 200),
        ("/api/records", "?limit=3", 200),
        ("/api/records", "?actor=nobody", 200),
        ("/api/records", "?following=4", 200),
        ("/api/records", "?following=10", 200),
        ("/api/records", "?following=1000", 400),
        ("/api/records", "?limit=x", 400),
        ("/api/facets", "", 200),
        ("/api/facets", "?field=action&max=1", 200),
        ("/api/facets", "?field=x", 400),
        ("/api/histogram", "", 200),
        ("/api/histogram", "?range=all&steps=400", 200),
        ("/api/histogram", "?actor=nobody&range=all", 200),
        ("/api/histogram", "?steps=0", 400),
        ("/api/histogram", "?tz=Europe/Paris", 200),
        ("/api/histogram", "?tz=Mars/Olympus", 400),
        ("/api/count", "", 200),
        ("/api/count", "?max=2", 200),
        ("/api/count", "?max=0", 400),
        ("/api/export", "?format=json", 200),
        ("/api/export", "", 400),
        ("/api/openapi.json", "", 200),
        ("/api/openapi.json", "?x=1", 400),
    ] {
        let answer = get(&viewer, &format!("/audit{path}{query}")).await;
        assert_eq!(answer.status, status, "{path}{query}");
        hold(path, answer.status, &answer.json());
    }
    for (id, status) in [
        (one.to_string(), 200),
        (absent.to_string(), 404),
        ("x".into(), 400),
    ] {
        let answer = get(&viewer, &format!("/audit/api/records/{id}")).await;
        assert_eq!(answer.status, status, "{id}");
        hold("/api/records/{id}", answer.status, &answer.json());
    }
}

#[tokio::test]
async fn every_refusal_is_as_the_description_says() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    for path in OPERATIONS.into_iter().chain(["/api/openapi.json"]) {
        let address = format!("/audit{path}");
        let refused = told(&viewer, asking(&address, &[])).await;
        hold(path, StatusCode::FORBIDDEN, &refused.json());
        let undecided = get_as(&viewer, "panic", &address).await;
        hold(path, StatusCode::INTERNAL_SERVER_ERROR, &undecided.json());
        let mut posted = asking(&address, &[]);
        *posted.method_mut() = http::Method::POST;
        let posted = told(&viewer, posted).await;
        hold(path, StatusCode::METHOD_NOT_ALLOWED, &posted.json());
    }
    let full = place.built(|builder| builder.max_exports(0)).await;
    let refused = get(&full, "/audit/api/export?format=csv").await;
    hold(
        "/api/export",
        StatusCode::TOO_MANY_REQUESTS,
        &refused.json(),
    );
    let (file, away) = (
        place.dir.path().join("audit.db"),
        place.dir.path().join("x"),
    );
    std::fs::rename(file, away).unwrap();
    for path in OPERATIONS {
        let is_export = path == "/api/export";
        let query = if is_export { "?format=csv" } else { "" };
        let answer = get(&viewer, &format!("/audit{path}{query}")).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        hold(path, answer.status, &answer.json());
    }
}

#[tokio::test]
async fn every_parameter_of_the_description_is_known_and_no_other() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    let described = described();
    let mut everywhere = BTreeSet::new();
    let paths = described["paths"].as_object().unwrap();
    let parameters = |path: &str| -> BTreeSet<String> {
        let of = described["paths"][path]["get"]["parameters"].as_array();
        let named = of.into_iter().flatten().map(|parameter| {
            let reference = parameter["$ref"].as_str();
            let found = reference.and_then(|to| described.pointer(to.strip_prefix('#').unwrap()));
            found.unwrap_or(parameter)
        });
        let queries = named.filter(|parameter| parameter["in"] == "query");
        queries
            .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
            .collect()
    };
    for path in paths.keys() {
        everywhere.extend(parameters(path));
    }
    everywhere.insert("lang".into());
    for path in paths.keys() {
        let known = parameters(path);
        let address = path.replace("{id}", &id(3).to_string());
        for name in &everywhere {
            if path == "/exports/{id}" {
                continue;
            }
            // Given twice: what is known says so, and what is not, that there is none.
            let needed = if path == "/api/export" && name != "format" {
                "format=csv&"
            } else {
                ""
            };
            let query = format!("{needed}{name}=1&{name}=1");
            let answer = get(&viewer, &format!("/audit{address}?{query}")).await;
            let reason = answer.json()["error"]["reason"].to_string();
            let is_unknown = reason.contains("none of this name");
            assert_eq!(is_unknown, !known.contains(name), "{path} {name}: {reason}");
        }
    }
}

#[tokio::test]
async fn a_page_has_the_exact_records_and_the_way_on() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    let page = get(&viewer, "/audit/api/records?limit=4").await;
    let expected = plain(&origin(1), 0..10).records;
    for delivery in &expected[6..] {
        assert!(
            page.text().contains(&*delivery.json),
            "byte for byte: {}",
            page.text()
        );
    }
    let page = page.json();
    let numbers = |page: &Value| -> Vec<u64> {
        let records = page["records"].as_array().unwrap().iter();
        records
            .map(|entry| entry["number"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(numbers(&page), [9, 8, 7, 6]);
    assert_eq!(page["records"][0]["leaf"], expected[9].leaf.to_string());
    assert_eq!(
        (&page["newer"], &page["searched_until"]),
        (&Value::Null, &Value::Null)
    );
    let older = page["older"].as_str().unwrap();
    let next = get(
        &viewer,
        &format!("/audit/api/records?limit=4&before={older}"),
    )
    .await
    .json();
    assert_eq!(numbers(&next), [5, 4, 3, 2]);
    let newer = next["newer"].as_str().unwrap();
    let back = get(
        &viewer,
        &format!("/audit/api/records?limit=4&after={newer}"),
    )
    .await
    .json();
    assert_eq!(numbers(&back), [9, 8, 7, 6]);
}

// Trap Q10: records that become visible out of order, while a client polls.
#[tokio::test]
async fn a_client_that_follows_sees_each_record_exactly_once() {
    let mut place = Place::new();
    place.put(1, plain(&origin(1), 500..510).records).await;
    let viewer = place.viewer().await;
    let (mut next, mut seen) = (0, Vec::new());
    for round in 0..12u64 {
        let path = format!("/audit/api/records?limit=3&range=all&following={next}");
        let page = get(&viewer, &path).await.json();
        next = page["next"].as_u64().unwrap();
        let records = page["records"].as_array().unwrap().iter();
        seen.extend(records.map(|entry| entry["id"].as_str().unwrap().to_owned()));
        // Late records of other trails: older than all that was seen, and newer.
        if round % 3 == 0 {
            let old = 100 + 10 * round;
            place
                .put(
                    2 + u128::from(round),
                    plain(&origin(2 + u128::from(round)), old..old + 2).records,
                )
                .await;
            place
                .put(1, plain(&origin(1), 510 + round..511 + round).records)
                .await;
        }
    }
    loop {
        let path = format!("/audit/api/records?limit=200&range=all&following={next}");
        let page = get(&viewer, &path).await.json();
        let records = page["records"].as_array().unwrap();
        if records.is_empty() {
            break;
        }
        next = page["next"].as_u64().unwrap();
        seen.extend(
            records
                .iter()
                .map(|entry| entry["id"].as_str().unwrap().to_owned()),
        );
    }
    let different: BTreeSet<&String> = seen.iter().collect();
    assert_eq!((seen.len(), different.len()), (10 + 4 * 3, 10 + 4 * 3));
}

#[tokio::test]
async fn the_steps_of_a_histogram_begin_at_round_times_of_the_zone() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    let bars = async |query: &str| {
        let path = format!("/audit/api/histogram?{query}");
        get(&viewer, &path).await.json()["bars"].take()
    };
    let starts = |bars: &Value| -> Vec<String> {
        let starts = bars.as_array().unwrap().iter();
        starts
            .map(|bar| bar["start"].as_str().unwrap().to_owned())
            .collect()
    };
    // Six days around the end of summer time, in which one has 25 hours.
    let days = "from=2026-10-22T10:20:30Z&to=2026-10-27T10:20:30Z&steps=7";
    let found = bars(&format!("{days}&tz=Europe/Berlin")).await;
    let midnights = ["22T22", "23T22", "24T22", "25T23", "26T23"];
    let midnights = midnights.map(|hour| format!("2026-10-{hour}:00:00.000000Z"));
    assert_eq!(starts(&found)[1..], midnights);
    let whole = found
        .as_array()
        .unwrap()
        .iter()
        .map(|bar| bar["is_whole"] == true);
    assert_eq!(
        whole.collect::<Vec<_>>(),
        [false, true, true, true, true, false]
    );
    assert_eq!(found[5]["end"], "2026-10-27T10:20:30.000000Z");
    assert!(
        starts(&bars(days).await)[1..]
            .iter()
            .all(|start| start.contains("T00:00:00.0"))
    );
    // A second later the range has slid along, and the bars stand where they stood.
    let one = starts(&bars("from=2026-11-20T10:20:30Z&to=2026-11-20T11:20:30Z").await);
    let next = starts(&bars("from=2026-11-20T10:20:31Z&to=2026-11-20T11:20:31Z").await);
    assert_eq!((one.len(), &one[1..]), (61, &next[1..]));
}

#[tokio::test]
async fn the_description_says_where_the_viewer_is() {
    let place = Place::plain().await;
    for (path, expected) in [
        ("/audit", "/audit"),
        ("/internal/trail", "/internal/trail"),
        ("", "/"),
    ] {
        let viewer = place.built(|builder| builder.path(path)).await;
        let answer = get(&viewer, &format!("{path}/api/openapi.json"))
            .await
            .json();
        assert_eq!(answer["servers"], json!([{"url": expected}]));
    }
}
