//! Exports over HTTP: streamed, bounded, from this site only, with a manifest for a CSV.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::StatusCode;
use http_body_util::BodyExt;
use tower_audit::{
    Actor, Outcome,
    store::Reach,
    viewer::{Access, Viewer, ViewerBody},
};

use super::{Noted, Place, Still, asking, get, get_as, head, reader, told};
use crate::support::batches::{origin, plain};

#[tokio::test]
async fn an_export_is_a_file_that_holds_what_the_table_shows() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    let csv = get(
        &viewer,
        "/audit/export?format=csv&columns=id,action&lang=fr",
    )
    .await;
    assert_eq!(csv.status, StatusCode::OK);
    assert_eq!(csv.text().lines().count(), 11);
    assert_eq!(csv.text().lines().next(), Some("id,action"));
    let name = csv.header("content-disposition");
    assert_eq!(name, "attachment; filename=\"audit-2026-11-20.csv\"");
    for (format, expected) in [("json", "application/json"), ("jsonl", "application/jsonl")] {
        for path in ["/audit/export", "/audit/api/export"] {
            let export = get(&viewer, &format!("{path}?format={format}")).await;
            assert_eq!(export.header("content-type"), expected);
            assert!(
                export.text().contains("\"complete\":true"),
                "{}",
                export.text()
            );
        }
    }
}

#[tokio::test]
async fn the_manifest_of_a_csv_is_where_its_header_says_and_only_for_its_reader() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    let csv = get(&viewer, "/audit/export?format=csv&outcome=success").await;
    let link = csv.header("link");
    let address = link
        .strip_prefix('<')
        .unwrap()
        .strip_suffix(">; rel=\"describedby\"")
        .unwrap();
    let manifest = get(&viewer, address).await.json();
    assert_eq!(
        (&manifest["records"], &manifest["complete"]),
        (&10.into(), &true.into())
    );
    assert_eq!(manifest["filter"]["outcome"], "success");
    assert_eq!(manifest["bytes"], csv.body.len());
    let page = get(&viewer, "/audit/exports").await;
    assert!(
        page.text().contains(address) || page.text().contains("success"),
        "{}",
        page.text()
    );
    // Another reader.
    let other = place.built(|builder| builder).await;
    assert_eq!(get(&other, address).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn another_site_cannot_make_a_reader_export() {
    let place = Place::plain().await;
    let (viewer, noted) = place.noted().await;
    for path in ["/audit/export?format=csv", "/audit/api/export?format=csv"] {
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("referer", "https://evil.example/audit"),
        ] {
            let headers = [("x-reader", "all"), ("host", "docs.example"), (name, value)];
            let answer = told(&viewer, asking(path, &headers)).await;
            assert_eq!(
                answer.status,
                StatusCode::FORBIDDEN,
                "{path} {name}: {value}"
            );
        }
    }
    assert_eq!(noted.take(), []);
    let own = [("x-reader", "all"), ("sec-fetch-site", "same-origin")];
    let answer = told(&viewer, asking("/audit/export?format=csv", &own)).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn four_exports_run_at_once_and_one_that_is_left_is_recorded_as_such() {
    let mut place = Place::plain().await;
    place.put(2, plain(&origin(2), 1000..4000).records).await;
    let (viewer, noted) = place.noted().await;
    let path = "/audit/api/export?format=jsonl&range=all";
    let mut running = Vec::new();
    for reader in ["all", "all", "as other", "as other"] {
        let mut answer = head(&viewer, asking(path, &[("x-reader", reader)])).await;
        let piece = answer.body_mut().frame().await.unwrap().unwrap();
        assert!(piece.is_data());
        running.push(answer);
    }
    let refused = get(&viewer, path).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(!refused.header("retry-after").is_empty() && refused.json()["error"].is_object());
    assert_eq!(noted.ended(), [], "none has ended");
    drop(running);
    let left = noted.take();
    assert_eq!(left.len(), 4);
    for record in &left {
        assert_eq!(
            (record.action.as_str(), record.outcome),
            ("audit.export", Some(Outcome::Cancelled))
        );
        assert_eq!(record.details["complete"], false);
        let sent = record.details["records"].as_u64().unwrap();
        assert!(sent > 0 && sent < 3010, "{sent}");
    }
    let whole = get_as(&viewer, "all", path).await;
    assert_eq!(whole.text().lines().count(), 3011);
    let records = noted.ended();
    let [record] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!(record.outcome, Some(Outcome::Success));
    assert_eq!(
        (&record.details["records"], &record.details["complete"]),
        (&3010.into(), &true.into())
    );
    assert_eq!(
        (
            &record.details["format"],
            &record.details["filter"]["range"]
        ),
        (&"jsonl".into(), &"all".into())
    );
}

#[tokio::test]
async fn an_export_of_a_store_that_fails_in_the_middle_breaks_off() {
    let mut place = Place::plain().await;
    place.put(2, plain(&origin(2), 1000..4000).records).await;
    let (viewer, noted) = place.noted().await;
    let path = "/audit/api/export?format=jsonl&range=all";
    let mut answer = head(&viewer, asking(path, &[("x-reader", "all")])).await;
    answer.body_mut().frame().await.unwrap().unwrap();
    let file = place.dir.path().join("audit.db");
    std::fs::rename(&file, place.dir.path().join("x")).unwrap();
    // A client must not take it for whole.
    answer.into_body().collect().await.unwrap_err();
    let records = noted.ended();
    let [record] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!(
        (record.outcome, &record.details["complete"]),
        (Some(Outcome::Error), &false.into())
    );
}

#[tokio::test]
async fn exports_end_when_the_viewer_is_closed() {
    let mut place = Place::plain().await;
    place.put(2, plain(&origin(2), 1000..4000).records).await;
    let viewer = place.viewer().await;
    let path = "/audit/api/export?format=jsonl&range=all";
    let mut answer = head(&viewer, asking(path, &[("x-reader", "all")])).await;
    answer.body_mut().frame().await.unwrap().unwrap();
    viewer.close();
    answer.into_body().collect().await.unwrap_err();
    assert_eq!(
        get(&viewer, path).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(get(&viewer, "/audit/").await.status, StatusCode::OK);
}

// Trap Q8: user 1 of one tenant is not user 1 of another.
#[tokio::test]
async fn readers_of_one_name_in_two_tenants_share_no_export() {
    let place = Place::plain().await;
    let (viewer, noted) = place.noted().await;
    let path = "/audit/export?format=csv&q=of-tenant-a";
    let csv = get_as(&viewer, "tenant A", path).await;
    let manifest = csv.header("link").strip_prefix('<').unwrap();
    let manifest = manifest.split('>').next().unwrap();
    let own = get_as(&viewer, "tenant A", manifest).await;
    assert_eq!(own.status, StatusCode::OK);
    for other in ["tenant B", "actor A", "all"] {
        let foreign = get_as(&viewer, other, manifest).await;
        assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{other}");
        let page = get_as(&viewer, other, "/audit/exports").await;
        assert!(!page.text().contains("of-tenant-a"), "{other}");
    }
    let page = get_as(&viewer, "tenant A", "/audit/exports").await;
    assert!(page.text().contains("of-tenant-a"), "{}", page.text());
    let records = noted.ended();
    let [record] = records.as_slice() else {
        panic!("{records:?}")
    };
    let within = serde_json::json!({"tenant": "A"});
    assert_eq!(record.details["within"], within);
}

pub(super) const LONG: &str = "/api/export?format=jsonl&range=all";

/// A viewer with 3,000 records, one export at once and a switch for who may read; and what it recorded.
pub(super) async fn switched(place: &mut Place) -> (Viewer, Noted, Arc<Mutex<Access>>) {
    place.put(2, plain(&origin(2), 1000..4000).records).await;
    let access = Arc::new(Mutex::new(Access::All(reader())));
    let (asked, noted) = (Arc::clone(&access), Noted::default());
    let authorise = move |_| {
        let access = asked.lock().unwrap().clone();
        async move { access }
    };
    let kept = noted.clone();
    let builder = Viewer::builder(place.store().await, authorise).max_exports(1);
    let builder = builder.on_read(move |record| kept.0.lock().unwrap().push(record));
    (builder.build().unwrap(), noted, access)
}

/// An export whose first piece was taken.
pub(super) async fn begun(viewer: &Viewer) -> ViewerBody {
    let mut body = head(viewer, asking(LONG, &[])).await.into_body();
    assert!(body.frame().await.unwrap().unwrap().is_data());
    body
}

/// Lets the others run as far as they get.
async fn settle() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

/// Lets the clock of the tests go on, and whoever waited for it.
pub(super) async fn pass(seconds: u64) {
    // First, so that whoever is about to look at the clock has done so.
    settle().await;
    tokio::time::advance(Duration::from_secs(seconds)).await;
    settle().await;
}

fn only_cancelled(noted: &Noted) {
    let records = noted.ended();
    let [record] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!(
        (record.outcome, &record.details["complete"]),
        (Some(Outcome::Cancelled), &false.into())
    );
    assert!(record.details["records"].as_u64().unwrap() < 3010);
}

// Trap Q8: an export, too, is asked for again while it runs.
#[tokio::test(start_paused = true)]
async fn an_export_breaks_off_when_access_is_withdrawn_or_becomes_another() {
    let _clock = Still::stand();
    for now in [
        Access::Denied,
        Access::Within(reader(), Reach::tenant("A")),
        Access::All(Actor::user("other")),
    ] {
        let mut place = Place::plain().await;
        let (viewer, noted, access) = switched(&mut place).await;
        let body = begun(&viewer).await;
        *access.lock().unwrap() = now;
        pass(61).await;
        body.collect().await.unwrap_err();
        only_cancelled(&noted);
    }
}

#[tokio::test(start_paused = true)]
async fn an_export_goes_on_while_its_reader_may_read() {
    let _clock = Still::stand();
    let mut place = Place::plain().await;
    let (viewer, noted, _access) = switched(&mut place).await;
    let body = begun(&viewer).await;
    pass(61).await;
    let rest = body.collect().await.unwrap().to_bytes();
    assert!(rest.ends_with(b"}\n"));
    assert_eq!(noted.ended()[0].outcome, Some(Outcome::Success));
}

#[tokio::test(start_paused = true)]
async fn an_export_that_nobody_reads_gives_its_turn_to_others() {
    let _clock = Still::stand();
    let mut place = Place::plain().await;
    let (viewer, noted, _access) = switched(&mut place).await;
    let body = begun(&viewer).await;
    pass(119).await;
    let refused = told(&viewer, asking(LONG, &[])).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    pass(2).await;
    only_cancelled(&noted);
    let other = told(&viewer, asking(LONG, &[])).await;
    assert_eq!(other.status, StatusCode::OK);
    assert_eq!(other.text().lines().count(), 3011);
    // Whoever reads on gets no whole file.
    body.collect().await.unwrap_err();
    assert_eq!(noted.ended().len(), 1, "the first was recorded once");
}

#[tokio::test(start_paused = true)]
async fn an_export_that_nobody_reads_ends_with_the_viewer() {
    let _clock = Still::stand();
    let mut place = Place::plain().await;
    let (viewer, noted, _access) = switched(&mut place).await;
    let body = begun(&viewer).await;
    viewer.close();
    pass(0).await;
    only_cancelled(&noted);
    body.collect().await.unwrap_err();
    assert_eq!(noted.take(), []);
}
