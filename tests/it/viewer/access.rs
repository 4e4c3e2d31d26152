//! Who may read what: what is out of reach changes no answer.

use http::StatusCode;
use http_body_util::BodyExt;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tower_audit::{
    sink::Delivery,
    viewer::{Destination, Viewer},
};
use uuid::Uuid;

use super::{Noted, Place, Told, addresses, asking, get_as, head, told};
use crate::support::batches::{id, record};

/// What stands in every field of a record of tenant B, with the name of the field behind it.
const PLANTED: &str = "xq7";

/// A record of a tenant, all of whose texts have `mark` in them.
fn of_tenant(number: u64, tenant: &str, mark: &str) -> Delivery {
    let text = |name: &str| format!("{mark}{name}");
    let more = serde_json::json!({
        "category": text("category"),
        "outcome": "denied",
        "reason": text("reason"),
        "service": {"name": text("service")},
        "error": {"type": text("errortype"), "message": text("error")},
        "actor": {"type": "user", "id": text("actor"), "name": text("actorname"), "email": text("email")},
        "targets": [{"type": text("kind"), "id": text("target"), "name": text("targetname")}],
        "tenant": {"id": tenant, "name": text("tenantname")},
        "application": {"id": text("application"), "name": text("applicationname")},
        "context": {"ip_address": text("ip"), "user_agent": text("agent"), "request_id": "shared",
                    "session_id": format!("hmac-sha256:k1:{mark}session"), "trace_id": text("trace")},
        "changes": [{"field": text("field"), "previous": text("before"), "current": text("after")}],
        "details": {text("key"): text("value")},
    });
    let more = more.to_string();
    let more = format!(
        ",{}",
        more.strip_prefix('{').unwrap().strip_suffix('}').unwrap()
    );
    record(number, &format!("{mark}noun.verb"), more)
}

/// Tenant A's eight records, and so many of tenant B, which say `mark`.
async fn place(mark: &str, others: u64) -> Place {
    let mut place = Place::new();
    let own = (0..8).map(|n| of_tenant(2 * n, "A", "own"));
    place.put(1, own.collect()).await;
    let others = (0..others).map(|n| of_tenant(2 * n + 1, "B", mark));
    place.put(2, others.collect()).await;
    place
}

fn values() -> Vec<(&'static str, String)> {
    let mut values = vec![
        ("range", "all".to_owned()),
        ("range", "1h".to_owned()),
        ("from", "2026-11-20T13:34:01.000003Z".to_owned()),
        ("to", "2026-11-20T13:34:01.000007Z".to_owned()),
        ("outcome", "denied".to_owned()),
        ("outcome", "success".to_owned()),
        ("actor_type", "user".to_owned()),
        ("reads", "1".to_owned()),
        ("limit", "3".to_owned()),
        ("limit", "1".to_owned()),
        ("request", "shared".to_owned()),
        ("tenant", "A".to_owned()),
        ("tenant", "B".to_owned()),
        ("q", "verb".to_owned()),
        ("before", id(9).to_string()),
        ("after", id(4).to_string()),
    ];
    for mark in ["own", PLANTED] {
        for (name, field) in [
            ("action", "noun.verb"),
            ("action", "noun.*"),
            ("category", "category"),
            ("actor", "actor"),
            ("ip", "ip"),
            ("application", "application"),
            ("service", "service"),
            ("q", "value"),
            ("q", "actorname"),
        ] {
            values.push((name, format!("{mark}{field}")));
        }
        values.push(("target", format!("{mark}kind:{mark}target")));
        values.push(("session", format!("hmac-sha256:k1:{mark}session")));
    }
    values
}

/// Each name at most once: what is there twice is refused.
fn query(chosen: &[(&'static str, String)]) -> String {
    let mut names = Vec::new();
    let mut query = String::from("range=all");
    for (name, value) in chosen {
        if *name == "range" || names.contains(name) {
            continue;
        }
        names.push(name);
        query.push_str(&format!("&{name}={value}"));
    }
    query
}

fn paths(query: &str, record: Uuid) -> Vec<String> {
    let filtered = [
        "/",
        "/actors/xq7actor",
        "/actors/ownactor",
        "/api/records",
        "/api/histogram",
        "/api/count",
    ];
    let filtered = filtered.iter().map(|path| format!("/audit{path}?{query}"));
    let following = query.replace("before", "x-").replace("after", "x-");
    let rest = [
        format!("/audit/records/{record}"),
        format!("/audit/api/records/{record}"),
        format!("/audit/api/records?following=0&{following}"),
        "/audit/api/facets".to_owned(),
        "/audit/api/facets?field=actor&max=1".to_owned(),
        "/audit/destinations".to_owned(),
        "/audit/exports".to_owned(),
    ];
    filtered.chain(rest).collect()
}

/// A world with so many records out of reach, an export of who may read everything, and destinations;
/// and the address of that export's manifest.
async fn world(mark: &'static str, others: u64) -> (Place, Viewer, String) {
    let place = place(mark, others).await;
    let list = move || vec![Destination::new(mark, "http").delivered(others)];
    let viewer = place.built(|builder| builder.destinations(list)).await;
    let path = format!("/audit/export?format=csv&range=all&q={mark}");
    let export = get_as(&viewer, "all", &path).await;
    let link = export.header("link").strip_prefix('<').unwrap();
    let manifest = link.split('>').next().unwrap().to_owned();
    (place, viewer, manifest)
}

/// An answer without what counts the arrivals of the whole store, as the docs say that it does.
fn without_arrivals(told: &Told) -> (StatusCode, http::HeaderMap, String) {
    let mut text = told.text().to_owned();
    for before in ["data-since=\"", "\"next\":"] {
        let is_digit = |letter: char| letter.is_ascii_digit();
        let pieces = text.split(before);
        let pieces = pieces.map(|piece| piece.trim_start_matches(is_digit));
        text = pieces.collect::<Vec<_>>().join(before);
    }
    (told.status, told.headers.clone(), text)
}

// Trap Q8: whatever is asked for, the answer is the same whatever is out of reach.
#[test]
fn what_is_out_of_reach_changes_no_byte_of_any_answer() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // Not as many: a number that leaks is seen, too.
    let worlds = async { (world(PLANTED, 8).await, world("zzz", 3).await) };
    let ((_kept, with, _), (_also, without, _)) = runtime.block_on(worlds);
    let mut runner = TestRunner::new(Config::with_cases(48));
    let chosen = proptest::sample::subsequence(values(), 0..5);
    let strategy = (
        chosen,
        0..16u64,
        proptest::sample::select(vec![
            "tenant A",
            "actor ownactor",
            "application ownapplication",
        ]),
    );
    let same = |viewers: (&Viewer, &Viewer), path: &str, reader: &str| {
        runtime.block_on(async {
            let one = get_as(viewers.0, reader, path).await;
            (one, get_as(viewers.1, reader, path).await)
        })
    };
    let outcome = runner.run(&strategy, |(chosen, number, reader)| {
        for path in paths(&query(&chosen), id(number)) {
            let (one, other) = same((&with, &without), &path, reader);
            let alike = (without_arrivals(&one), without_arrivals(&other));
            prop_assert_eq!(alike.0, alike.1, "{}", path);
            // The query itself stands in the form of a page, and in no answer of the API.
            if !path.contains(PLANTED) {
                prop_assert!(!one.text().contains(PLANTED), "{}", path);
            }
        }
        Ok(())
    });
    outcome.unwrap();
}

#[tokio::test]
async fn exports_choices_counts_and_ids_hold_only_what_is_in_reach() {
    let place = place(PLANTED, 8).await;
    let viewer = place.viewer().await;
    for format in ["csv", "json", "jsonl"] {
        for path in ["/export", "/api/export"] {
            let path = format!("/audit{path}?format={format}&range=all");
            let export = get_as(&viewer, "tenant A", &path).await;
            assert_eq!(export.status, StatusCode::OK);
            assert!(!export.text().contains(PLANTED) && export.text().contains("owntarget"));
            let all = get_as(&viewer, "all", &path).await;
            assert!(
                all.text().contains(PLANTED),
                "the planted text would be seen"
            );
        }
    }
    let json = |path: &'static str| {
        let viewer = viewer.clone();
        async move { get_as(&viewer, "tenant A", path).await.json() }
    };
    assert_eq!(json("/audit/api/count?range=all").await["records"], 8);
    let facets = json("/audit/api/facets").await;
    let values = facets["facets"].as_array().unwrap();
    assert_eq!(values.len(), 7);
    assert!(
        values
            .iter()
            .all(|facet| facet["values"].as_array().unwrap().len() == 1),
        "{facets}"
    );
    let bars = json("/audit/api/histogram?range=all").await;
    let counted = bars["bars"].as_array().unwrap().iter();
    let counted: u64 = counted
        .filter_map(|bar| bar["outcomes"]["denied"].as_u64())
        .sum();
    assert_eq!(counted, 8);
    let own = get_as(
        &viewer,
        "tenant A",
        &format!("/audit/api/records/{}", id(4)),
    )
    .await
    .json();
    assert_eq!(
        own["same_request"].as_array().unwrap().len(),
        7,
        "of the same request, all own"
    );
    // Out of reach and absent are one answer.
    for path in ["/audit/records", "/audit/api/records"] {
        let foreign = get_as(&viewer, "tenant A", &format!("{path}/{}", id(5))).await;
        let absent = get_as(&viewer, "tenant A", &format!("{path}/{}", id(99))).await;
        assert_eq!(
            (foreign.status, absent.status),
            (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND)
        );
        let same = |text: &str, id: Uuid| text.replace(&id.to_string(), "ID");
        assert_eq!(same(foreign.text(), id(5)), same(absent.text(), id(99)));
    }
}

#[tokio::test]
async fn what_is_out_of_reach_changes_no_byte_of_a_manifest_or_a_live_view() {
    let with = world(PLANTED, 8).await;
    let without = world("zzz", 3).await;
    for reader in ["tenant A", "actor ownactor", "application ownapplication"] {
        let mut shown = Vec::new();
        for (_, viewer, manifest) in [&with, &without] {
            assert_eq!(get_as(viewer, "all", manifest).await.status, StatusCode::OK);
            let hidden = get_as(viewer, reader, manifest).await;
            assert_eq!(hidden.status, StatusCode::NOT_FOUND);
            let hidden = hidden.text().replace(manifest, "MANIFEST");
            shown.push((hidden, followed(viewer, reader).await));
        }
        assert_eq!(shown[0], shown[1], "{reader}");
        assert!(!shown[0].1.contains(PLANTED));
    }
}

/// What a live view has sent once it has shown the eight records that are in reach.
async fn followed(viewer: &Viewer, reader: &str) -> String {
    let path = "/audit/live?range=all&since=0";
    let answer = head(viewer, asking(path, &[("x-reader", reader)])).await;
    let (mut body, mut sent) = (answer.into_body(), String::new());
    while sent.matches("event: record").count() < 8 {
        let frame = body.frame().await.unwrap().unwrap();
        sent.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
    sent
}

#[tokio::test]
async fn without_the_authorisers_word_nothing_is_shown() {
    let place = place(PLANTED, 8).await;
    let viewer = place.built(|builder| builder.sign_in("/login")).await;
    let mut paths = addresses(&id(3).to_string());
    paths.push("/audit/no/such".to_owned());
    for path in paths {
        for (headers, expected) in [
            (&[][..], StatusCode::FORBIDDEN),
            (&[("x-reader", "panic")], StatusCode::INTERNAL_SERVER_ERROR),
        ] {
            let answer = told(&viewer, asking(&path, headers)).await;
            assert_eq!(answer.status, expected, "{path}");
            let text = answer.text();
            assert!(
                !text.contains("owntarget") && !text.contains(PLANTED),
                "{path}: {text}"
            );
            if path.starts_with("/audit/api/") {
                assert!(answer.json()["error"]["reason"].is_string(), "{path}");
            } else {
                // Who could not be decided on needs no other login: something is wrong.
                let is_refusal = expected == StatusCode::FORBIDDEN;
                assert_eq!(text.contains("href=\"/login\""), is_refusal, "{path}");
                let status = format!("<p class=\"status\">{}</p>", expected.as_u16());
                assert!(text.contains(&status), "{path}: {text}");
            }
        }
    }
}

// Trap Q8: what delivery says of itself is about everybody's records.
#[tokio::test]
async fn destinations_are_for_who_may_read_everything_and_looking_at_them_is_recorded() {
    let place = place(PLANTED, 8).await;
    let noted = Noted::default();
    let kept = noted.clone();
    let viewer = place.built(|builder| {
        let list = || {
            let sink = Destination::new("siem", "http").address("https://siem.internal/in");
            vec![
                sink.delivered(4711)
                    .last_error("the password of b@b is wrong"),
            ]
        };
        let builder = builder.destinations(list);
        builder.on_read(move |record| kept.0.lock().unwrap().push(record))
    });
    let viewer = viewer.await;
    for reader in ["tenant A", "actor ownactor", "application ownapplication"] {
        let page = get_as(&viewer, reader, "/audit/destinations").await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{reader}");
        for text in ["siem", "4711", "password", "/audit/destinations\""] {
            assert!(!page.text().contains(text), "{reader}: {text}");
        }
        let table = get_as(&viewer, reader, "/audit/").await;
        assert!(!table.text().contains("/audit/destinations"), "{reader}");
    }
    noted.take();
    let page = get_as(&viewer, "all", "/audit/destinations").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("siem.internal"));
    let records = noted.take();
    let [read] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!(
        (read.action.as_str(), &read.details["page"]),
        ("audit.read", &"destinations".into())
    );
    let table = get_as(&viewer, "all", "/audit/").await;
    assert!(table.text().contains("/audit/destinations"));
}
