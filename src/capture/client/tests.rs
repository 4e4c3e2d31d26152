//! The table of trap C13, and what must hold for any header.

// Long: one table of cases.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

/// Which header counts.
#[derive(Debug, Clone, Copy)]
enum Reads {
    Nothing,
    XForwardedFor,
    Forwarded,
    /// `CF-Connecting-IP`.
    One,
}

use Reads::{Forwarded, Nothing, One, XForwardedFor};

/// Trusted in every case.
const TRUSTED: &str = "10.0.0.0/8, 2001:db8:f::/48, fe80::1";

/// Name, peer, header lines, what is read, the client, the claimed chain.
type Case = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static [u8])],
    Reads,
    &'static str,
    &'static [&'static str],
);

const XFF: &str = "x-forwarded-for";
const FWD: &str = "forwarded";
const CF: &str = "cf-connecting-ip";

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("nothing is configured", "10.0.0.1", &[(XFF, b"192.0.2.1"), (FWD, b"for=192.0.2.1")], Nothing, "10.0.0.1", &[]),
    ("no header", "10.0.0.1", &[], XForwardedFor, "10.0.0.1", &[]),
    ("no peer", "", &[(XFF, b"192.0.2.1")], XForwardedFor, "", &["192.0.2.1"]),
    ("untrusted peer", "198.51.100.9", &[(XFF, b"192.0.2.1")], XForwardedFor, "198.51.100.9", &["192.0.2.1"]),
    ("untrusted peer claims a proxy", "198.51.100.9", &[(XFF, b"192.0.2.1, 10.0.0.2")], XForwardedFor, "198.51.100.9", &["192.0.2.1", "10.0.0.2"]),
    ("one entry", "10.0.0.1", &[(XFF, b"192.0.2.1")], XForwardedFor, "192.0.2.1", &["192.0.2.1"]),
    ("leftmost is forged", "10.0.0.1", &[(XFF, b"1.1.1.1, 192.0.2.1")], XForwardedFor, "192.0.2.1", &["1.1.1.1", "192.0.2.1"]),
    ("forged to look trusted", "10.0.0.1", &[(XFF, b"10.9.9.9, 192.0.2.1")], XForwardedFor, "192.0.2.1", &["10.9.9.9", "192.0.2.1"]),
    ("two proxies", "10.0.0.1", &[(XFF, b"1.1.1.1, 192.0.2.1, 10.0.0.2")], XForwardedFor, "192.0.2.1", &["1.1.1.1", "192.0.2.1", "10.0.0.2"]),
    ("all trusted: leftmost", "10.0.0.1", &[(XFF, b"10.0.0.4, 10.0.0.3, 10.0.0.2")], XForwardedFor, "10.0.0.4", &["10.0.0.4", "10.0.0.3", "10.0.0.2"]),
    ("many lines are one list", "10.0.0.1", &[(XFF, b"1.1.1.1"), (XFF, b"192.0.2.1"), (XFF, b"10.0.0.2")], XForwardedFor, "192.0.2.1", &["1.1.1.1", "192.0.2.1", "10.0.0.2"]),
    ("the last line is the nearest", "10.0.0.1", &[(XFF, b"1.1.1.1, 10.0.0.5"), (XFF, b"192.0.2.1")], XForwardedFor, "192.0.2.1", &["1.1.1.1", "10.0.0.5", "192.0.2.1"]),
    ("port", "10.0.0.1", &[(XFF, b"192.0.2.1:4711")], XForwardedFor, "192.0.2.1", &["192.0.2.1"]),
    ("proxy with port", "10.0.0.1", &[(XFF, b"192.0.2.1:4711, 10.0.0.2:80")], XForwardedFor, "192.0.2.1", &["192.0.2.1", "10.0.0.2"]),
    ("IPv6", "10.0.0.1", &[(XFF, b"2001:DB8::1")], XForwardedFor, "2001:db8::1", &["2001:db8::1"]),
    ("IPv6 in brackets", "10.0.0.1", &[(XFF, b"[2001:db8::1]")], XForwardedFor, "2001:db8::1", &["2001:db8::1"]),
    ("IPv6 with port", "10.0.0.1", &[(XFF, b"[2001:db8::1]:4711")], XForwardedFor, "2001:db8::1", &["2001:db8::1"]),
    ("IPv6 proxy", "2001:db8:f::1", &[(XFF, b"192.0.2.1, 2001:db8:f::2")], XForwardedFor, "192.0.2.1", &["192.0.2.1", "2001:db8:f::2"]),
    ("zone", "10.0.0.1", &[(XFF, b"fe80::7%eth0")], XForwardedFor, "fe80::7", &["fe80::7"]),
    ("trusted address with a zone", "10.0.0.1", &[(XFF, b"192.0.2.1, [fe80::1%25eth0]:80")], XForwardedFor, "192.0.2.1", &["192.0.2.1", "fe80::1"]),
    ("mapped peer", "::ffff:10.0.0.1", &[(XFF, b"192.0.2.1")], XForwardedFor, "192.0.2.1", &["192.0.2.1"]),
    ("mapped client", "10.0.0.1", &[(XFF, b"::ffff:192.0.2.1")], XForwardedFor, "192.0.2.1", &["192.0.2.1"]),
    ("mapped proxy", "10.0.0.1", &[(XFF, b"192.0.2.1, [::ffff:10.0.0.2]:80")], XForwardedFor, "192.0.2.1", &["192.0.2.1", "10.0.0.2"]),
    ("mapped stranger", "::ffff:198.51.100.9", &[(XFF, b"192.0.2.1")], XForwardedFor, "198.51.100.9", &["192.0.2.1"]),
    ("white space", "10.0.0.1", &[(XFF, b"\t1.1.1.1 ,192.0.2.1\t,  10.0.0.2 ")], XForwardedFor, "192.0.2.1", &["1.1.1.1", "192.0.2.1", "10.0.0.2"]),
    ("empty members", "10.0.0.1", &[(XFF, b",1.1.1.1,, 192.0.2.1, ,10.0.0.2,"), (XFF, b""), (XFF, b" , ")], XForwardedFor, "192.0.2.1", &["1.1.1.1", "192.0.2.1", "10.0.0.2"]),
    ("unknown", "10.0.0.1", &[(XFF, b"1.1.1.1, unknown")], XForwardedFor, "10.0.0.1", &["1.1.1.1", "unknown"]),
    ("unknown behind two proxies", "10.0.0.1", &[(XFF, b"1.1.1.1, unknown, 10.0.0.2")], XForwardedFor, "10.0.0.2", &["1.1.1.1", "unknown", "10.0.0.2"]),
    ("garbage left of the client", "10.0.0.1", &[(XFF, b"<script>, 192.0.2.1")], XForwardedFor, "192.0.2.1", &["<script>", "192.0.2.1"]),
    ("garbage", "10.0.0.1", &[(XFF, b"192.0.2.1, 10.0.0.256")], XForwardedFor, "10.0.0.1", &["192.0.2.1", "10.0.0.256"]),
    ("quotes mean nothing here", "10.0.0.1", &[(XFF, b"\"192.0.2.1\"")], XForwardedFor, "10.0.0.1", &["\"192.0.2.1\""]),
    ("not UTF-8", "10.0.0.1", &[(XFF, b"1.1.1.1, \xff\xfe")], XForwardedFor, "10.0.0.1", &["1.1.1.1", "\u{fffd}\u{fffd}"]),
    ("not UTF-8 left of the client", "10.0.0.1", &[(XFF, b"\xff, 192.0.2.1")], XForwardedFor, "192.0.2.1", &["\u{fffd}", "192.0.2.1"]),
    ("the other header is not read", "10.0.0.1", &[(FWD, b"for=192.0.2.1")], XForwardedFor, "10.0.0.1", &[]),
    // RFC 7239, sections 4 and 6.3, 7.1
    ("RFC: obfuscated", "10.0.0.1", &[(FWD, b"for=\"_gazonk\"")], Forwarded, "10.0.0.1", &["_gazonk"]),
    ("RFC: IPv6 with port", "10.0.0.1", &[(FWD, b"For=\"[2001:db8:cafe::17]:4711\"")], Forwarded, "2001:db8:cafe::17", &["2001:db8:cafe::17"]),
    ("RFC: all parameters", "10.0.0.1", &[(FWD, b"for=192.0.2.60;proto=http;by=203.0.113.43")], Forwarded, "192.0.2.60", &["192.0.2.60"]),
    ("RFC: two elements", "10.0.0.1", &[(FWD, b"for=192.0.2.43, for=198.51.100.17")], Forwarded, "198.51.100.17", &["192.0.2.43", "198.51.100.17"]),
    ("RFC: mixed case and lines", "10.0.0.1", &[(FWD, b"for=192.0.2.43,FoR=\"[2001:db8:f::17]\""), (FWD, b"FOR=10.0.0.9")], Forwarded, "192.0.2.43", &["192.0.2.43", "2001:db8:f::17", "10.0.0.9"]),
    ("RFC: unknown", "10.0.0.1", &[(FWD, b"for=192.0.2.43, for=unknown")], Forwarded, "10.0.0.1", &["192.0.2.43", "unknown"]),
    ("RFC: hidden, SEVKISEK", "10.0.0.1", &[(FWD, b"for=_hidden, for=_SEVKISEK, for=10.0.0.7")], Forwarded, "10.0.0.7", &["_hidden", "_SEVKISEK", "10.0.0.7"]),
    ("RFC: hidden port", "10.0.0.1", &[(FWD, b"for=\"192.0.2.43:_http\"")], Forwarded, "192.0.2.43", &["192.0.2.43"]),
    ("Forwarded: escapes", "10.0.0.1", &[(FWD, b"for=\"192\\.0.2\\.1\"")], Forwarded, "192.0.2.1", &["192.0.2.1"]),
    ("Forwarded: comma and semicolon in quotes", "10.0.0.1", &[(FWD, b"for=192.0.2.1;host=\"a,for=1.1.1.1;\\\"x\"")], Forwarded, "192.0.2.1", &["192.0.2.1"]),
    ("Forwarded: a quote that the client opened", "10.0.0.1", &[(FWD, b"for=\"1.1.1.1, for=192.0.2.1")], Forwarded, "192.0.2.1", &["for=\"1.1.1.1", "192.0.2.1"]),
    ("Forwarded: a quote over two lines", "10.0.0.1", &[(FWD, b"for=1.1.1.1;host=\"a"), (FWD, b"for=10.0.0.2, b\";for=9.9.9.9")], Forwarded, "10.0.0.1", &["for=1.1.1.1;host=\"a", "for=10.0.0.2, b\";for=9.9.9.9"]),
    ("Forwarded: without for", "10.0.0.1", &[(FWD, b"for=192.0.2.1, by=10.0.0.2;proto=https")], Forwarded, "10.0.0.1", &["192.0.2.1", "by=10.0.0.2;proto=https"]),
    ("Forwarded: for twice", "10.0.0.1", &[(FWD, b"for=192.0.2.1;for=1.1.1.1")], Forwarded, "10.0.0.1", &["for=192.0.2.1;for=1.1.1.1"]),
    ("Forwarded: unquoted port and brackets", "10.0.0.1", &[(FWD, b"for=[2001:db8::1]:4711, for=10.0.0.2:80")], Forwarded, "2001:db8::1", &["2001:db8::1", "10.0.0.2"]),
    ("Forwarded: untrusted peer", "198.51.100.9", &[(FWD, b"for=192.0.2.1")], Forwarded, "198.51.100.9", &["192.0.2.1"]),
    ("Forwarded: the other header is not read", "10.0.0.1", &[(XFF, b"192.0.2.1")], Forwarded, "10.0.0.1", &[]),
    ("one header", "10.0.0.1", &[(CF, b"192.0.2.1"), (XFF, b"1.1.1.1")], One, "192.0.2.1", &["192.0.2.1"]),
    ("one header: a trusted client", "10.0.0.1", &[(CF, b"10.0.0.7")], One, "10.0.0.7", &["10.0.0.7"]),
    ("one header: a list", "10.0.0.1", &[(CF, b"1.1.1.1, 10.0.0.7")], One, "10.0.0.7", &["10.0.0.7"]),
    ("one header: two lines", "10.0.0.1", &[(CF, b"1.1.1.1"), (CF, b"192.0.2.1")], One, "192.0.2.1", &["192.0.2.1"]),
    ("one header: garbage", "10.0.0.1", &[(CF, b"client")], One, "10.0.0.1", &["client"]),
    ("one header: untrusted peer", "198.51.100.9", &[(CF, b"192.0.2.1")], One, "198.51.100.9", &["192.0.2.1"]),
];

fn address(text: &str) -> Option<IpAddr> {
    (!text.is_empty()).then(|| text.parse().unwrap())
}

fn client_address(reads: Reads) -> ClientAddress {
    let behind = ClientAddress::behind(TrustedProxies::parse(TRUSTED).unwrap());
    match reads {
        Nothing => ClientAddress::default(),
        XForwardedFor => behind,
        Forwarded => behind.forwarded(),
        One => behind.header(HeaderName::from_static(CF)),
    }
}

fn headers<'a>(lines: impl IntoIterator<Item = (&'static str, &'a [u8])>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

fn resolve(reads: Reads, peer: &str, headers: &HeaderMap) -> Origins {
    let config = client_address(reads);
    config.resolve(address(peer), &config.take(headers))
}

fn chain(origins: &Origins) -> Vec<String> {
    let texts = origins.forwarded.iter().map(|entry| match entry {
        Entry::Address(address) => address.to_string(),
        Entry::Other(text) => text.clone(),
    });
    texts.collect()
}

// Trap C13: forged, many lines, ports, IPv6 and zones, hidden, quoted, all trusted, garbage.
#[test]
fn the_client_is_the_first_untrusted_address_from_the_right() {
    for &(name, peer, lines, reads, client, claimed) in CASES {
        let origins = resolve(reads, peer, &headers(lines.iter().copied()));
        assert_eq!(origins.client, address(client), "{name}");
        assert_eq!(chain(&origins), claimed, "{name}");
    }
    assert!(CASES.len() >= 40, "{}", CASES.len());
}

// Trap C15: a thousand entries, a megabyte.
#[test]
fn the_walk_is_bounded_whatever_is_sent() {
    let thousand = "10.0.0.9, ".repeat(1000);
    let megabyte = "x".repeat(1 << 20);
    let lines = vec![(XFF, &b"10.0.0.9"[..]); 1000];
    let half = format!("1{}10.0.0.9", " ".repeat(claimed::BYTES - 9) + ",");
    for (name, headers, entries) in [
        (
            "many entries",
            headers([(XFF, thousand.as_bytes())]),
            claimed::ENTRIES - 1,
        ),
        ("many lines", headers(lines), claimed::LINES),
        (
            "one long entry",
            headers([(XFF, megabyte.as_bytes()), (XFF, b"10.0.0.9")]),
            1,
        ),
        (
            "only commas",
            headers([
                (XFF, &b"192.0.2.1"[..]),
                (XFF, ",".repeat(1 << 20).as_bytes()),
            ]),
            0,
        ),
        (
            "an entry beyond the bytes",
            headers([(XFF, half.as_bytes())]),
            1,
        ),
    ] {
        let origins = resolve(XForwardedFor, "10.0.0.1", &headers);
        let client = if entries == 0 { "10.0.0.1" } else { "10.0.0.9" };
        assert_eq!(origins.client, address(client), "{name}");
        assert_eq!(origins.forwarded.len(), entries, "{name}");
    }
}

#[test]
fn nothing_is_allocated_for_a_request_with_one_line_or_none() {
    let config = client_address(XForwardedFor);
    for lines in [&[][..], &[(XFF, &b"192.0.2.1"[..])]] {
        let claimed = config.take(&headers(lines.iter().copied()));
        let shown = format!("{claimed:?}");
        assert!(shown.ends_with("before: [] }"), "{shown}");
    }
}

/// What a client may send: anything, and what looks nearly right.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "for=",
        "\"",
        "\\",
        ",",
        ";",
        " ",
        "10.0.0.2",
        "192.0.2.1",
        "[::1]",
        "[",
        "]",
        ":80",
        "unknown",
        "%",
        "=",
        "by=x",
    ]);
    let nearly =
        prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat().into_bytes());
    let anything = prop::collection::vec(32..=255_u8, 0..40)
        .prop_map(|bytes| bytes.into_iter().filter(|byte| *byte != 127).collect());
    prop_oneof![3 => nearly, 1 => anything]
}

proptest! {
    // Trap C13: what the client sent stands left of what the proxies append.
    #[test]
    fn a_forged_prefix_never_changes_the_client(
        forged in prop::collection::vec(hostile(), 0..4),
        own_line: bool,
        hops in 0..3_usize,
    ) {
        for (name, reads, client, hop) in [
            (XFF, XForwardedFor, "192.0.2.77:1", "10.0.0.7"),
            (XFF, XForwardedFor, "[2001:db8::1]:80", "fe80::1%eth0"),
            (FWD, Forwarded, "For=192.0.2.77;by=\"a,\\\"b\"", "proto=x;for=10.0.0.7"),
            (FWD, Forwarded, "for=\"[2001:db8::1]:80\"", "for=\"10.0.0.7:_x\""),
        ] {
            let appended = format!("{client}{}", format!(", {hop}").repeat(hops));
            let honest = resolve(reads, "10.0.0.1", &headers([(name, appended.as_bytes())]));
            let mut lines = forged.clone();
            match lines.last_mut() {
                Some(last) if !own_line => last.extend(format!(", {appended}").bytes()),
                _ => lines.push(appended.into_bytes()),
            }
            let sent = headers(lines.iter().map(|line| (name, &line[..])));
            let found = resolve(reads, "10.0.0.1", &sent);
            prop_assert_eq!(found.client, honest.client, "{:?}", sent);
            prop_assert!(honest.client != address("10.0.0.1"));
        }
    }

    #[test]
    fn any_header_is_read_within_bounds(lines in prop::collection::vec(hostile(), 0..30), peer: u32) {
        for (name, reads) in [(XFF, XForwardedFor), (FWD, Forwarded), (CF, One)] {
            let sent = headers(lines.iter().map(|line| (name, &line[..])));
            let peer = IpAddr::from(peer.to_be_bytes()).to_string();
            let origins = resolve(reads, &peer, &sent);
            prop_assert!(origins.forwarded.len() <= claimed::ENTRIES);
            prop_assert!(origins.client.is_some());
            if !TrustedProxies::parse(TRUSTED).unwrap().contains(peer.parse().unwrap()) {
                prop_assert_eq!(origins.client, origins.peer);
            }
        }
    }

    /// Reading from the right and from the left agree where the header is well formed.
    #[test]
    fn well_formed_elements_are_split_where_the_grammar_says(
        hosts in prop::collection::vec(r#"([a-z,;=]|\\"|\\\\){0,6}"#, 1..6),
    ) {
        let elements = hosts.iter().enumerate().map(|(n, host)| format!("host=\"{host}\";for=10.0.0.{n}"));
        let line = elements.collect::<Vec<_>>().join(", ");
        let origins = resolve(Forwarded, "10.0.0.1", &headers([(FWD, line.as_bytes())]));
        let expected: Vec<_> = (0..hosts.len()).map(|n| format!("10.0.0.{n}")).collect();
        prop_assert_eq!(chain(&origins), expected, "{}", line);
    }
}
