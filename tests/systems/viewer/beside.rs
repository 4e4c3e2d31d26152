//! What a reader does beside looking: copying, pausing, following a session or an address, another
//! language, and taking home more than a page.

use std::collections::HashSet;

use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection};
use tower_audit::store::Query;

use super::app::{App, HISTORY};
use crate::support::{
    browser::{Browser, Scripts},
    service::end,
};

async fn begin(scripts: Scripts) -> Option<(App, Browser)> {
    let browser = Browser::start(scripts).await?;
    let app = App::with_history().await;
    browser.sign_in(&app.service.url, "admin").await;
    Some((app, browser))
}

async fn ids(browser: &Browser) -> Vec<String> {
    let rows = browser.rows().await;
    rows.into_iter().map(|row| row.id).collect()
}

/// The ids of what matches in the store.
async fn stored(app: &App, query: &Query) -> Vec<String> {
    let jsons = app.jsons(query).await;
    let ids = jsons.iter().map(|json| json["id"].as_str().unwrap());
    ids.map(str::to_owned).collect()
}

/// Presses a button that copies, and waits until it says so.
async fn copies(browser: &Browser, button: &str) -> String {
    let word = browser.texts(button).await.remove(0);
    browser.find(button).await.click().await.unwrap();
    browser
        .until("it says that it is copied", async || {
            browser.texts(button).await == ["Copied"]
        })
        .await;
    let copied = browser.copied().await;
    browser
        .until("it can be copied again", async || {
            browser.texts(button).await == [&*word]
        })
        .await;
    copied
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_and_the_json_of_a_record_are_copied() {
    let Some((app, browser)) = begin(Scripts::On).await else {
        return;
    };
    let id = ids(&browser).await.remove(3);
    browser.follow(&format!("tr[data-id='{id}'] a.row")).await;
    browser.may_read_what_was_copied().await;
    let link = copies(&browser, "[data-copy-link]").await;
    assert_eq!(link, format!("{}/audit/records/{id}", app.service.url));
    let text = copies(&browser, "[data-copy]").await;
    let jsons = app.jsons(&Query::new().limit(1000)).await;
    let json = jsons.iter().find(|json| json["id"] == *id).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), *json);
    // Whoever is given the link comes to the record.
    browser.open(&link).await;
    assert_eq!(
        browser.texts("h1").await,
        [json["action"].as_str().unwrap()]
    );
    end(&app.audit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_live_view_adds_nothing_and_catches_up_when_it_goes_on() {
    let Some((app, browser)) = begin(Scripts::On).await else {
        return;
    };
    let names = async || {
        let rows = browser.rows().await.into_iter();
        let names = rows.filter_map(|row| row.target.into_iter().next());
        names
            .take_while(|name| !name.starts_with("Plan"))
            .collect::<Vec<_>>()
    };
    browser
        .open(&format!(
            "{}/audit/?action=document.*&live=1",
            app.service.url
        ))
        .await;
    app.create("Breakfast").await;
    browser
        .until("breakfast is shown", async || {
            names().await == ["Breakfast"]
        })
        .await;
    browser.find(".live-pause").await.click().await.unwrap();
    assert_eq!(browser.texts(".live-pause").await, ["Resume"]);
    let said = browser.texts(".live-state").await.remove(0);
    assert!(said.starts_with("Paused."), "{said}");

    app.create("Lunch").await;
    // Another reader's live view has it; this one has not.
    app.has(
        &Query::new()
            .action("document.*".parse().unwrap())
            .limit(1000),
        HISTORY * 3 / 4 + 2,
    )
    .await;
    assert_eq!(names().await, ["Breakfast"]);

    browser.find(".live-pause").await.click().await.unwrap();
    browser
        .until("lunch is shown", async || {
            names().await == ["Lunch", "Breakfast"]
        })
        .await;
    assert_eq!(browser.texts(".live-pause").await, ["Pause"]);
    app.create("Dinner").await;
    browser
        .until("dinner is shown", async || {
            names().await == ["Dinner", "Lunch", "Breakfast"]
        })
        .await;
    end(&app.audit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_leads_to_its_session_and_its_address() {
    let Some((app, browser)) = begin(Scripts::On).await else {
        return;
    };
    for name in ["Breakfast", "Lunch"] {
        app.create(name).await;
    }
    // With the sign-in, which is a record as well.
    let created = app
        .has(&Query::new().limit(1000), HISTORY + 3)
        .await
        .remove(0);
    let text = |pointer: &str| {
        created
            .pointer(pointer)
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (session, ip) = (text("/context/session_id"), text("/context/ip_address"));
    let record = format!("{}/audit/records/{}", app.service.url, text("/id"));
    // From the same machine somebody signed in.
    for (name, query, count) in [
        ("session", Query::new().session(&session), 2),
        ("ip", Query::new().ip(&ip), 3),
    ] {
        browser.open(&record).await;
        let link = format!(".aside .links a[href*='{name}=']");
        assert_eq!(browser.count(&link).await, 1, "{name}");
        browser.follow(&link).await;
        let found = ids(&browser).await;
        assert_eq!(found, stored(&app, &query.limit(100)).await, "{name}");
        assert_eq!(found.len(), count, "{name}");
    }
    end(&app.audit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_overlooks_a_record_that_was_altered_and_nobody_finds_a_barrier_there() {
    let Some((app, browser)) = begin(Scripts::On).await else {
        return;
    };
    let mut database = SqliteConnection::connect(&app.address).await.unwrap();
    let change = "UPDATE audit_records SET json = replace(json, 'Noor', 'Moor') \
        WHERE number = (SELECT max(number) FROM audit_records WHERE json LIKE '%\"Noor\"%')";
    let done = sqlx::query(change).execute(&mut database).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
    database.close().await.unwrap();
    browser
        .open(&format!("{}/audit/?actor=148", app.service.url))
        .await;
    let marks = browser.texts("tbody .o-altered").await;
    assert_eq!(marks, ["Altered in the store"]);
    browser.picture("viewer-altered-1-table").await;
    browser
        .has_no_barriers("a table with an altered record")
        .await;
    browser.follow("tr.is-altered a.row").await;
    let said = browser.texts(".aside [role=alert]").await.remove(0);
    assert!(said.contains("not the text that was delivered"), "{said}");
    browser.picture("viewer-altered-2-record").await;
    browser.has_no_barriers("an altered record").await;
    end(&app.audit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_are_in_spanish_for_who_reads_spanish() {
    let Some((app, browser)) = begin(Scripts::On).await else {
        return;
    };
    browser.filter("outcome", "success").await;
    let english = ids(&browser).await;
    browser.follow(".languages a[hreflang=es]").await;
    let lang = "return document.documentElement.lang";
    assert_eq!(browser.script(lang).await, "es");
    assert_eq!(browser.texts("h1").await, ["Registros"]);
    assert_eq!(ids(&browser).await, english);
    let rows = browser.rows().await;
    assert!(rows.iter().all(|row| row.outcome == "Éxito"), "{rows:?}");
    browser.picture("viewer-spanish-1-table").await;
    browser.has_no_barriers("Spanish").await;
    browser.follow("table.log tbody tr:first-child a.row").await;
    assert_eq!(browser.script(lang).await, "es", "it stays so");
    let headings = browser.texts(".aside h2").await;
    assert!(headings.contains(&"Prueba".to_owned()), "{headings:?}");
    browser.picture("viewer-spanish-2-detail").await;
    end(&app.audit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_what_the_store_has_and_not_only_the_page_that_is_shown() {
    let Some((app, browser)) = begin(Scripts::On).await else {
        return;
    };
    let address = format!(
        "{}/audit/?action=document.*&range=all&limit=20",
        app.service.url
    );
    browser.open(&address).await;
    let mut pages = vec![ids(&browser).await];
    let (_, csv) = browser.download("a[href*='format=csv']").await;
    let (_, lines) = browser.download("a[href*='format=jsonl']").await;
    while browser.count(".pager a[rel=next]").await > 0 {
        browser.follow(".pager a[rel=next]").await;
        pages.push(ids(&browser).await);
    }
    let lengths: Vec<_> = pages.iter().map(Vec::len).collect();
    assert_eq!(lengths, [20, 20, 14]);
    let query = Query::new().action("document.*".parse().unwrap());
    let stored = stored(&app, &query.limit(1000)).await;
    assert_eq!(pages.concat(), stored);

    let mut reader = csv::Reader::from_reader(csv.trim_start_matches('\u{feff}').as_bytes());
    let place = reader
        .headers()
        .unwrap()
        .iter()
        .position(|head| head == "id");
    let of_csv = reader
        .records()
        .map(|row| row.unwrap()[place.unwrap()].to_owned());
    assert_eq!(of_csv.collect::<Vec<_>>(), stored);

    let whole = app
        .jsons(
            &Query::new()
                .action("document.*".parse().unwrap())
                .limit(1000),
        )
        .await;
    let mut lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let manifest = lines.pop().unwrap();
    assert_eq!(lines, whole, "field by field");
    assert_eq!(manifest["manifest"]["records"], stored.len());
    assert_eq!(manifest["manifest"]["complete"], true);
    let different: HashSet<_> = stored.iter().collect();
    assert_eq!(different.len(), HISTORY * 3 / 4);
    end(&app.audit).await;
}
