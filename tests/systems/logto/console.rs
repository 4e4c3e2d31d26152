//! The console, in a real browser.

use std::time::Duration;

use serde_json::Value;
use tower_audit::{
    Actor, Record,
    record::{Application, Context, Fault, Tenant},
    store::Query,
};

use super::service;
use crate::support::{
    browser::{Browser, Scripts},
    service::end,
    stage::{Database, Stage},
};

const AGENT: &str = "Mozilla/5.0 (Macintosh) Version/18.0 Safari/605.1.15";

/// Events of two tenants; the newest is a minute old, each other one an hour older.
fn event(number: usize) -> Record {
    let action = [
        "Interaction.SignIn.Submit",
        "ExchangeTokenBy.RefreshToken",
        "RevokeToken",
    ][number % 3];
    let context = Context::new().ip_address("203.0.113.9").user_agent(AGENT);
    let record = Record::new(action)
        .actor(
            Actor::user(format!("u-{}", number % 4))
                .name(["Ada", "Grace", "Edsger", "Barbara"][number % 4]),
        )
        .application(Application::new(["app-web", "app-native"][number % 2]))
        .tenant(Tenant::new(if number < 40 { "t-a" } else { "t-b" }))
        .detail("params", serde_json::json!({"number": number}))
        .detail("user_agent", service::parsed(AGENT))
        .context(context);
    if number.is_multiple_of(5) {
        record.error(Fault::new("The password is wrong.").code("session.invalid_credentials"))
    } else {
        record.success()
    }
}

async fn stage() -> Stage {
    let stage = service::start(Database::Sqlite).await;
    for number in (0..50).rev() {
        stage.ago(Duration::from_secs(
            60 + 3600 * u64::try_from(number % 40).unwrap(),
        ));
        stage.audit.record(event(number)).unwrap();
    }
    stage.now();
    stage.has(&Query::new(), 50).await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_shows_a_tenants_events_a_users_and_an_applications() {
    let Some(browser) = Browser::start(Scripts::On).await else {
        return;
    };
    let stage = stage().await;
    let url = &stage.service.url;
    browser.sign_in(url, "admin-of-t-a").await;

    shows_the_table(&browser).await;
    goes_through_the_time_ranges(&browser, url).await;
    filters(&browser).await;
    let raw = opens_a_detail(&browser, &stage).await;
    goes_to_the_pages_of_user_and_application(&browser, url, &raw).await;
    exports_and_searches(&browser, url).await;
    keeps_tenants_apart(&browser, url, &raw).await;
    end(&stage.audit).await;
}

async fn shows_the_table(browser: &Browser) {
    // Logto: a table of event, with a mark of success or failure, user, application and time.
    let rows = browser.rows().await;
    assert_eq!(rows.len(), 40);
    let first = &rows[0];
    assert_eq!(
        (&*first.action, &*first.outcome),
        ("Interaction.SignIn.Submit", "Error")
    );
    assert_eq!(
        (first.actor.as_slice(), &*first.application),
        (&["Ada".to_owned(), "u-0".into()][..], "app-web")
    );
    assert_eq!(first.time, "2026-11-20T14:59:00.000000Z");
    browser.picture("logto-1-table").await;
}

async fn goes_through_the_time_ranges(browser: &Browser, url: &str) {
    // Logto: the last hour, day, 7 days, 30 days, or any other time.
    for (range, count) in [("1h", 1), ("24h", 24), ("7d", 40), ("30d", 40)] {
        browser
            .follow(&format!(".periods a[href*='range={range}']"))
            .await;
        assert_eq!(browser.rows().await.len(), count, "{range}");
    }
    let custom = "from=2026-11-20T12:59:00Z&to=2026-11-20T14:59:00Z";
    browser.open(&format!("{url}/audit/?{custom}")).await;
    let rows = browser.rows().await;
    let times: Vec<_> = rows.iter().map(|row| &row.time[11..16]).collect();
    assert_eq!(times, ["13:59", "12:59"]);
    browser.open(&format!("{url}/audit/")).await;
}

async fn filters(browser: &Browser) {
    // Logto: filters by event, application and time range, kept in the address.
    browser
        .filter("action", "ExchangeTokenBy.RefreshToken")
        .await;
    browser.follow(".periods a[href*='range=24h']").await;
    browser
        .find("details.more summary")
        .await
        .click()
        .await
        .unwrap();
    let choices = browser.texts("select[name=application] option").await;
    assert_eq!(choices[1..], ["app-native", "app-web"]);
    browser.filter("application", "app-native").await;
    let rows = browser.rows().await;
    let wanted = |number: &usize| number % 3 == 1 && number % 2 == 1;
    assert_eq!(rows.len(), (0..24).filter(wanted).count());
    assert!(
        rows.iter()
            .all(|row| row.application == "app-native"
                && row.action == "ExchangeTokenBy.RefreshToken")
    );
    let address = browser.address().await;
    for part in [
        "action=ExchangeTokenBy.RefreshToken",
        "range=24h",
        "application=app-native",
    ] {
        assert!(address.contains(part), "{address}");
    }
    browser.open(&address).await;
    assert_eq!(browser.rows().await, rows);
    browser.picture("logto-2-filtered").await;
}

async fn opens_a_detail(browser: &Browser, stage: &Stage) -> Value {
    let rows = browser.rows().await;
    // Logto: a click leads to the details and the raw JSON.
    browser.follow("table.log tbody tr:first-child a.row").await;
    let raw: Value = serde_json::from_str(&browser.texts("#raw pre").await[0]).unwrap();
    let stored = stage.jsons(&Query::new()).await;
    assert!(stored.contains(&raw), "{raw}");
    assert_eq!(raw["id"], *rows[0].id);
    // Logto: the user agent, raw and parsed.
    assert_eq!(raw["details"]["user_agent"]["browser"]["name"], "Safari");
    let cards = browser.texts("main section.card").await;
    assert!(cards.iter().any(|card| card.contains(AGENT)), "{cards:?}");
    let details = cards.iter().find(|card| card.starts_with("Details"));
    let details = details.unwrap_or_else(|| panic!("{cards:?}"));
    assert!(
        details.contains("Macintosh") && details.contains("605.1.15"),
        "{details}"
    );
    browser.picture("logto-3-detail").await;
    raw
}

async fn goes_to_the_pages_of_user_and_application(browser: &Browser, url: &str, raw: &Value) {
    // Logto: a user's page shows that user's log, an application's page its own.
    browser.follow(".aside a[href*='/audit/actors/']").await;
    let user = raw["actor"]["id"].as_str().unwrap();
    let rows = browser.rows().await;
    assert_eq!(rows.len(), 10);
    assert!(rows.iter().all(|row| row.actor[1] == user), "{rows:?}");
    browser.picture("logto-4-user").await;
    browser
        .open(&format!("{url}/audit/?application=app-web"))
        .await;
    let rows = browser.rows().await;
    assert_eq!(rows.len(), 20);
    assert!(
        rows.iter().all(|row| row.application == "app-web"),
        "{rows:?}"
    );
}

async fn exports_and_searches(browser: &Browser, url: &str) {
    // Logto has no export, and no search by address or result.
    let (_, csv) = browser.download("a[href*='format=csv']").await;
    assert_eq!(csv.lines().count(), 21, "{csv}");
    browser
        .open(&format!("{url}/audit/?ip=203.0.113.9&outcome=error"))
        .await;
    assert_eq!(browser.rows().await.len(), 8);
}

async fn keeps_tenants_apart(browser: &Browser, url: &str, raw: &Value) {
    // Whoever manages the other tenant sees the other ten events, and none of these.
    browser.open(&format!("{url}/sign-in")).await;
    browser
        .find("input[name=user]")
        .await
        .send_keys("admin-of-t-b")
        .await
        .unwrap();
    browser.find("button").await.click().await.unwrap();
    browser.find("table.log tbody tr").await;
    assert_eq!(browser.rows().await.len(), 10);
    browser
        .open(&format!(
            "{url}/audit/records/{}",
            raw["id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(browser.texts("p.status").await, ["404"]);
}
