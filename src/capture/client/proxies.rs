//! Whose word about a client is believed.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
    sync::Arc,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::text;

/// How much of a wrong entry its error shows.
const SHOWN_BYTES: usize = 128;

/// The addresses and networks whose word about a client is believed. Default: none.
///
/// Name your own proxies as closely as you can: whoever sends from one of these addresses can claim
/// to be any client.
///
/// ```
/// use tower_audit::capture::TrustedProxies;
///
/// let trusted = TrustedProxies::parse("10.0.0.0/8, 192.168.1.7, 2001:db8::/48")?;
/// assert!(trusted.contains("10.20.30.40".parse()?));
/// assert!(trusted.contains("::ffff:192.168.1.7".parse()?));
/// assert!(!trusted.contains("192.168.1.8".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct TrustedProxies {
    networks: Arc<[IpNet]>,
}

/// An entry of a list of trusted proxies that cannot be meant: the service's configuration is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("trusted proxy `{entry}`: {reason}")]
#[non_exhaustive]
pub struct TrustedProxiesError {
    /// The entry, clean and cut.
    pub entry: String,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

impl TrustedProxies {
    /// Reads addresses and networks (CIDR), separated by commas or white space.
    ///
    /// # Errors
    ///
    /// An entry is neither, has bits set beyond its network (`10.0.0.1/8`), or is everybody (`/0`).
    pub fn parse(list: &str) -> Result<Self, TrustedProxiesError> {
        let entries = list.split(|character: char| character == ',' || character.is_whitespace());
        let networks = entries.filter(|entry| !entry.is_empty()).map(network);
        Ok(Self {
            networks: networks.collect::<Result<_, _>>()?,
        })
    }

    /// This machine: `127.0.0.0/8` and `::1`.
    pub fn loopback() -> Self {
        Self {
            networks: LOOPBACK.into(),
        }
    }

    /// This machine and private networks: `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16` (RFC 1918)
    /// and `fc00::/7` (RFC 4193).
    ///
    /// For containers whose proxy has no fixed address. Every machine on those networks that reaches
    /// the service can then claim to be any client.
    pub fn private() -> Self {
        Self {
            networks: LOOPBACK.into_iter().chain(PRIVATE).collect(),
        }
    }

    /// These and the others.
    pub fn and(self, others: Self) -> Self {
        [self, others].into_iter().collect()
    }

    /// Whether this address is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }
}

const LOOPBACK: [IpNet; 2] = [
    v4(Ipv4Addr::new(127, 0, 0, 0), 8),
    v6(Ipv6Addr::LOCALHOST, 128),
];

const PRIVATE: [IpNet; 4] = [
    v4(Ipv4Addr::new(10, 0, 0, 0), 8),
    v4(Ipv4Addr::new(172, 16, 0, 0), 12),
    v4(Ipv4Addr::new(192, 168, 0, 0), 16),
    v6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
];

const fn v4(address: Ipv4Addr, prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(address, prefix))
}

const fn v6(address: Ipv6Addr, prefix: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(address, prefix))
}

fn network(entry: &str) -> Result<IpNet, TrustedProxiesError> {
    let wrong = |reason: String| TrustedProxiesError {
        entry: text::clean(entry, SHOWN_BYTES).0.into_owned(),
        reason,
    };
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Ok(address.to_canonical().into());
    }
    let Ok(network) = entry.parse::<IpNet>() else {
        return Err(wrong(
            "is neither an address nor a network such as 10.0.0.0/8".into(),
        ));
    };
    let network = canonical(network);
    if network.prefix_len() == 0 {
        return Err(wrong(
            "is everybody: any client could claim to be another; name your proxies".into(),
        ));
    }
    if network != network.trunc() {
        let (whole, address) = (network.trunc(), network.addr());
        return Err(wrong(format!(
            "has bits beyond its network: write {whole} or {address}"
        )));
    }
    Ok(network)
}

/// The network of IPv4 addresses in IPv6 clothes is that of the IPv4 addresses.
fn canonical(network: IpNet) -> IpNet {
    let prefix = network.prefix_len().checked_sub(96);
    match (network.addr(), network.addr().to_canonical(), prefix) {
        (IpAddr::V6(_), IpAddr::V4(address), Some(prefix)) => {
            Ipv4Net::new(address, prefix).map_or(network, IpNet::V4)
        }
        _ => network,
    }
}

impl FromStr for TrustedProxies {
    type Err = TrustedProxiesError;

    /// As [`parse`](Self::parse).
    fn from_str(list: &str) -> Result<Self, TrustedProxiesError> {
        Self::parse(list)
    }
}

impl FromIterator<Self> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = Self>>(lists: I) -> Self {
        let lists: Vec<Self> = lists.into_iter().collect();
        let networks = lists.iter().flat_map(|list| list.networks.iter().copied());
        Self {
            networks: networks.collect(),
        }
    }
}

impl fmt::Display for TrustedProxies {
    /// As [`parse`](Self::parse) reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, network) in self.networks.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{network}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_contains_what_it_names_and_nothing_else() {
        for (list, address, expected) in [
            ("", "127.0.0.1", false),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            (" 192.0.2.1,,\t192.0.2.2\n192.0.2.3 ", "192.0.2.3", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::1", "::1", true),
        ] {
            let trusted = TrustedProxies::parse(list).unwrap();
            let contained = trusted.contains(address.parse().unwrap());
            assert_eq!(contained, expected, "{list:?}, {address}");
        }
    }

    #[test]
    fn a_wrong_entry_is_named_with_what_would_be_right() {
        for (list, expected) in [
            (
                "::1, proxy.example",
                "trusted proxy `proxy.example`: is neither an address nor a network such as 10.0.0.0/8",
            ),
            (
                "10.0.0.0/33",
                "trusted proxy `10.0.0.0/33`: is neither an address nor a network such as 10.0.0.0/8",
            ),
            (
                "10.0.0.1/8",
                "trusted proxy `10.0.0.1/8`: has bits beyond its network: write 10.0.0.0/8 or 10.0.0.1",
            ),
            (
                "0.0.0.0/0",
                "trusted proxy `0.0.0.0/0`: is everybody: any client could claim to be another; name your proxies",
            ),
            (
                "::ffff:0:0/96",
                "trusted proxy `::ffff:0:0/96`: is everybody: any client could claim to be another; name your proxies",
            ),
            (
                "\u{1b}[2J",
                "trusted proxy `\\u{1b}[2J`: is neither an address nor a network such as 10.0.0.0/8",
            ),
        ] {
            let error = TrustedProxies::parse(list).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn private_networks_are_those_of_the_documentation() {
        let private = "127.0.0.0/8, ::1/128, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7";
        assert_eq!(TrustedProxies::private().to_string(), private);
        assert_eq!(private.parse(), Ok(TrustedProxies::private()));
        let loopback = TrustedProxies::loopback();
        assert_eq!(loopback.to_string(), "127.0.0.0/8, ::1/128");
        assert_eq!(TrustedProxies::default().and(loopback.clone()), loopback);
    }
}
