//! Trails that nobody holds: recovered, their open intents settled, the rest delivered.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use uuid::Uuid;

use crate::{
    delivery::JournalSource,
    journal::{Left, Settled, newest_segment},
};

use super::{
    about,
    keeper::{Keeper, Shared},
};

/// How long settling one trail may take before it is left for the next look.
const SETTLE_LIMIT: Duration = Duration::from_secs(30);

/// While an adopted trail is being delivered, the keeper looks whether it is done this often.
const BUSY_INTERVAL: Duration = Duration::from_secs(1);

/// Why an intent that a process left open is closed by another.
pub(super) const DIED: &str = "the process ended before the outcome was known";

/// The trails of others, as far as this process knows them.
#[derive(Debug, Default)]
pub(super) struct Adoption {
    /// Held by us while they are delivered.
    settled: HashMap<Uuid, Settled>,
    /// What the newest segment of a trail was when there was nothing more to do for it.
    done: HashMap<Uuid, Newest>,
    /// Why a trail is left as it is, until its files change.
    broken: HashMap<Uuid, String>,
    /// How many sinks there were at the last look.
    sinks: usize,
}

/// Generation and length of a trail's newest segment.
type Newest = Option<(u64, u64)>;

impl Adoption {
    /// How long until the next look.
    pub(super) fn interval(&self, usual: Duration) -> Duration {
        if self.settled.is_empty() {
            usual
        } else {
            BUSY_INTERVAL.min(usual)
        }
    }

    /// Whether this trail is dead, and held by us.
    #[cfg_attr(
        not(feature = "_sql"),
        expect(dead_code, reason = "only an outbox asks")
    )]
    pub(super) fn holds(&self, trail: Uuid) -> bool {
        self.settled.contains_key(&trail)
    }

    /// Gives back what every sink has by now, and takes what nobody holds.
    pub(super) fn look(&mut self, keeper: &Keeper, shared: &Shared) {
        self.give_back(keeper);
        // A sink that was added since gets what is still in the journals.
        let sinks = keeper.delivery.stats().len();
        if std::mem::replace(&mut self.sinks, sinks) < sinks {
            self.done.retain(|id, _| self.broken.contains_key(id));
        }
        let others = match keeper.base.others(keeper.journal.origin.trail) {
            Ok(others) => others,
            Err(error) => {
                shared.concern("base", [error.to_string()]);
                return;
            }
        };
        shared.concern("base", []);
        let mut waiting = Vec::new();
        for id in others {
            let newest = newest_segment(&keeper.base, id);
            let known = self.settled.contains_key(&id) || self.done.get(&id) == Some(&newest);
            if known || keeper.left.contains(&keeper.base.trail_dir(id)) {
                continue;
            }
            self.broken.remove(&id);
            let Err(left) = self.adopt(keeper, id) else {
                continue;
            };
            let reason = format!("a trail cannot be adopted: {}", left.error);
            if left.error.is_final() {
                tracing::error!(target: "tower_audit", error = %left.error, "an audit trail is left as it is");
                keeper.recorder.own(about::damaged(&left));
                self.done.insert(id, newest);
                self.broken.insert(id, reason);
            } else {
                // The disk's fault, or the moment's: the next look tries again.
                waiting.push(reason);
            }
        }
        shared.concern(
            "adoption",
            waiting.into_iter().chain(self.broken.values().cloned()),
        );
    }

    fn adopt(&mut self, keeper: &Keeper, id: Uuid) -> Result<(), Box<Left>> {
        let left = |error| {
            Box::new(Left {
                dir: keeper.base.trail_dir(id),
                error,
            })
        };
        let Some(orphan) = keeper.base.take_orphan(id).map_err(left)? else {
            return Ok(());
        };
        let before = orphan.before();
        let verdicts: Vec<_> = before
            .unsettled
            .iter()
            .map(|(id, intent)| keeper.recorder.verdict(intent, *id, DIED))
            .collect();
        let settled = keeper
            .base
            .settle(orphan, &verdicts, Instant::now() + SETTLE_LIMIT)
            .map_err(left)?;
        if !before.clean {
            keeper
                .recorder
                .own(about::adopted(&settled.origin, &before, settled.size));
        }
        let disk = Arc::clone(&keeper.base.disk);
        // Nobody writes it any more, so its mark never moves.
        let (_, mark) = tokio::sync::watch::channel(settled.size);
        let source = JournalSource::new(
            disk,
            settled.origin.clone(),
            settled.dir.clone(),
            mark,
            settled.size,
        );
        keeper.delivery.add_source(Arc::new(source));
        self.settled.insert(id, settled);
        Ok(())
    }

    /// A trail that every sink has is free for the next process to continue.
    fn give_back(&mut self, keeper: &Keeper) {
        let finished: Vec<Uuid> = self
            .settled
            .keys()
            .copied()
            .filter(|id| keeper.delivery.finished(*id))
            .collect();
        for id in finished {
            keeper.delivery.remove_source(id);
            self.done.insert(id, newest_segment(&keeper.base, id));
            self.settled.remove(&id);
        }
    }
}
