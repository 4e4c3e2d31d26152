//! Many requests that one record stands for.

use std::net::Ipv6Addr;

use crate::{
    clock::Timestamp,
    record::{Action, Actor, ActorType, Context, Http, Outcome, Record, Text},
};

/// Texts of one kind of request, in bytes; a longer one, such as a made-up method, is no kind.
pub(super) const TEXT_BYTES: usize = 1024;

/// The action of requests of which only the outcome is alike.
const MIXED: &str = "request.flood";

/// What is alike in many requests, and how many they are.
#[derive(Debug)]
pub(super) struct Fold {
    kind: Kind,
    outcome: Option<Outcome>,
    place: Place,
    count: u64,
    first: Timestamp,
    last: Timestamp,
}

#[derive(Debug)]
enum Kind {
    /// Alike in all that a kind is made of.
    One {
        action: Action,
        category: Option<Text>,
        http: Option<Http>,
        /// Anonymous or unknown, where all are.
        actor: Option<ActorType>,
    },
    Mixed,
}

/// Where they came from, in the form in which their records say it.
#[derive(Debug)]
enum Place {
    Address(Text),
    /// The /64 network of several addresses.
    Network(Text),
    Unknown,
    /// Many clients.
    Many,
}

fn kind_of_actor(record: &Record) -> Option<ActorType> {
    record.actor.as_ref().map(|actor| actor.kind)
}

impl Fold {
    /// Begins with a record, if its texts are not too long.
    pub(super) fn of_kind(record: &Record, begun: Timestamp) -> Option<Self> {
        let http = record.context.http.as_ref();
        let method = http.and_then(|http| http.method.as_deref());
        let route = http.and_then(|http| http.route.as_deref());
        let texts = [
            Some(record.action.as_str()),
            record.category.as_deref(),
            record.context.ip_address.as_deref(),
            method,
            route,
        ];
        let bytes: usize = texts.into_iter().flatten().map(str::len).sum();
        let kind = Kind::One {
            action: record.action.clone(),
            category: record.category.clone(),
            http: record.context.http.clone(),
            actor: kind_of_actor(record),
        };
        (bytes <= TEXT_BYTES).then(|| Self::new(kind, record, begun))
    }

    /// Begins with a record of which only the outcome is kept, and where it came from.
    pub(super) fn mixed(record: &Record, begun: Timestamp) -> Self {
        Self::new(Kind::Mixed, record, begun)
    }

    fn new(kind: Kind, record: &Record, begun: Timestamp) -> Self {
        let address = record.context.ip_address.clone();
        Self {
            kind,
            outcome: record.outcome,
            place: address.map_or(Place::Unknown, Place::Address),
            count: 1,
            first: begun,
            last: begun,
        }
    }

    pub(super) const fn first(&self) -> Timestamp {
        self.first
    }

    /// Leaves out where they come from.
    pub(super) fn is_of_many(&mut self) {
        self.place = Place::Many;
    }

    /// Whether a record is alike in action, outcome, method, route and status.
    pub(super) fn is_of_kind(&self, record: &Record) -> bool {
        match &self.kind {
            Kind::One { action, http, .. } => {
                self.outcome == record.outcome
                    && *action == record.action
                    && *http == record.context.http
            }
            Kind::Mixed => false,
        }
    }

    /// Whether a record goes here because there is no room for its kind.
    pub(super) fn takes(&self, record: &Record) -> bool {
        matches!(self.kind, Kind::Mixed) && self.outcome == record.outcome
    }

    pub(super) fn add(&mut self, record: &Record, begun: Timestamp) {
        self.count += 1;
        self.first = self.first.min(begun);
        self.last = self.last.max(begun);
        if let Kind::One { actor, .. } = &mut self.kind {
            *actor = actor.filter(|kind| kind_of_actor(record) == Some(*kind));
        }
        self.place.add(record.context.ip_address.as_ref());
    }

    pub(super) fn into_record(self) -> Record {
        let mut record = match self.kind {
            Kind::One {
                action,
                category,
                http,
                actor,
            } => {
                let mut record = Record::new(action);
                record.category = category;
                record.context.http = http;
                record.actor = actor.map(|kind| match kind {
                    ActorType::Anonymous => Actor::anonymous(),
                    _ => Actor::unknown(),
                });
                record
            }
            Kind::Mixed => Record::new(MIXED).reason("more kinds of requests than are told apart"),
        };
        record.outcome = self.outcome;
        self.place.write(&mut record.context, &mut record.reason);
        record.folded(self.count, self.first, self.last)
    }
}

impl Place {
    fn add(&mut self, address: Option<&Text>) {
        let Self::Address(known) = self else { return };
        if Some(&*known) == address {
            return;
        }
        let network = network_of(known).filter(|network| {
            address.and_then(|address| network_of(address)).as_ref() == Some(network)
        });
        *self = match network {
            Some(network) => Self::Network(format!("{network}/64").into()),
            // Only written in another form; then no form is true of all.
            None => Self::Unknown,
        };
    }

    fn write(self, context: &mut Context, reason: &mut Option<Text>) {
        match self {
            Self::Address(place) | Self::Network(place) => context.ip_address = Some(place),
            Self::Unknown => {}
            Self::Many => *reason = Some(Text::fixed("more clients than are told apart")),
        }
    }
}

/// The /64 network of an IPv6 address that is written in full.
fn network_of(address: &str) -> Option<Ipv6Addr> {
    let address: Ipv6Addr = address.parse().ok()?;
    Some(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
}
