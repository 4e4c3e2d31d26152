//! The client's address: what the peer says, and what trusted proxies vouch for.
//!
//! Anybody can send `X-Forwarded-For`. What a proxy adds stands to the right of what it was sent, so
//! a chain is read from the right, and only as far as those who wrote it are trusted.

mod claimed;
mod form;
mod forwarded;
mod node;
mod proxies;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};

pub(crate) use claimed::Claimed;
use claimed::Entry;
pub use proxies::{TrustedProxies, TrustedProxiesError};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where the client's address comes from. Default: the peer of the connection, whatever headers say.
///
/// | behind | |
/// |---|---|
/// | nothing | [`ClientAddress::default()`](Self::default) |
/// | proxies that append to `X-Forwarded-For` | [`behind`](Self::behind) |
/// | proxies that append to `Forwarded` (RFC 7239) | [`behind`](Self::behind) and [`forwarded`](Self::forwarded) |
/// | a network that names the client in a header of its own | [`behind`](Self::behind) and [`header`](Self::header) |
///
/// # How it is found
///
/// A header counts only if the peer is one of the trusted proxies. Its lines are read as one list,
/// from the right: as long as an address is trusted, the one before it is believed. The first that
/// is not trusted is the client; if all are trusted, it is the leftmost.
///
/// An entry that is no address (`unknown`, `_hidden`, an element of `Forwarded` without `for`,
/// anything malformed) ends the walk: the client is then the last address before it, that of the
/// trusted proxy which wrote it. Nothing to its left is ever believed. The walk ends in the same way
/// after 64 entries or 8 KiB from the right, and sees the last 16 lines of the header.
///
/// Ports and zones are left out; an IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) is the IPv4
/// address, for the peer and for the trusted networks too. Empty entries are passed over.
///
/// ```
/// use tower_audit::capture::{ClientAddress, TrustedProxies};
///
/// let address = ClientAddress::behind(TrustedProxies::parse("10.0.0.0/8, ::1")?);
/// let mut headers = http::HeaderMap::new();
/// headers.insert("x-forwarded-for", "198.51.100.1, 203.0.113.7".parse()?);
///
/// let proxy = "10.0.0.2".parse().ok();
/// assert_eq!(address.find(proxy, &headers), "203.0.113.7".parse().ok());
/// let stranger = "192.0.2.9".parse().ok();
/// assert_eq!(address.find(stranger, &headers), stranger);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ClientAddress {
    trusted: TrustedProxies,
    /// The header that counts; `None`: none does.
    header: Option<HeaderName>,
    spelling: Spelling,
}

/// How a header writes addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Spelling {
    /// A list of addresses.
    #[default]
    List,
    /// A list of elements of RFC 7239.
    Elements,
    /// One address.
    One,
}

/// What is known of where a request came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origins {
    /// The client, as far as trusted proxies vouch for it.
    pub(crate) client: Option<IpAddr>,
    /// The other end of the connection.
    pub(crate) peer: Option<IpAddr>,
    /// What headers claim, the client's end first; at most as many as the walk looks at.
    forwarded: Vec<Entry>,
}

impl ClientAddress {
    /// Believes these proxies, and the `X-Forwarded-For` that they append to.
    pub fn behind(trusted: TrustedProxies) -> Self {
        Self {
            trusted,
            header: Some(X_FORWARDED_FOR.clone()),
            spelling: Spelling::List,
        }
    }

    /// Reads `Forwarded` (RFC 7239) instead of `X-Forwarded-For`.
    ///
    /// Only one of the two: a proxy that appends to one passes on the other as the client sent it.
    pub fn forwarded(mut self) -> Self {
        self.header = Some(http::header::FORWARDED);
        self.spelling = Spelling::Elements;
        self
    }

    /// Reads a header that holds one address, such as `CF-Connecting-IP`, instead of
    /// `X-Forwarded-For`.
    ///
    /// The proxies must set it anew on every request. If it came more than once, or as a list, the
    /// last address counts.
    pub fn header(mut self, name: HeaderName) -> Self {
        self.header = Some(name);
        self.spelling = Spelling::One;
        self
    }

    /// The client of a request that came from this peer with these headers.
    ///
    /// The layer does this by itself. It is here for the service's own log or rate limit, so that
    /// they name the same client as the trail.
    #[must_use]
    pub fn find(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        self.resolve(peer, &self.take(headers)).client
    }

    /// Takes the header lines that [`resolve`](Self::resolve) needs: shared, not copied, and at most
    /// [`claimed::LINES`]; nothing is allocated for one line.
    pub(crate) fn take(&self, headers: &HeaderMap) -> Claimed {
        let Some(name) = &self.header else {
            return Claimed::default();
        };
        Claimed::take(headers, name)
    }

    /// Finds the client, and what the headers claim.
    pub(crate) fn resolve(&self, peer: Option<IpAddr>, claimed: &Claimed) -> Origins {
        let peer = peer.map(|address| address.to_canonical());
        let mut forwarded = claimed.entries(self.spelling);
        let client = peer.map(|peer| self.walk(peer, &forwarded));
        forwarded.reverse();
        Origins {
            client,
            peer,
            forwarded,
        }
    }

    /// Goes from the peer along the chain, its right end first, as far as each is trusted.
    fn walk(&self, peer: IpAddr, chain: &[Entry]) -> IpAddr {
        let mut client = peer;
        for entry in chain {
            if !self.trusted.contains(client) {
                break;
            }
            // Trap C13: who knows what stands left of an entry that cannot be read.
            let Entry::Address(address) = entry else {
                break;
            };
            client = *address;
        }
        client
    }
}
