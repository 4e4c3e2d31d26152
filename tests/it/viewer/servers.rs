//! The viewer on databases that are servers.

use http::StatusCode;
use tower_audit::{sink, store::Store, testing::FixedClock, viewer::Viewer};

use super::{bad_input::all_say_that_it_is_gone, get, get_as, now, who};
use crate::support::{
    batches::{batch, id, origin, plain, record},
    services,
};

async fn viewer(address: &str) -> Viewer {
    let store = Store::open(address).await.unwrap();
    let builder = Viewer::builder(store, |parts| async move { who(&parts) });
    let builder = builder.path("/audit").clock(FixedClock::at(now()));
    builder.build().unwrap()
}

// Traps Q7, Q8: a server that dies is never an empty list, and a reach holds on every database.
#[tokio::test]
async fn a_server_that_is_killed_is_503_everywhere_and_a_reach_holds_on_it() {
    for (name, key) in [("postgres", "POSTGRES_URL"), ("mariadb", "MARIADB_URL")] {
        let Some(instance) = services::private(name) else {
            continue;
        };
        let address = instance.get(key);
        let of = |tenant: &str| format!(r#","outcome":"success","tenant":{{"id":"{tenant}"}}"#);
        let mut records = plain(&origin(1), 0..10).records;
        records.push(record(20, "secret.b", of("B")));
        records.push(record(21, "own.a", of("A")));
        let mut sink = sink::url::parse(&address).unwrap();
        sink.deliver(&batch(&origin(1), records)).await.unwrap();
        sink.close().await.unwrap();
        let viewer = viewer(&address).await;
        for path in [
            "/",
            "/api/records",
            "/api/facets",
            "/api/histogram",
            "/export?format=jsonl",
        ] {
            let all = get(&viewer, &format!("/audit{path}")).await;
            let own = get_as(&viewer, "tenant A", &format!("/audit{path}")).await;
            assert_eq!(
                (all.status, own.status),
                (StatusCode::OK, StatusCode::OK),
                "{name} {path}"
            );
            assert!(!own.text().contains("secret"), "{name} {path}");
        }
        let foreign = format!("/audit/api/records/{}", id(20));
        assert_eq!(
            get(&viewer, &foreign).await.status,
            StatusCode::OK,
            "{name}"
        );
        let foreign = get_as(&viewer, "tenant A", &foreign).await;
        assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{name}");
        instance.kill();
        all_say_that_it_is_gone(&viewer).await;
        instance.start();
        assert_eq!(
            get(&viewer, "/audit/").await.status,
            StatusCode::OK,
            "{name}"
        );
        instance.kill();
    }
}
