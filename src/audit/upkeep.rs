//! What keeps a trail within its bounds and watches that it holds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    delivery::Standing,
    evidence::TreeHead,
    journal::{Keep, SegmentInfo, block_on, prune},
    verify,
};

use super::{
    about,
    keeper::{Keeper, Shared},
};

/// Shares of the limit at which a warning is written, in per cent, highest first.
const WARN_AT: [u8; 2] = [90, 75];

/// How long sinks are given after a start to say where they are.
const SETTLING: Duration = Duration::from_secs(60);

/// What the last look at the trail found.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    /// The share that was last warned about; 0 when there is room.
    warned: u8,
    /// What the trail already says is removed, and is not yet.
    declared: Option<prune::Plan>,
    first_look: Option<Instant>,
    verifying: Arc<AtomicBool>,
}

impl Upkeep {
    /// Removes what may go, and warns before anything must.
    pub(super) fn tidy(&mut self, keeper: &Keeper, shared: &Shared) {
        // What cannot be written down must not be done.
        if keeper.recorder.inbox().failing().is_none() {
            let tidied = self.try_tidy(keeper, shared);
            shared.concern("journal", tidied.err());
        }
    }

    fn try_tidy(&mut self, keeper: &Keeper, shared: &Shared) -> Result<(), String> {
        let (disk, dir) = (&*keeper.base.disk, keeper.journal.dir());
        if let Some(plan) = self.declared.take() {
            return self.carry_out(keeper, plan);
        }
        let segments = prune::inventory(disk, dir)
            .map_err(|error| format!("cannot list the journal: {error}"))?;
        let keep = within_volume(keeper.keep, disk.space(dir).ok().map(|space| space.total));
        let keep = while_held(keep, shared.is_held());
        let Some(delivered_below) = self.delivered_below(keeper) else {
            return Ok(());
        };
        let waiting = undelivered(&segments, delivered_below);
        self.warn(keeper, shared, waiting, keep.undelivered_bytes);
        let now = keeper.recorder.now();
        let Some(plan) = prune::plan(&segments, delivered_below, keep, now) else {
            return Ok(());
        };
        // The record of it first, durably; then the files.
        let has_sinks = !keeper.delivery.stats().is_empty();
        if keeper
            .recorder
            .own(about::pruned(&plan, has_sinks))
            .is_none()
        {
            return Err("old segments are kept: the record of removing them was not taken".into());
        }
        self.carry_out(keeper, plan)
    }

    /// The numbers that every sink has; `None` while that is not known.
    fn delivered_below(&mut self, keeper: &Keeper) -> Option<u64> {
        let trail = keeper.journal.origin.trail;
        let first = *self.first_look.get_or_insert_with(Instant::now);
        let positions = keeper.delivery.positions();
        let mut of_trail = positions
            .iter()
            .flat_map(|(_, all)| all)
            .filter(|at| at.trail == trail);
        // A sink that has not said where it is would look like one that has nothing. One that is
        // down from the start is not waited for any longer: the bounds must hold.
        let guessed = of_trail.any(|at| at.standing == Standing::Guessed);
        if guessed && first.elapsed() < SETTLING {
            return None;
        }
        // Without a sink the journal is the only copy: nothing in it counts as delivered.
        Some(keeper.delivery.lowest(trail).unwrap_or(0))
    }

    /// Removes the segments of a plan whose record is appended; what fails is tried again at the
    /// next look, without another record.
    fn carry_out(&mut self, keeper: &Keeper, plan: prune::Plan) -> Result<(), String> {
        let durable = keeper
            .recorder
            .inbox()
            .flush()
            .map_or(Ok(()), |committed| block_on(committed).map(drop));
        let removed = durable.map_err(|error| error.to_string()).and_then(|()| {
            prune::carry_out(&*keeper.base.disk, keeper.journal.dir(), &plan)
                .map_err(|error| error.to_string())
        });
        removed.map_err(|error| {
            self.declared = Some(plan);
            format!("old segments are still there: {error}")
        })
    }

    fn warn(&mut self, keeper: &Keeper, shared: &Shared, bytes: u64, limit: u64) {
        let percent = u8::try_from(bytes.saturating_mul(100) / limit.max(1)).unwrap_or(u8::MAX);
        let level = WARN_AT
            .into_iter()
            .find(|level| percent >= *level)
            .unwrap_or(0);
        if level > self.warned {
            tracing::warn!(target: "tower_audit", percent, bytes, limit, "undelivered audit records fill their share of the disk");
            keeper.recorder.own(about::capacity(percent, bytes, limit));
        }
        self.warned = level;
        let reason = (level > 0).then(|| format!("undelivered records use {percent} % of {limit} bytes; past it the oldest are missed"));
        shared.concern("capacity", reason);
    }
}

/// While the store has holds nothing goes for its age. Its bytes stay bounded: a full disk would cost
/// what is yet to be recorded, and what goes is delivered, and held there.
fn while_held(keep: Keep, is_held: bool) -> Keep {
    if !is_held {
        return keep;
    }
    Keep {
        delivered_age: Duration::MAX,
        ..keep
    }
}

/// Undelivered records may use half of a small volume at most.
fn within_volume(keep: Keep, total: Option<u64>) -> Keep {
    let half = total.map_or(u64::MAX, |total| total / 2);
    Keep {
        undelivered_bytes: keep.undelivered_bytes.min(half),
        ..keep
    }
}

fn undelivered(segments: &[SegmentInfo], delivered_below: u64) -> u64 {
    let waits = |info: &&SegmentInfo| info.end.is_none_or(|end| end > delivered_below);
    segments.iter().filter(waits).map(|info| info.bytes).sum()
}

impl Upkeep {
    /// Checks the own trail on a thread of its own, and writes down what was found.
    ///
    /// It reads the whole trail, which may take long; meanwhile everything else goes on. One check
    /// runs at a time.
    pub(super) fn verify(&self, keeper: &Keeper, shared: &Arc<Shared>) {
        if self.verifying.swap(true, Ordering::AcqRel) {
            return;
        }
        let disk = Arc::clone(&keeper.base.disk);
        let dir = keeper.journal.dir().to_owned();
        let (recorder, shared) = (keeper.recorder.clone(), Arc::clone(shared));
        let running = Running(Arc::clone(&self.verifying));
        let check = move || {
            let _running = running;
            let (head, findings) = verdict(verify::journal(dir, verify::Options::new().disk(disk)));
            recorder.own(about::verified(head, &findings));
            let first = findings.first();
            shared.concern(
                "verify",
                first.map(|first| format!("the trail does not verify: {first}")),
            );
        };
        let thread = std::thread::Builder::new().name("audit-verify".into());
        if let Err(error) = thread.spawn(check) {
            tracing::warn!(target: "tower_audit", %error, "the daily check of the audit trail was left out");
        }
    }
}

/// Ends a check, also when it panics, or never began.
struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// The tree head of a trail that holds, or what is wrong with it.
fn verdict(report: Result<verify::Report, verify::VerifyError>) -> (Option<TreeHead>, Vec<String>) {
    match report {
        Ok(report) => {
            let head = report.trails.first().and_then(|trail| trail.head);
            (head, report.findings().map(ToString::to_string).collect())
        }
        Err(error) => (None, vec![error.to_string()]),
    }
}
