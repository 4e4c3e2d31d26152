//! Which intents are open, and whether headers and verdicts agree with that.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::evidence::{Hash, leaf_hash};

/// The intents of a trail at one place.
#[derive(Debug, Default)]
pub(super) struct Intents {
    /// Open, with the hash of what was asked.
    open: BTreeMap<Uuid, Hash>,
    /// In a part that was abandoned: the next header may list them or not.
    perhaps: BTreeMap<Uuid, Hash>,
    /// Opened since the last commit in such a part.
    pending: BTreeMap<Uuid, Hash>,
    /// Whether such a part's last commit was read, and nothing after it.
    committed: bool,
    /// Listed by the header, and not repeated yet.
    to_repeat: BTreeSet<Uuid>,
    /// A line was unreadable, so what is open is not known until the next header.
    unknown: bool,
}

impl Intents {
    /// From here to the next header nothing can be said.
    pub(super) fn lose_sight(&mut self) {
        self.unknown = true;
    }

    pub(super) fn count(&self) -> u64 {
        self.open.len() as u64
    }

    /// Takes over what a header lists. `first`: nothing was read before it.
    ///
    /// # Errors
    ///
    /// What does not fit; the header is believed all the same.
    pub(super) fn begin(&mut self, listed: &[Uuid], first: bool) -> Result<(), String> {
        let known = !first && !self.unknown;
        let before = std::mem::take(&mut self.open);
        let perhaps = std::mem::take(&mut self.perhaps);
        let listed: BTreeSet<Uuid> = listed.iter().copied().collect();
        let lost = before.keys().find(|id| !listed.contains(id)).copied();
        let foreign = listed
            .iter()
            .find(|id| !before.contains_key(id) && !perhaps.contains_key(id))
            .copied();
        // A hash that is not known is filled in by the line that repeats the intent.
        for id in &listed {
            if let Some(hash) = before.get(id).or_else(|| perhaps.get(id)).filter(|_| known) {
                self.open.insert(*id, *hash);
            }
        }
        self.pending.clear();
        self.committed = false;
        self.to_repeat = listed;
        self.unknown = false;
        match (lost, foreign) {
            (Some(id), _) if known => Err(format!(
                "intent {id} was open, and the header does not list it"
            )),
            (_, Some(id)) if known => {
                Err(format!("the header lists intent {id}, which was not open"))
            }
            _ => Ok(()),
        }
    }

    /// An intent's line in the part of a segment that counts.
    pub(super) fn open(&mut self, id: Uuid, json: &str) -> Result<(), String> {
        let hash = leaf_hash(json.as_bytes());
        let repeated = self.to_repeat.remove(&id);
        match self.open.insert(id, hash) {
            Some(before) if repeated && before != hash => {
                Err(format!("intent {id} is repeated with another content"))
            }
            Some(_) if !repeated && !self.unknown => {
                Err(format!("intent {id} is opened a second time"))
            }
            _ => Ok(()),
        }
    }

    /// The lines that repeat a header's intents are over.
    pub(super) fn repeated(&mut self) -> Result<(), String> {
        match std::mem::take(&mut self.to_repeat).into_iter().next() {
            Some(id) if !self.unknown => Err(format!(
                "the header lists intent {id}, and no line repeats it"
            )),
            _ => Ok(()),
        }
    }

    /// A verdict.
    pub(super) fn close(&mut self, id: Uuid) -> Result<(), String> {
        match self.open.remove(&id) {
            None if !self.unknown => {
                Err(format!("the record settles intent {id}, which is not open"))
            }
            _ => Ok(()),
        }
    }

    /// A segment begins that a later one supersedes whole; `listed` by its header.
    pub(super) fn superseded_head(&mut self, listed: &[Uuid]) {
        self.pending.clear();
        self.committed = false;
        // What was asked is not known here; the line that repeats it says so.
        self.perhaps.extend(
            listed
                .iter()
                .filter(|id| !self.open.contains_key(id))
                .map(|id| (*id, leaf_hash(b""))),
        );
    }

    /// A whole line in a part that a later segment supersedes, after the last number that counts.
    ///
    /// What it opens is kept by the next segment, for certain only when its commit was followed
    /// by anything: until then nobody knows whether the sync held.
    pub(super) fn superseded_line(&mut self, opens: Option<(Uuid, &str)>, is_commit: bool) {
        if std::mem::take(&mut self.committed) {
            self.open.append(&mut self.pending);
        }
        if let Some((id, json)) = opens {
            let hash = leaf_hash(json.as_bytes());
            self.pending.insert(id, hash);
            self.perhaps.insert(id, hash);
        }
        self.committed = is_commit;
    }
}
