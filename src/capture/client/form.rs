//! How much of an address is written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Origins, claimed::Entry};
use crate::{
    keyed::{HashKey, Purpose},
    policy::AddressForm,
    record::{Context, Text},
};

impl Origins {
    /// Writes the addresses into a record's context, all in the form that the rule asks for.
    ///
    /// A claimed entry that is no address can say anything about the client; it is written only with
    /// whole addresses, else it is `unknown`.
    pub(crate) fn write(self, context: &mut Context, form: AddressForm, key: &HashKey) {
        context.ip_address = self.client.and_then(|client| form_of(client, form, key));
        context.peer_address = self.peer.and_then(|peer| form_of(peer, form, key));
        let entries = self.forwarded.into_iter();
        let written = entries.filter_map(|entry| match (entry, form) {
            (Entry::Address(address), _) => form_of(address, form, key),
            (Entry::Other(text), AddressForm::Full) => Some(text.into()),
            (Entry::Other(_), AddressForm::Off) => None,
            (Entry::Other(_), _) => Some(Text::fixed("unknown")),
        });
        context.forwarded = written.collect();
    }
}

/// The hash is that of the address as [`AddressForm::Full`] writes it.
fn form_of(address: IpAddr, form: AddressForm, key: &HashKey) -> Option<Text> {
    match form {
        AddressForm::Full => Some(address.into()),
        AddressForm::Shortened => Some(network_of(address).into()),
        AddressForm::Hashed => Some(key.hash(Purpose::Address, address.to_string().as_bytes())),
        AddressForm::Off => None,
    }
}

/// `192.0.2.0/24`, `2001:db8:1::/48`: with its length, so that nobody takes it for a client.
fn network_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let network = Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8));
            format!("{network}/24")
        }
        IpAddr::V6(address) => {
            let network = Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 80));
            format!("{network}/48")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: AddressForm) -> Context {
        let address = |text: &str| text.parse().unwrap();
        let origins = Origins {
            client: Some(address("2001:db8:1:2::7")),
            peer: Some(address("192.0.2.77")),
            forwarded: vec![
                Entry::Other("10.1.1.1x".into()),
                Entry::Address(address("2001:db8:1:2::7")),
            ],
        };
        let mut context = Context::new();
        origins.write(&mut context, form, &HashKey::new("k1", b"secret"));
        context
    }

    #[test]
    fn every_address_is_written_in_the_form_that_the_rule_asks_for() {
        let hash =
            |text: &str| HashKey::new("k1", b"secret").hash(Purpose::Address, text.as_bytes());
        let (client, peer) = ("2001:db8:1:2::7", "192.0.2.77");
        for (form, expected) in [
            (
                AddressForm::Full,
                Context::new()
                    .ip_address(client)
                    .peer_address(peer)
                    .forwarded("10.1.1.1x")
                    .forwarded(client),
            ),
            (
                AddressForm::Shortened,
                Context::new()
                    .ip_address("2001:db8:1::/48")
                    .peer_address("192.0.2.0/24")
                    .forwarded("unknown")
                    .forwarded("2001:db8:1::/48"),
            ),
            (
                AddressForm::Hashed,
                Context::new()
                    .ip_address(hash(client))
                    .peer_address(hash(peer))
                    .forwarded("unknown")
                    .forwarded(hash(client)),
            ),
            (AddressForm::Off, Context::new()),
        ] {
            assert_eq!(written(form), expected, "{form:?}");
        }
    }
}
