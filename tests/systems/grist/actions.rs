//! All of Grist's actions: from a handler through the layer to both destinations, and onto the page
//! that tells what there is.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::Value;

use super::{
    deeds, service,
    stage::{Stage, USER},
};
use crate::support::service::end;

/// How many actions Grist has.
const ACTIONS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn each_of_the_forty_actions_arrives_with_the_details_that_it_has_there() {
    let stage = Stage::of(deeds::catalogue(), |audit| {
        service::audited(deeds::router(), audit)
    })
    .await;
    // Grist: `resource.verb`, 40 of them, each with details of its own type.
    let deeds = deeds::all();
    for deed in &deeds {
        let path = deed.path();
        let sent = stage.service.send(deed.method(), &path, &USER, Value::Null);
        assert_eq!(sent.await.status, StatusCode::OK, "{path}");
    }
    stage.both_have(ACTIONS).await;
    let events: BTreeMap<String, Value> = stage
        .events()
        .into_iter()
        .map(|event| (event["action"].as_str().unwrap().to_owned(), event))
        .collect();
    assert_eq!(events.len(), ACTIONS);
    for deed in &deeds {
        let event = &events[deed.action];
        assert_eq!(event["details"], deed.told, "{}", deed.action);
        assert_eq!(event["actor"]["user"]["id"], 146, "{}", deed.action);
    }
    end(&stage.audit).await;
}

#[test]
fn the_reference_page_of_all_events_is_made_from_the_code() {
    // Grist: the page of all events, with what each means, is generated.
    let catalogue = deeds::catalogue();
    assert_eq!(catalogue.iter().len(), ACTIONS);
    let page = catalogue.to_markdown();
    for deed in deeds::all() {
        let declared = catalogue.get(deed.action).unwrap();
        let description = declared.description.as_deref().unwrap();
        let route = format!("{} {}", deed.method(), deed.path());
        for part in [deed.action, description, &route] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
