//! The way of somebody who has no mouse: past the head, through the filters, to a record.

use fantoccini::key::Key;

use super::app::App;
use crate::support::{
    browser::{Browser, Scripts},
    service::end,
};

/// The most stops between the head of a page and its first record.
const STOPS: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_found_and_opened_with_the_keyboard_alone() {
    let Some(browser) = Browser::start(Scripts::On).await else {
        return;
    };
    let app = App::with_history().await;
    browser.sign_in(&app.service.url, "admin").await;
    browser.open(&format!("{}/audit/", app.service.url)).await;

    // The first stop leads past everything that is on every page.
    browser.press(Key::Tab).await;
    let skip = browser.focus().await;
    assert_eq!(
        (&*skip.name, skip.is_in_sight),
        ("a.skip", true),
        "{skip:?}"
    );
    assert!(skip.ring >= 2.0, "{skip:?}");
    browser.picture("viewer-keyboard-1-skip").await;
    browser.press(Key::Enter).await;
    let main = browser.focus().await;
    assert!(main.name.starts_with("main"), "{main:?}");

    let mut stops = Vec::new();
    let row = loop {
        browser.press(Key::Tab).await;
        let stop = browser.focus().await;
        assert!(stop.ring >= 2.0, "nobody sees where they are: {stop:?}");
        assert!(stop.is_in_sight, "{stop:?}");
        assert!(
            !stop.name.starts_with("a.brand"),
            "the head again: {stops:#?}"
        );
        if stop.name == "a.row" {
            break stop;
        }
        stops.push(stop);
        assert!(stops.len() < STOPS, "{stops:#?}");
    };
    // Nothing that can be clicked is left out on the way.
    for name in [
        "a.button.live-start",
        "a.button.refresh",
        "input",
        "select",
        "summary",
    ] {
        let met = stops.iter().any(|stop| stop.name == name);
        assert!(met, "{name}: {stops:#?}");
    }
    let rows = browser.rows().await;
    assert_eq!(row.row.as_deref(), Some(&*rows[0].id));
    browser.picture("viewer-keyboard-2-row").await;

    browser.press(Key::Enter).await;
    browser
        .until("the record is open", async || {
            browser.address().await.contains(&rows[0].id)
        })
        .await;
    browser.find("footer.foot").await;
    assert_eq!(browser.texts("h1").await, [&*rows[0].action]);
    end(&app.audit).await;
}
