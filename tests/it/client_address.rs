//! The client of a request, through the layer: what is believed, and what is written.

use std::{convert::Infallible, net::IpAddr};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Request, Response},
};
use tower::{Layer, ServiceExt, service_fn};
use tower_audit::{
    AuditScope, HashKey, Policy, Purpose, Record, assert_recorded,
    capture::{AuditLayer, ClientAddress, TrustedProxies},
    policy::{AddressForm, Rule},
    testing::TestTrail,
};

const XFF: &str = "x-forwarded-for";
const PROXY: &str = "10.0.0.1";
const STRANGER: &str = "198.51.100.9";

fn trusted() -> TrustedProxies {
    TrustedProxies::parse("10.0.0.0/8").unwrap()
}

/// Sends one request that is recorded, and gives its record.
async fn recorded(
    trail: &TestTrail,
    configure: impl FnOnce(AuditLayer) -> AuditLayer,
    peer: &str,
    lines: &[(&'static str, &[u8])],
) -> Record {
    let mut request = Request::new(Body::empty());
    request
        .extensions_mut()
        .insert(peer.parse::<IpAddr>().unwrap());
    for (name, value) in lines {
        let name = HeaderName::from_static(name);
        request
            .headers_mut()
            .append(name, HeaderValue::from_bytes(value).unwrap());
    }
    let layer = trail
        .audit()
        .layer()
        .peer(|parts| parts.extensions.get().copied());
    let service = configure(layer).layer(service_fn(|request: Request<Body>| async move {
        request
            .extensions()
            .get::<AuditScope>()
            .unwrap()
            .action("document.view");
        Ok::<_, Infallible>(Response::new(Body::empty()))
    }));
    service.oneshot(request).await.unwrap();
    trail.records().pop().unwrap()
}

fn behind(layer: AuditLayer) -> AuditLayer {
    layer.client_address(ClientAddress::behind(trusted()))
}

// Trap C13.
#[tokio::test]
async fn a_forged_header_of_a_stranger_changes_nothing() {
    let trail = TestTrail::start();
    let record = recorded(&trail, behind, STRANGER, &[(XFF, b"192.0.2.1, 10.0.0.2")]).await;
    assert_eq!(record.context.ip_address.as_deref(), Some(STRANGER));
    assert_eq!(record.context.peer_address.as_deref(), Some(STRANGER));
    assert_eq!(record.context.forwarded, ["192.0.2.1", "10.0.0.2"]);
}

#[tokio::test]
async fn peer_client_and_chain_are_kept_apart() {
    let trail = TestTrail::start();
    let lines: &[(_, &[u8])] = &[(XFF, b"1.1.1.1"), (XFF, b"192.0.2.1, 10.0.0.2")];
    recorded(&trail, behind, PROXY, lines).await;
    assert_recorded!(trail, {"context": {
        "ip_address": "192.0.2.1", "peer_address": "10.0.0.1", "forwarded": ["1.1.1.1", "192.0.2.1", "10.0.0.2"]
    }});
}

#[tokio::test]
async fn unless_told_otherwise_the_peer_is_the_client() {
    let trail = TestTrail::start();
    let record = recorded(&trail, |layer| layer, PROXY, &[(XFF, b"192.0.2.1")]).await;
    assert_eq!(record.context.ip_address.as_deref(), Some(PROXY));
    assert!(record.context.forwarded.is_empty(), "{record:?}");
}

// Trap C15.
#[tokio::test]
async fn a_thousand_entries_are_recorded_capped_and_marked() {
    let trail = TestTrail::start();
    let thousand = format!("1.1.1.1{}, 192.0.2.1", ", 2.2.2.2".repeat(1000));
    let record = recorded(&trail, behind, PROXY, &[(XFF, thousand.as_bytes())]).await;
    assert_eq!(record.context.ip_address.as_deref(), Some("192.0.2.1"));
    assert_eq!(record.context.forwarded.len(), 16);
    assert_eq!(record.context.forwarded[15], "192.0.2.1");
    assert!(
        record.truncated.contains_key("context.forwarded"),
        "{record:?}"
    );
}

// Trap C15: what is not text does not cost the record.
#[tokio::test]
async fn bytes_that_are_not_utf_8_are_recorded_and_believed_by_nobody() {
    let trail = TestTrail::start();
    let lines: &[(_, &[u8])] = &[
        (XFF, b"192.0.2.1, \xff\xfe"),
        ("user-agent", b"\xff"),
        ("x-request-id", b"\xfe"),
    ];
    let record = recorded(&trail, behind, PROXY, lines).await;
    assert_eq!(record.context.ip_address.as_deref(), Some(PROXY));
    assert_eq!(record.context.user_agent.as_deref(), Some("\u{fffd}"));
    assert_eq!(record.context.request_id.as_deref(), Some("\u{fffd}"));
}

#[tokio::test]
async fn a_rule_shortens_hashes_or_drops_every_address() {
    let key = || HashKey::new("k1", &[7; 32]);
    let hash = |address: &str| key().hash(Purpose::Address, address.as_bytes()).to_string();
    let (client, peer) = ("192.0.2.1", PROXY);
    let cases = [
        (
            AddressForm::Full,
            Some(client.to_owned()),
            Some(peer.to_owned()),
        ),
        (
            AddressForm::Shortened,
            Some("192.0.2.0/24".into()),
            Some("10.0.0.0/24".into()),
        ),
        (AddressForm::Hashed, Some(hash(client)), Some(hash(peer))),
        (AddressForm::Off, None, None),
    ];
    for (form, client, peer) in cases {
        let rule = Rule::new("all").address(form);
        let trail =
            TestTrail::with(|builder| builder.hash_key(key()).policy(Policy::default().rule(rule)));
        let record = recorded(&trail, behind, PROXY, &[(XFF, b"192.0.2.1")]).await;
        let context = &record.context;
        assert_eq!(context.ip_address.as_deref(), client.as_deref(), "{form:?}");
        assert_eq!(context.peer_address.as_deref(), peer.as_deref(), "{form:?}");
        let claimed: Vec<_> = context.forwarded.iter().map(ToString::to_string).collect();
        assert_eq!(claimed, client.into_iter().collect::<Vec<_>>(), "{form:?}");
    }
}

#[tokio::test]
async fn trace_and_request_ids_are_recorded() {
    let trail = TestTrail::start();
    let lines: &[(_, &[u8])] = &[
        ("x-request-id", b"r-1"),
        (
            "traceparent",
            b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
    ];
    recorded(&trail, |layer| layer, STRANGER, lines).await;
    assert_recorded!(trail, {"context": {
        "request_id": "r-1", "trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"
    }});
}

#[tokio::test]
async fn the_id_that_a_layer_inside_made_is_taken_from_the_response() {
    for (own, expected) in [(None, "made"), (Some("own"), "own")] {
        let trail = TestTrail::start();
        let mut request = Request::new(Body::empty());
        let own = own.map(|id| {
            (
                HeaderName::from_static("x-id"),
                HeaderValue::from_static(id),
            )
        });
        request.headers_mut().extend(own);
        let layer = trail
            .audit()
            .layer()
            .request_id(HeaderName::from_static("x-id"));
        let service = layer.layer(service_fn(|request: Request<Body>| async move {
            request
                .extensions()
                .get::<AuditScope>()
                .unwrap()
                .action("a.b");
            let response = Response::builder().header("x-id", "made");
            Ok::<_, Infallible>(response.body(Body::empty()).unwrap())
        }));
        service.oneshot(request).await.unwrap();
        let record = trail.records().pop().unwrap();
        assert_eq!(record.context.request_id.as_deref(), Some(expected));
    }
}

#[test]
fn the_same_client_can_be_found_without_the_layer() {
    let mut headers = HeaderMap::new();
    headers.insert(
        "forwarded",
        HeaderValue::from_static("for=192.0.2.43, for=\"[2001:db8::17]:47011\""),
    );
    let address = ClientAddress::behind(trusted()).forwarded();
    let found = address.find(PROXY.parse().ok(), &headers);
    assert_eq!(found, "2001:db8::17".parse().ok());
    assert_eq!(address.find(None, &headers), None);
}
