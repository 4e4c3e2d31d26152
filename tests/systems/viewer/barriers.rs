//! The pages that say no, and the one that lets people in: nobody finds a barrier in them either.

use std::fs;

use axum::{Router, http::StatusCode, response::Html, routing::get};

use super::app::App;
use crate::support::{
    browser::{Browser, Scripts},
    service::{Service, end},
};

/// As the demo has it; examples are no part of this program.
#[path = "../../../examples/demo/sign_in_page.rs"]
mod sign_in_page;

/// Opens a page that says this status, and looks for barriers.
async fn says_no(browser: &Browser, address: &str, status: StatusCode) {
    browser.open(address).await;
    let page = status.as_str();
    assert_eq!(browser.texts("p.status").await, [page], "{address}");
    browser.picture(&format!("viewer-failure-{page}")).await;
    browser.has_no_barriers(page).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_finds_a_barrier_where_the_viewer_says_no() {
    let Some(browser) = Browser::start(Scripts::On).await else {
        return;
    };
    let app = App::with_history().await;
    let viewer = format!("{}/audit/", app.service.url);
    says_no(&browser, &viewer, StatusCode::FORBIDDEN).await;
    browser.sign_in(&app.service.url, "admin").await;

    let bad = format!("{viewer}?outcome=perhaps");
    says_no(&browser, &bad, StatusCode::BAD_REQUEST).await;
    let none = format!("{viewer}records/00000000-0000-7000-8000-000000000000");
    says_no(&browser, &none, StatusCode::NOT_FOUND).await;
    // The store is gone for a while; it is delivered to again before the trail ends.
    let (file, away) = (
        app.folder.path().join("audit.db"),
        app.folder.path().join("away.db"),
    );
    fs::rename(&file, &away).unwrap();
    says_no(&browser, &viewer, StatusCode::SERVICE_UNAVAILABLE).await;
    fs::rename(&away, &file).unwrap();
    end(&app.audit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_finds_a_barrier_where_the_demo_lets_people_in() {
    let Some(browser) = Browser::start(Scripts::On).await else {
        return;
    };
    let refused = || async { (StatusCode::UNAUTHORIZED, Html(sign_in_page::refused())) };
    let pages = Router::new()
        .route("/sign-in", get(Html(sign_in_page::EMPTY)))
        .route("/refused", get(refused));
    let service = Service::start(pages).await;
    for (page, alerts) in [("sign-in", 0), ("refused", 1)] {
        browser.open(&format!("{}/{page}", service.url)).await;
        assert_eq!(browser.count("[role=alert]").await, alerts);
        browser.picture(&format!("demo-{page}")).await;
        browser.has_no_barriers(page).await;
    }
}
