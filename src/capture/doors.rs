//! Who may begin strict work: no client may use up what is kept for all.
//!
//! A strict request writes an intent before its handler runs, so also before anybody knows who it is.
//! Two things bound what strangers can do with that: how many strict requests of one client may run
//! at once, and how many of them may come to nothing in a minute. Beyond either this client's next
//! strict requests are refused at the door, and nobody else's.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::clock::Timestamp;

use super::flood::Client;

/// Strict requests of one client that may run at once: a tenth of the intents that may be open.
pub(super) const MAX_OPEN: u32 = 1000;

/// Clients that are told apart; the rest together are one more.
const MAX_CLIENTS: usize = 4096;

const MINUTE_MICROS: i64 = 60_000_000;

/// What each client has at the doors of strict routes.
#[derive(Default)]
pub(crate) struct Doors {
    clients: Mutex<HashMap<Client, Door>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Door {
    open: u32,
    minute: i64,
    /// Those that came to nothing in this minute.
    wasted: u32,
}

/// A strict request that was let in; to be given back with [`Doors::leave`].
#[derive(Debug)]
pub(super) struct Pass {
    client: Client,
}

impl Doors {
    /// Lets a strict request in, unless its client has too many or wasted too many.
    pub(super) fn enter(
        &self,
        address: Option<IpAddr>,
        now: Timestamp,
        per_minute: Option<u32>,
    ) -> Option<Pass> {
        let minute = now.as_micros() / MINUTE_MICROS;
        let mut clients = self.lock();
        let client = known(&mut clients, Client::of(address), minute);
        let door = clients.entry(client).or_default();
        door.turn(minute);
        let floods = per_minute.is_some_and(|most| door.wasted >= most);
        if floods || door.open >= MAX_OPEN {
            return None;
        }
        door.open += 1;
        Some(Pass { client })
    }

    /// A strict request ended. `wasted`: refused or failed, by nobody in particular.
    pub(super) fn leave(&self, pass: &Pass, wasted: bool, now: Timestamp) {
        if let Some(door) = self.lock().get_mut(&pass.client) {
            door.open = door.open.saturating_sub(1);
            door.turn(now.as_micros() / MINUTE_MICROS);
            door.wasted = door.wasted.saturating_add(u32::from(wasted));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Client, Door>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client, or the one that stands for all that do not fit.
fn known(clients: &mut HashMap<Client, Door>, client: Client, minute: i64) -> Client {
    if clients.contains_key(&client) || clients.len() < MAX_CLIENTS {
        return client;
    }
    // Whoever has nothing open and wasted nothing now is forgotten.
    clients.retain(|_, door| door.open > 0 || (door.minute == minute && door.wasted > 0));
    if clients.len() < MAX_CLIENTS {
        client
    } else {
        Client::Others
    }
}

impl Door {
    fn turn(&mut self, minute: i64) {
        // A clock that stepped back begins another minute as well.
        if self.minute != minute {
            (self.minute, self.wasted) = (minute, 0);
        }
    }
}

impl std::fmt::Debug for Doors {
    /// Never the addresses.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doors")
            .field("clients", &self.lock().len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn address(last: u128) -> Option<IpAddr> {
        Some(IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96 | last)))
    }

    const NOW: Timestamp = Timestamp::from_micros(600 * MINUTE_MICROS);

    #[test]
    fn one_client_cannot_use_up_what_is_kept_for_all() {
        let doors = Doors::default();
        let passes: Vec<_> = (0..u128::from(MAX_OPEN))
            .map(|host| doors.enter(address(host), NOW, None).unwrap())
            .collect();
        assert!(
            doors.enter(address(0), NOW, None).is_none(),
            "a network is one client"
        );
        assert!(
            doors.enter(address(1 << 64), NOW, None).is_some(),
            "another is not"
        );
        doors.leave(&passes[0], false, NOW);
        assert!(doors.enter(address(0), NOW, None).is_some());
    }

    // Trap C19.
    #[test]
    fn who_wastes_more_than_the_rate_waits_for_the_next_minute() {
        let doors = Doors::default();
        for _ in 0..3 {
            let pass = doors.enter(address(1), NOW, Some(3)).unwrap();
            doors.leave(&pass, true, NOW);
        }
        assert!(doors.enter(address(1), NOW, Some(3)).is_none());
        assert!(doors.enter(None, NOW, Some(3)).is_some(), "nobody else");
        let later = Timestamp::from_micros(NOW.as_micros() + MINUTE_MICROS);
        assert!(doors.enter(address(1), later, Some(3)).is_some());
    }

    #[test]
    fn the_table_is_bounded_and_those_beyond_it_are_one_client() {
        let doors = Doors::default();
        let clients = MAX_CLIENTS as u128 + 10;
        let passes: Vec<_> = (0..clients)
            .filter_map(|network| doors.enter(address(network << 64), NOW, Some(1)))
            .collect();
        assert_eq!(passes.len() as u128, clients);
        assert_eq!(doors.lock().len(), MAX_CLIENTS + 1);
        for pass in &passes {
            doors.leave(pass, false, NOW);
        }
        assert!(doors.enter(address(clients << 64), NOW, None).is_some());
        assert_eq!(doors.lock().len(), 1, "who has left is forgotten");
    }
}
