//! One minute of refused requests.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
};

use super::{CLIENTS, CLIENTS_AT_FULL_RATE, FOLDS, KINDS, MINUTE, fold::Fold};
use crate::{clock::Timestamp, record::Record};

/// What was seen since the minute began.
pub(super) struct Window {
    began: Timestamp,
    /// Records that were let through.
    written: u64,
    clients: HashMap<Client, Seen>,
    /// Folds among the clients.
    folds: usize,
    /// Those for which there was no room, by outcome.
    beyond: Vec<Fold>,
}

/// Who is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::capture) enum Client {
    V4(u32),
    /// The first half of the address.
    V6(u64),
    /// No address is known.
    Nowhere,
    /// All that came when the table was full.
    Others,
}

#[derive(Default)]
struct Seen {
    written: u32,
    folds: Vec<Fold>,
}

impl Client {
    pub(in crate::capture) fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::Nowhere,
            Some(IpAddr::V4(address)) => Self::V4(address.to_bits()),
            Some(IpAddr::V6(address)) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

impl Window {
    pub(super) fn beginning(began: Timestamp) -> Self {
        Self {
            began,
            written: 0,
            clients: HashMap::new(),
            folds: 0,
            beyond: Vec::new(),
        }
    }

    /// A clock that stepped back a little does not end the minute; one that stepped back further
    /// would otherwise keep it open for as long.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        now.since(self.began) >= MINUTE || self.began.since(now) > MINUTE
    }

    /// Whether one more record of this client may be written as it is; then it is counted so.
    pub(super) fn admits(&mut self, address: Option<IpAddr>, per_minute: u32) -> bool {
        let most = u64::from(per_minute).saturating_mul(CLIENTS_AT_FULL_RATE);
        let crowded = self.written >= most;
        let (_, seen) = self.seen(address);
        if crowded || seen.written >= per_minute {
            return false;
        }
        seen.written += 1;
        self.written += 1;
        true
    }

    /// Counts a record that is not written as it is.
    pub(super) fn fold(&mut self, address: Option<IpAddr>, record: &Record, begun: Timestamp) {
        let room = self.folds < FOLDS;
        let (client, seen) = self.seen(address);
        let alike = seen.folds.iter_mut().find(|fold| fold.is_of_kind(record));
        if let Some(alike) = alike {
            return alike.add(record, begun);
        }
        let mut new = None;
        if room && seen.folds.len() < KINDS {
            new = Fold::of_kind(record, begun);
        }
        if new.is_none() {
            let mixed = seen.folds.iter_mut().find(|fold| fold.takes(record));
            if let Some(mixed) = mixed {
                return mixed.add(record, begun);
            }
            new = room.then(|| Fold::mixed(record, begun));
        }
        if let Some(mut fold) = new {
            if client == Client::Others {
                fold.is_of_many();
            }
            seen.folds.push(fold);
            self.folds += 1;
            return;
        }
        self.fold_beyond(record, begun);
    }

    /// One for each outcome, so there is always room.
    fn fold_beyond(&mut self, record: &Record, begun: Timestamp) {
        if let Some(fold) = self.beyond.iter_mut().find(|fold| fold.takes(record)) {
            return fold.add(record, begun);
        }
        let mut fold = Fold::mixed(record, begun);
        fold.is_of_many();
        self.beyond.push(fold);
    }

    fn seen(&mut self, address: Option<IpAddr>) -> (Client, &mut Seen) {
        let mut client = Client::of(address);
        if self.clients.len() >= CLIENTS && !self.clients.contains_key(&client) {
            client = Client::Others;
        }
        match self.clients.entry(client) {
            Entry::Occupied(seen) => (client, seen.into_mut()),
            Entry::Vacant(free) => (client, free.insert(Seen::default())),
        }
    }

    pub(super) fn into_folds(self) -> impl Iterator<Item = Fold> {
        let clients = self.clients.into_values().flat_map(|seen| seen.folds);
        clients.chain(self.beyond)
    }
}
