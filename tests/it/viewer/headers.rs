//! The headers of every answer, methods, and the path it is mounted under.

use http::{Method, StatusCode};
use tower_audit::viewer::{Viewer, ViewerError};

use super::{Place, addresses, asking, get, told};
use crate::support::batches::id;

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_a_page_harmless() {
    let place = Place::plain().await;
    let viewer = place.built(|builder| builder.destinations(Vec::new)).await;
    let mut paths = addresses(&id(3).to_string());
    paths.extend(["/audit/assets/viewer.css", "/audit/no/such", "/audit/?x=1"].map(str::to_owned));
    paths.extend(["/audit/api/no", "/audit/api/records?x=1"].map(str::to_owned));
    for path in paths {
        for reader in [Some("all"), None] {
            let headers = reader.map(|reader| ("x-reader", reader));
            let mut request = asking(&path, headers.as_slice());
            *request.method_mut() = Method::HEAD;
            let answer = told(&viewer, request).await;
            for (name, expected) in [
                ("content-security-policy", POLICY),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
            ] {
                assert_eq!(answer.header(name), expected, "{path}: {name}");
            }
            let is_asset = path.contains("/assets/");
            let caching = if is_asset { "no-cache" } else { "no-store" };
            assert_eq!(answer.header("cache-control"), caching, "{path}");
            assert!(!answer.header("content-type").is_empty(), "{path}");
            assert_eq!(answer.body.len(), 0, "{path}: only the head was asked for");
        }
    }
}

#[tokio::test]
async fn only_get_and_head_are_answered() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    for path in addresses(&id(3).to_string()) {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let mut request = asking(&path, &[("x-reader", "all")]);
            *request.method_mut() = method.clone();
            let answer = told(&viewer, request).await;
            assert_eq!(
                answer.status,
                StatusCode::METHOD_NOT_ALLOWED,
                "{method} {path}"
            );
            assert_eq!(answer.header("allow"), "GET, HEAD");
        }
    }
}

#[tokio::test]
async fn files_are_everybodys_and_kept_for_ever_under_the_name_of_their_content() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    let page = get(&viewer, "/audit/").await;
    for name in ["viewer.css", "viewer.js", "viewer.svg"] {
        let start = page
            .text()
            .find(&format!("/audit/assets/{name}?v="))
            .unwrap();
        let address: String = page.text()[start..]
            .chars()
            .take_while(|&c| c != '"')
            .collect();
        let file = told(&viewer, asking(&address, &[])).await;
        assert_eq!(file.status, StatusCode::OK);
        assert_eq!(
            file.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
        let tag = file.header("etag").to_owned();
        assert!(address.ends_with(tag.trim_matches('"')), "{address} {tag}");
        let again = told(&viewer, asking(&address, &[("if-none-match", &tag)])).await;
        assert_eq!(
            (again.status, again.body.len()),
            (StatusCode::NOT_MODIFIED, 0)
        );
        // Of another version, as a page has it that was open while the service was renewed.
        let old = told(&viewer, asking(&format!("/audit/assets/{name}?v=old"), &[])).await;
        assert_eq!(
            (old.status, old.header("cache-control")),
            (StatusCode::OK, "no-cache")
        );
    }
    let nothing = told(
        &viewer,
        asking("/audit/assets/secret", &[("x-reader", "all")]),
    )
    .await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn it_answers_with_the_path_or_with_the_path_stripped_and_links_with_it() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    let own = get(&viewer, "/audit").await;
    let stripped = get(&viewer, "/").await;
    assert_eq!((own.status, &own.body), (StatusCode::OK, &stripped.body));
    for link in own.text().split("href=\"").skip(1) {
        let is_own = ["/audit", "#"].iter().any(|own| link.starts_with(own));
        assert!(is_own, "{link:.40}");
    }
    let whole = place.built(|builder| builder.path("")).await;
    assert_eq!(get(&whole, "/api/records").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_may_show_it_in_a_frame_is_said_and_what_is_wrong_is_refused_when_it_is_built() {
    let place = Place::plain().await;
    let viewer = place
        .built(|builder| builder.frame_ancestor("https://admin.example.com"))
        .await;
    let answer = get(&viewer, "/audit/").await;
    let policy = answer.header("content-security-policy");
    assert!(
        policy.ends_with("; frame-ancestors https://admin.example.com"),
        "{policy}"
    );
    let store = place.store().await;
    let builder = || Viewer::builder(store.clone(), |parts| async move { super::who(&parts) });
    for (wrong, expected) in [
        (builder().path("/api").build(), "path"),
        (builder().path("audit").build(), "path"),
        (builder().sign_in("javascript:alert(1)").build(), "sign in"),
        (builder().frame_ancestor("*; script-src *").build(), "frame"),
    ] {
        let kind = match wrong.unwrap_err() {
            ViewerError::Path { .. } => "path",
            ViewerError::SignIn { .. } => "sign in",
            ViewerError::Frame { .. } => "frame",
            other => panic!("{other:?}"),
        };
        assert_eq!(kind, expected);
    }
}
