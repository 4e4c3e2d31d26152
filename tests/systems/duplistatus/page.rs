//! What an auditor sees.

use http::StatusCode;
use serde_json::Value;
use tower_audit::store::Query;

use super::service::{self, ADDRESS, AGENT, SECRETS};
use crate::support::{
    browser::{Browser, Scripts},
    desk::{Row, cookie},
    service::{end, holds, until},
};

#[track_caller]
fn entry<'a>(records: &'a [Value], action: &str, outcome: &str) -> &'a Value {
    let mut found = records.iter();
    let found = found.find(|record| record["action"] == action && record["outcome"] == outcome);
    found.unwrap_or_else(|| panic!("no {action}, {outcome} in {records:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_has_what_happened_and_nothing_that_is_secret_or_claimed() {
    let stage = service::start().await;
    let records = service::a_day(&stage).await;
    // duplistatus: time, user or "System", action, category, status, target, details, address, program,
    // error message.
    let updated = entry(&records, "user_updated", "success");
    assert_eq!(updated["category"], "user management");
    assert_eq!(updated["actor"]["id"], "ada");
    assert_eq!(
        updated["targets"][0],
        serde_json::json!({"type": "user", "id": "12", "name": "ada"})
    );
    assert_eq!(updated["context"]["user_agent"], AGENT);
    assert_eq!(updated["details"]["request"]["email"], "ada@example.com");
    let deleted = entry(&records, "server_deleted", "error");
    assert_eq!(deleted["error"]["message"], "FOREIGN KEY constraint failed");
    assert_eq!(
        entry(&records, "login", "failure")["reason"],
        "invalid credentials"
    );
    assert_eq!(
        entry(&records, "audit_cleanup", "success")["actor"]["type"],
        "system"
    );
    // duplistatus: the address is what the client claims, and secrets are missed in nested and
    // camelCase keys.
    for record in records
        .iter()
        .filter(|record| record["actor"]["type"] != "system")
    {
        assert_eq!(record["context"]["ip_address"], ADDRESS, "{record}");
    }
    for secret in SECRETS {
        assert!(
            !records
                .iter()
                .any(|record| record.to_string().contains(secret)),
            "{secret}: {records:?}"
        );
    }
    // duplistatus: time stamps of whole seconds; here two within one second are told apart, in order.
    let order = ["document.first", "document.second"];
    for action in order {
        stage.clock.advance(std::time::Duration::from_micros(1500));
        stage
            .audit
            .record(tower_audit::Record::new(action))
            .unwrap();
    }
    let records = stage
        .has(&Query::new().action("document.*".parse().unwrap()), 2)
        .await;
    assert_eq!(
        (&records[0]["action"], &records[1]["action"]),
        (&order[1].into(), &order[0].into())
    );
    assert_eq!(records[0]["timestamp"], "2026-11-20T15:00:00.003000Z");
    end(&stage.audit).await;
    for secret in SECRETS {
        assert!(!holds(stage.folder.path(), secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_whoever_is_authorised_reads() {
    let stage = service::start().await;
    service::a_day(&stage).await;
    for (user, expected) in [
        (None, StatusCode::FORBIDDEN),
        (Some("ada"), StatusCode::FORBIDDEN),
        (Some("auditor"), StatusCode::OK),
    ] {
        let cookie = user.map(cookie);
        let headers: Vec<_> = cookie
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        for path in [
            "/audit",
            "/audit/api/records",
            "/audit/api/facets",
            "/audit/api/export?format=csv",
        ] {
            let answer = stage.service.get(path, &headers).await;
            assert_eq!(answer.status, expected, "{user:?} {path}");
            assert_eq!(
                answer.body.contains("user_updated"),
                expected == StatusCode::OK,
                "{user:?} {path}"
            );
        }
    }
    // Who looked, and who was turned away, is on record.
    let reads = Query::new().action("audit.read".parse().unwrap());
    for reads in [reads.clone().outcome("denied"), reads.actor("7")] {
        until("the reading is on record", async || {
            !stage.store.browse(&reads).await.unwrap().records.is_empty()
        })
        .await;
    }
    end(&stage.audit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_viewer_filters_by_what_the_data_has() {
    let Some(browser) = Browser::start(Scripts::On).await else {
        return;
    };
    let stage = service::start().await;
    let records = service::a_day(&stage).await;
    browser.sign_in(&stage.service.url, "auditor").await;
    shows_the_day(&browser).await;
    offers_what_occurs(&browser).await;
    filters_and_resets(&browser, &stage.service.url).await;
    shows_the_details(&browser, &records).await;
    walks_through(&browser, &stage.service.url, &records).await;
    end(&stage.audit).await;
}

/// The rows without those that the trail and the sign-in page of this test leave.
async fn of_service(browser: &Browser) -> Vec<Row> {
    let mut rows = browser.rows().await;
    rows.retain(|row| !row.action.starts_with("audit.") && row.action != "POST /sign-in");
    rows
}

async fn shows_the_day(browser: &Browser) {
    // duplistatus: chronological, with those columns, and System for what nobody did.
    let rows = of_service(browser).await;
    let actions: Vec<_> = rows.iter().map(|row| &*row.action).collect();
    let expected = [
        "audit_cleanup",
        "server_deleted",
        "backup_collected",
        "config_updated",
        "user_updated",
        "login",
        "login",
    ];
    assert_eq!(actions, expected);
    assert_eq!(rows[0].actor, ["System"]);
    browser.picture("duplistatus-1-table").await;
}

async fn offers_what_occurs(browser: &Browser) {
    // duplistatus: filters for dates, user, action, category and status, whose choices come from the
    // data.
    let mut categories = browser
        .texts("select[name=category] option")
        .await
        .split_off(1);
    // Beside what the trail and the sign-in page of this test leave.
    categories.retain(|category| !matches!(&**category, "audit" | "request"));
    let expected = [
        "authentication",
        "backup operations",
        "configuration",
        "server management",
        "system operations",
        "user management",
    ];
    assert_eq!(categories, expected);
    let outcomes = browser.texts("select[name=outcome] option").await;
    // What nobody did is no choice: nothing was cancelled.
    for (word, occurs) in [
        ("Success", true),
        ("Failure", true),
        ("Error", true),
        ("Cancelled", false),
    ] {
        assert_eq!(
            outcomes.iter().any(|outcome| outcome == word),
            occurs,
            "{word}: {outcomes:?}"
        );
    }
}

async fn filters_and_resets(browser: &Browser, url: &str) {
    browser.filter("category", "authentication").await;
    assert_eq!(browser.rows().await.len(), 2);
    browser.filter("outcome", "failure").await;
    let rows = browser.rows().await;
    assert_eq!((rows.len(), &*rows[0].outcome), (1, "Failure"));
    // duplistatus: reset, and refresh.
    browser.follow(".filters .buttons a").await;
    assert!(browser.rows().await.len() >= 7);
    browser.filter("action", "config_updated").await;
    let rows = browser.rows().await;
    assert_eq!((rows.len(), &*rows[0].action), (1, "config_updated"));
    browser.follow(".filters .buttons a").await;
    browser.filter("actor", "grace").await;
    assert_eq!(browser.rows().await.len(), 2);
    let before = browser.rows().await;
    browser.find("a.refresh").await.click().await.unwrap();
    browser.find("table.log tbody tr").await;
    assert_eq!(browser.rows().await, before);
    let day = "/audit/?from=2026-11-20T14:02:00Z&to=2026-11-20T14:04:00Z";
    browser.open(&format!("{}{day}", url)).await;
    let rows = of_service(browser).await;
    let actions: Vec<_> = rows.iter().map(|row| &*row.action).collect();
    assert_eq!(actions, ["user_updated", "login"]);
}

async fn shows_the_details(browser: &Browser, records: &[Value]) {
    let rows = of_service(browser).await;
    // duplistatus: an eye for the details.
    browser
        .follow(&format!("tr[data-id='{}'] a.row", rows[0].id))
        .await;
    let raw: Value = serde_json::from_str(&browser.texts("#raw pre").await[0]).unwrap();
    assert!(records.contains(&raw), "{raw}");
    let text = browser.texts("main").await.remove(0);
    assert!(
        text.contains("ada@example.com") && text.contains(ADDRESS),
        "{text}"
    );
    // duplistatus: translated; dates follow the language.
    browser.follow(".languages a[hreflang=de]").await;
    let said = browser.texts("p.summary time .at").await.remove(0);
    assert!(said.starts_with("20.11.2026, 15:0"), "{said}");
    browser.picture("duplistatus-2-german").await;
}

/// duplistatus: more comes by scrolling, without an end. Here page by page, each with an address of its
/// own, and nothing is missing or there twice.
async fn walks_through(browser: &Browser, url: &str, records: &[Value]) {
    browser
        .open(&format!("{url}/audit/?range=all&limit=3"))
        .await;
    let mut rows = Vec::new();
    loop {
        rows.extend(browser.rows().await);
        if browser.count("nav.pager a[rel=next]").await == 0 {
            break;
        }
        browser.follow("nav.pager a[rel=next]").await;
    }
    assert!(rows.is_sorted_by(|a, b| a.time >= b.time), "{rows:?}");
    for record in records {
        let same = rows.iter().filter(|row| record["id"] == *row.id);
        assert_eq!(same.count(), 1, "{record}");
    }
}
