//! One address as proxies write it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// No address with zone and port is longer.
const MAX_BYTES: usize = 128;

/// Reads `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:443`, each
/// IPv6 address also with a zone (`fe80::1%eth0`); the port may be hidden (`:_http`, RFC 7239).
///
/// The address comes without port and zone, and IPv4 as IPv4.
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    if let Some(bracketed) = text.strip_prefix('[') {
        let (inside, after) = bracketed.split_once(']')?;
        let whole = after.is_empty() || is_port(after.strip_prefix(':')?);
        return if whole { ipv6(inside) } else { None };
    }
    match text.split_once(':') {
        None => ipv4(text),
        // Without brackets a second colon belongs to an IPv6 address.
        Some((_, after)) if after.contains(':') => ipv6(text),
        Some((host, port)) if is_port(port) => ipv4(host),
        Some(_) => None,
    }
}

fn ipv4(text: &str) -> Option<IpAddr> {
    text.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
}

fn ipv6(text: &str) -> Option<IpAddr> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let address: Ipv6Addr = address.parse().ok()?;
    let named = zone.is_none_or(|zone| !zone.is_empty() && zone.bytes().all(is_zone_byte));
    named.then(|| IpAddr::V6(address).to_canonical())
}

/// The name of an interface.
const fn is_zone_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'[' | b']' | b'%')
}

fn is_port(text: &str) -> bool {
    match text.strip_prefix('_') {
        Some(hidden) => !hidden.is_empty() && hidden.bytes().all(is_hidden_byte),
        None => {
            (1..=5).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && text.parse::<u16>().is_ok()
        }
    }
}

const fn is_hidden_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_every_spelling() {
        for (given, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:1", "192.0.2.1"),
            ("192.0.2.1:65535", "192.0.2.1"),
            ("192.0.2.1:_port-1", "192.0.2.1"),
            ("2001:DB8::1", "2001:db8::1"),
            ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%eth0.7]:443", "fe80::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("[::ffff:c000:201]:80", "192.0.2.1"),
            ("::192.0.2.1", "::192.0.2.1"),
            ("::", "::"),
        ] {
            let expected = expected.parse().ok();
            assert_eq!(address(given.as_bytes()), expected, "{given}");
        }
    }

    #[test]
    fn what_is_no_address_is_not_read() {
        let long = format!("fe80::1%{}", "x".repeat(MAX_BYTES));
        for given in [
            "",
            "unknown",
            "_hidden",
            "localhost",
            "192.0.2",
            "192.0.2.01",
            "192.0.2.256",
            "0xc0.0.2.1",
            "3221225985",
            "192.0.2.1:",
            "192.0.2.1:65536",
            "192.0.2.1:000080",
            "192.0.2.1:+80",
            "192.0.2.1:_",
            "192.0.2.1 ",
            "192.0.2.1/32",
            "[192.0.2.1]",
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]443",
            "[2001:db8::1]:",
            "[[2001:db8::1]]",
            "2001:db8:::1",
            "fe80::1%",
            "fe80::1%eth 0",
            "192.0.2.1%eth0",
            "\"192.0.2.1\"",
            "for=192.0.2.1",
            long.as_str(),
        ] {
            assert_eq!(address(given.as_bytes()), None, "{given}");
        }
        assert_eq!(address(b"192.0.2.1\xff"), None);
    }
}
