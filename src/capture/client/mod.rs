//! The client's address: what the peer says, and what trusted proxies vouch for.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};

use crate::{keyed::HashKey, policy::AddressForm, record::Context};

/// Where the client's address comes from. Default: the peer of the connection, whatever headers say.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ClientAddress {}

/// The headers that may tell of the client, as they came: cheap to take, looked at only when there
/// is a record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claimed {
    _lines: Vec<HeaderValue>,
}

/// What is known of where a request came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origins {
    /// The client, as far as trusted proxies vouch for it.
    pub(crate) client: Option<IpAddr>,
    /// The other end of the connection.
    pub(crate) peer: Option<IpAddr>,
    /// What headers claim, the client's end first; bounded.
    pub(crate) forwarded: Vec<String>,
}

impl ClientAddress {
    /// Takes the header lines that [`resolve`](Self::resolve) needs, at most a stated number.
    pub(crate) fn take(&self, _headers: &HeaderMap) -> Claimed {
        Claimed::default()
    }

    /// Finds the client.
    pub(crate) fn resolve(&self, peer: Option<IpAddr>, _claimed: &Claimed) -> Origins {
        Origins {
            client: peer,
            peer,
            forwarded: Vec::new(),
        }
    }
}

impl Origins {
    /// Writes the addresses into a record's context, in the form that the rule asks for.
    pub(crate) fn write(self, context: &mut Context, form: AddressForm, _key: &HashKey) {
        if form == AddressForm::Off {
            return;
        }
        context.ip_address = self.client.map(Into::into);
        context.peer_address = self.peer.map(Into::into);
    }
}
