//! What a client sends never changes which address a trusted proxy's own entry names.

#![no_main]

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use tower_audit::capture::{ClientAddress, TrustedProxies};

const PROXY: [u8; 4] = [10, 0, 0, 1];
const CLIENT: [u8; 4] = [192, 0, 2, 77];

fuzz_target!(|data: &[u8]| {
    let behind = ClientAddress::behind(TrustedProxies::private());
    for (address, name, appended) in [
        (behind.clone(), "x-forwarded-for", "192.0.2.77"),
        (behind.clone().forwarded(), "forwarded", "for=192.0.2.77"),
        (
            behind.header(HeaderName::from_static("x-real-ip")),
            "x-real-ip",
            "192.0.2.77",
        ),
    ] {
        let mut lines: Vec<Vec<u8>> = data
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        let forged = find(&address, name, &lines, PROXY);
        assert!(forged.is_some());
        let stranger = find(&address, name, &lines, CLIENT);
        assert_eq!(stranger, Some(CLIENT.into()), "a stranger's header counted");

        if let Some(last) = lines.last_mut() {
            last.extend(format!(", {appended}").bytes());
        }
        if lines
            .iter()
            .all(|line| HeaderValue::from_bytes(line).is_ok())
        {
            let found = find(&address, name, &lines, PROXY);
            assert_eq!(found, Some(CLIENT.into()), "{name}");
        }
    }
});

fn find(
    address: &ClientAddress,
    name: &'static str,
    lines: &[Vec<u8>],
    peer: [u8; 4],
) -> Option<IpAddr> {
    let mut headers = HeaderMap::new();
    for line in lines {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(name, value);
        }
    }
    address.find(Some(peer.into()), &headers)
}
