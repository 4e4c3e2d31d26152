//! A record whose text is not what was delivered is shown, and never as if nothing were wrong.

use http_body_util::BodyExt;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use super::{Place, asking, get, head};
use crate::support::batches::{id, origin, plain};

/// What a row and a page say of it in English.
const MARK: &str = "Altered in the store";

/// Does to the table what no sink does.
async fn alter(place: &Place, change: &str) {
    let url = format!("sqlite://{}", place.dir.path().join("audit.db").display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    let done = sqlx::query(AssertSqlSafe(change)).execute(&mut database);
    assert_eq!(done.await.unwrap().rows_affected(), 1);
}

/// Ten records, of which number 3 says another action than it was delivered with.
async fn altered() -> Place {
    let place = Place::plain().await;
    let change = "UPDATE audit_records SET json = replace(json, 'document.create', 'document.delete') \
        WHERE number = 3";
    alter(&place, change).await;
    place
}

/// The piece of a page that is the row of a record.
fn row(page: &str, number: u64) -> &str {
    let begin = page.find(&format!("data-id=\"{}\"", id(number))).unwrap();
    page[begin..].split("</tr>").next().unwrap()
}

#[tokio::test]
async fn the_table_marks_the_altered_row_and_no_other() {
    let place = altered().await;
    let viewer = place.viewer().await;
    let page = get(&viewer, "/audit/?range=all").await;
    for number in 0..10 {
        let row = row(page.text(), number);
        assert_eq!(row.contains(MARK), number == 3, "{number}: {row}");
    }
    assert!(row(page.text(), 3).contains("document.delete"));
    let german = get(&viewer, "/audit/?range=all&lang=de").await;
    assert_eq!(german.text().matches("Im Speicher verändert").count(), 1);
}

#[tokio::test]
async fn the_page_of_an_altered_record_says_it_beside_its_evidence() {
    let place = altered().await;
    let viewer = place.viewer().await;
    for number in [3, 4] {
        let page = get(&viewer, &format!("/audit/records/{}", id(number))).await;
        let (_, evidence) = page.text().split_once("<h2>Evidence</h2>").unwrap();
        let (evidence, _) = evidence.split_once("</section>").unwrap();
        let says = evidence.contains("not the text that was delivered");
        assert_eq!(says, number == 3, "{evidence}");
        assert_eq!(page.text().contains(MARK), number == 3);
    }
}

#[tokio::test]
async fn the_api_says_it_of_every_record() {
    let place = altered().await;
    let viewer = place.viewer().await;
    for path in [
        "/api/records?range=all",
        "/api/records?range=all&following=0",
    ] {
        let answer = get(&viewer, &format!("/audit{path}")).await.json();
        let entries = answer["records"].as_array().unwrap();
        assert_eq!(entries.len(), 10);
        for entry in entries {
            assert_eq!(entry["altered"], entry["number"] == 3, "{path}: {entry}");
        }
    }
    for number in [3, 4] {
        let path = format!("/audit/api/records/{}", id(number));
        assert_eq!(get(&viewer, &path).await.json()["altered"], number == 3);
    }
}

#[tokio::test]
async fn what_is_no_json_any_more_is_altered_too() {
    let place = Place::plain().await;
    alter(
        &place,
        "UPDATE audit_records SET json = 'gone' WHERE number = 5",
    )
    .await;
    let viewer = place.viewer().await;
    let page = get(&viewer, "/audit/?range=all").await;
    assert!(row(page.text(), 5).contains(MARK));
    let path = format!("/audit/api/records/{}", id(5));
    assert_eq!(get(&viewer, &path).await.json()["altered"], true);
}

#[tokio::test(start_paused = true)]
async fn a_live_row_is_marked_as_well() {
    let mut place = Place::plain().await;
    place.put(1, plain(&origin(1), 10..12).records).await;
    alter(
        &place,
        "UPDATE audit_records SET json = json || ' ' WHERE number = 10",
    )
    .await;
    let viewer = place.viewer().await;
    let asked = asking("/audit/live?range=all&since=10", &[("x-reader", "all")]);
    let mut body = head(&viewer, asked).await.into_body();
    let mut read = String::new();
    while read.matches("event: record").count() < 2 || !read.ends_with("\n\n") {
        let frame = body.frame().await.unwrap().unwrap();
        read += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
    }
    assert!(row(&read, 10).contains(MARK), "{read}");
    assert!(!row(&read, 11).contains(MARK), "{read}");
}
