//! A record full of script, markup, bidi marks and formulas, shown by every address.

use serde_json::json;

use super::{Place, addresses, get};
use crate::support::batches::{id, record};

/// What a browser, a terminal or a spreadsheet must not take for its own.
const PLANTED: [&str; 5] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(2)>",
    "'-alert(3)-'\u{202e}gnp.exe\u{2066}",
    "javascript:alert(4)//</textarea></title></style>",
    "=HYPERLINK(\"http://evil.example\")\u{1b}[2J\u{0}",
];

async fn place() -> Place {
    let mut place = Place::new();
    let planted = PLANTED.concat();
    let more = json!({
        "category": planted, "outcome": "success", "reason": planted,
        "actor": {"type": "user", "id": planted, "name": planted, "email": planted},
        "targets": [{"type": planted, "id": planted, "name": planted}],
        "tenant": {"id": planted}, "application": {"id": planted, "name": planted},
        "context": {"ip_address": planted, "user_agent": planted, "request_id": "r", "session_id": planted},
        "changes": [{"field": planted, "previous": planted, "current": {planted.as_str(): planted}}],
        "details": {planted.as_str(): [planted, {planted.as_str(): planted}]},
    });
    let more = more.to_string();
    let inner = more.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
    let records = [3, 4].map(|number| record(number, "user.login", format!(",{inner}")));
    place.put(1, records.into()).await;
    place
}

#[tokio::test]
async fn a_planted_record_is_harmless_on_every_page() {
    let place = place().await;
    let viewer = place.viewer().await;
    let planted = PLANTED.concat();
    let encoded: String = form(&planted);
    let mut paths = addresses(&id(3).to_string());
    paths.retain(|path| {
        !path.contains("/api/") && !path.contains("export?") && !path.contains("live")
    });
    paths.push(format!("/audit/actors/{encoded}?range=all"));
    for name in [
        "q", "actor", "target", "tenant", "ip", "colour", "lang", "tz", "from",
    ] {
        paths.push(format!("/audit/?range=all&{name}={encoded}"));
    }
    let mut shown = 0;
    for path in paths {
        let page = get(&viewer, &path).await;
        assert!(
            page.header("content-type").starts_with("text/html"),
            "{path}"
        );
        let text = page.text();
        shown += usize::from(text.contains("&lt;script&gt;"));
        // The page's own script is a file.
        for wrong in ["<script>", "<img", "onerror=alert(2)>", "</textarea>"] {
            assert!(!text.contains(wrong), "{path}: {wrong:?}");
        }
        // Values in attributes are exact, so that a form asks for what it shows.
        let shown: String = text
            .split('<')
            .filter_map(|part| Some(part.split_once('>')?.1))
            .collect();
        for wrong in ['\u{202e}', '\u{2066}', '\u{1b}', '\u{0}'] {
            assert!(!shown.contains(wrong), "{path}: {wrong:?}");
        }
        for link in text.split(" href=\"").skip(1) {
            let is_own = ["/audit", "#"].iter().any(|own| link.starts_with(own));
            assert!(is_own, "{path}: {link:.60}");
        }
    }
    assert!(shown > 8, "the planted text is shown, as text: {shown}");
}

#[tokio::test]
async fn programs_get_the_planted_record_as_it_is_and_never_as_a_page() {
    let place = place().await;
    let viewer = place.viewer().await;
    for path in [
        "/audit/api/records?range=all".to_owned(),
        format!("/audit/api/records/{}", id(3)),
    ] {
        let answer = get(&viewer, &path).await;
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        answer.json();
    }
    let csv = get(&viewer, "/audit/export?format=csv&range=all").await;
    assert!(
        csv.header("content-disposition")
            .starts_with("attachment; filename=\"audit-")
    );
    for line in csv.text().lines() {
        for cell in line.split(',') {
            assert!(
                !cell.starts_with('=') && !cell.starts_with("\"="),
                "{cell:.40}"
            );
        }
    }
}

/// Percent-encoded, every byte.
fn form(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn address(number: u64) -> String {
    format!("/audit/records/{}", id(number))
}

#[tokio::test]
async fn the_link_to_all_of_a_target_finds_it_whatever_its_type_holds() {
    for (kind, id) in [
        ("urn:doc", "4cq"),
        ("a\\:b", "x:y"),
        ("*", "7"),
        ("doc", "*"),
        ("doc", "\\7&q=1"),
    ] {
        let mut place = Place::new();
        let target = json!([{"type": kind, "id": id}]);
        let more = format!(r#","outcome":"success","targets":{target}"#);
        place.put(1, vec![record(3, "a.b", &more)]).await;
        let others = json!([{"type": "other", "id": "other"}]);
        let more = format!(r#","outcome":"success","targets":{others}"#);
        place.put(2, vec![record(4, "a.b", &more)]).await;
        let viewer = place.viewer().await;
        let opened = address(3);
        let page = get(&viewer, &opened).await;
        let links = page.text().split("href=\"").skip(1);
        let mut links = links.map(|rest| rest.split('"').next().unwrap());
        let link = links.find(|link| link.contains("target=")).unwrap();
        let found = get(&viewer, &link.replace("&amp;", "&")).await;
        assert_eq!(found.status, http::StatusCode::OK, "{link}");
        assert!(found.text().contains(&opened), "{kind} {id}: {link}");
        assert!(!found.text().contains(&address(4)), "{kind} {id}");
    }
}
