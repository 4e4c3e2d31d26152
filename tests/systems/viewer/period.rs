//! A period of one's own: written into the two fields of time, in the reader's zone, and sent.

use fantoccini::key::Key;
use tower_audit::store::Query;

use super::app::App;
use crate::support::{
    browser::{Browser, Scripts},
    service::end,
};

/// A morning in Berlin, and in UTC.
const BERLIN: [(&str, &str); 2] = [("from", "100000AM"), ("to", "123000PM")];
const UTC: [(&str, &str); 2] = [("from", "090000AM"), ("to", "113000AM")];

/// What the records of that morning are.
async fn expected(app: &App) -> Vec<String> {
    let query = Query::new()
        .from("2026-11-20T09:00:00Z".parse().unwrap())
        .to("2026-11-20T11:30:00Z".parse().unwrap());
    let jsons = app.jsons(&query).await;
    let ids = jsons.iter().map(|json| json["id"].as_str().unwrap());
    ids.map(str::to_owned).collect()
}

/// What is shown of it. The trail writes of itself that its clock was put back, now and then there.
async fn shown(browser: &Browser) -> Vec<String> {
    let rows = browser.rows().await.into_iter();
    let rows = rows.filter(|row| !row.action.starts_with("audit."));
    rows.map(|row| row.id).collect()
}

async fn apply(browser: &Browser) {
    let before = browser.address().await;
    let button = browser.find(".filters button[type=submit]").await;
    button.click().await.unwrap();
    browser
        .until("the period is applied", async || {
            browser.address().await != before
        })
        .await;
    browser.find("footer.foot").await;
}

/// Writes both times, part by part as the fields take them, and sends them.
async fn write(browser: &Browser, times: [(&str, &str); 2]) {
    for (name, time) in times {
        let field = browser.find(&format!(".filters [name={name}]")).await;
        let keys = format!("11202026{}{time}", Key::Tab);
        field.send_keys(&keys).await.unwrap();
        let read = format!("return document.querySelector('.filters [name={name}]').value");
        let value = browser.script(&read).await;
        let hour: u32 = time[..2].parse().unwrap();
        let expected = format!("2026-11-20T{hour:02}:{}", &time[2..4]);
        let value = value.as_str().unwrap();
        assert!(value.starts_with(&expected), "{name}: {value}");
    }
    apply(browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_is_written_in_the_zone_of_the_reader() {
    for (scripts, times) in [(Scripts::On, BERLIN), (Scripts::Off, UTC)] {
        let Some(browser) = Browser::start(scripts).await else {
            return;
        };
        let app = App::with_history().await;
        browser.sign_in(&app.service.url, "admin").await;
        browser.follow(".periods a[href*='range=custom']").await;
        write(&browser, times).await;
        let expected = expected(&app).await;
        assert_eq!(expected.len(), 3);
        assert_eq!(shown(&browser).await, expected);
        let address = browser.address().await;
        assert!(!address.contains("tz="), "a cookie says it: {address}");
        // Sent again with something else, the form keeps the period.
        browser.filter("action", "document.*").await;
        assert_eq!(shown(&browser).await.len(), 2);
        browser.picture(&format!("viewer-period-{scripts:?}")).await;
        end(&app.audit).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_takes_the_zone_along_where_the_page_may_set_no_cookie() {
    let Some(browser) = Browser::start(Scripts::On).await else {
        return;
    };
    let app = App::with_history().await;
    let refuse =
        "Object.defineProperty(Document.prototype, 'cookie', {get: () => '', set: () => {}})";
    browser.run_first(refuse).await;
    browser.sign_in(&app.service.url, "admin").await;
    browser.follow(".periods a[href*='range=custom']").await;
    write(&browser, BERLIN).await;
    assert_eq!(shown(&browser).await, expected(&app).await);
    let address = browser.address().await;
    assert!(address.contains("tz=Europe%2FBerlin"), "{address}");
    browser.filter("action", "document.*").await;
    assert_eq!(shown(&browser).await.len(), 2);
    end(&app.audit).await;
}
