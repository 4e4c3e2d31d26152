//! What every record passes on its way: the catalogue, the policy, the mask.

use crate::{
    keyed::HashKey,
    policy::{Policy, Redaction},
    record::{Catalogue, Record},
};

use super::{doors::Doors, flood::Flood, seen::Seen};

/// The rules of one trail, and what they remember.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) policy: Policy,
    pub(crate) catalogue: Catalogue,
    pub(crate) key: HashKey,
    pub(crate) flood: Flood,
    pub(super) doors: Doors,
    pub(crate) seen: Seen,
}

impl Rules {
    pub(crate) fn new(policy: Policy, catalogue: Catalogue, key: HashKey) -> Self {
        Self {
            policy,
            catalogue,
            key,
            flood: Flood::default(),
            doors: Doors::default(),
            seen: Seen::default(),
        }
    }

    /// Also knows these routes, as method and template, before a request comes.
    pub(crate) fn told(self, routes: &[(String, String)]) -> Self {
        for (method, template) in routes {
            self.seen.tell(method, template);
        }
        self
    }

    /// The last thing before a record is written, so that nothing goes round it.
    pub(super) fn mask(&self, record: &mut Record, secrets: &[&str]) {
        self.catalogue.categorise(record);
        // Trap C15: a text of any length is searched only as far as something of it may be written.
        let cuts = record.bound();
        self.policy.mask().apply(record, &self.key, secrets);
        record.trim(&cuts, Redaction::is_mark);
    }
}
