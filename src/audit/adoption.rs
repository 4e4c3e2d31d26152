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

    /// Gives back what every sink has by now, and takes what nobody holds.
    pub(super) fn look(&mut self, keeper: &Keeper, shared: &Shared) {
        self.give_back(keeper);
        let others = match keeper.base.others(keeper.journal.origin.trail) {
            Ok(others) => others,
            Err(error) => {
                shared.concern("base", [error.to_string()]);
                return;
            }
        };
        shared.concern("base", []);
        for id in others {
            let newest = newest_segment(&keeper.base, id);
            if self.settled.contains_key(&id) || self.done.get(&id) == Some(&newest) {
                continue;
            }
            if let Err(left) = self.adopt(keeper, id) {
                tracing::error!(target: "tower_audit", error = %left.error, "an audit trail cannot be adopted");
                keeper.recorder.own(about::damaged(&left));
                shared.concern(
                    "adoption",
                    [format!("a trail cannot be adopted: {}", left.error)],
                );
                self.done.insert(id, newest);
            }
        }
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
            .filter_map(|(id, intent)| keeper.recorder.verdict(intent, *id, DIED))
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
