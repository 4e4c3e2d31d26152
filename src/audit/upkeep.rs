//! What keeps a trail within its bounds and watches that it holds.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{
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

/// What the last look at the trail found.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    /// The share that was last warned about; 0 when there is room.
    warned: u8,
    verifying: Arc<AtomicBool>,
}

impl Upkeep {
    /// Removes what may go, and warns before anything must.
    pub(super) fn tidy(&mut self, keeper: &Keeper, shared: &Shared) {
        let (disk, dir) = (&*keeper.base.disk, keeper.journal.dir());
        let segments = match prune::inventory(disk, dir) {
            Ok(segments) => segments,
            Err(error) => {
                shared.concern("journal", [format!("cannot list the journal: {error}")]);
                return;
            }
        };
        let keep = within_volume(keeper.keep, disk.space(dir).ok().map(|space| space.total));
        let trail = keeper.journal.origin.trail;
        // Without a sink the journal is the only copy: nothing in it counts as delivered.
        let delivered_below = keeper.delivery.lowest(trail).unwrap_or(0);
        self.warn(
            keeper,
            shared,
            undelivered(&segments, delivered_below),
            keep.undelivered_bytes,
        );
        let plan = prune::plan(&segments, delivered_below, keep, keeper.recorder.now());
        let pruned = plan.map_or(Ok(()), |plan| Self::prune(keeper, &plan));
        shared.concern("journal", pruned.err());
    }

    /// Writes the record of it, durably, before the first file goes.
    fn prune(keeper: &Keeper, plan: &prune::Plan) -> Result<(), String> {
        let Some(appended) = keeper.recorder.own(about::pruned(plan)) else {
            return Err("old segments are kept: the record of removing them was not taken".into());
        };
        block_on(appended.ticket.committed())
            .map_err(|error| format!("old segments are kept: {error}"))?;
        prune::carry_out(&*keeper.base.disk, keeper.journal.dir(), plan)
            .map_err(|error| format!("cannot remove an old segment: {error}"))
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
        let verifying = Arc::clone(&self.verifying);
        let check = move || {
            let (head, findings) = verdict(verify::journal(dir, verify::Options::new().disk(disk)));
            recorder.own(about::verified(head, &findings));
            let first = findings
                .first()
                .map(|first| format!("the trail does not verify: {first}"));
            shared.concern("verify", first);
            verifying.store(false, Ordering::Release);
        };
        let thread = std::thread::Builder::new().name("audit-verify".into());
        if let Err(error) = thread.spawn(check) {
            self.verifying.store(false, Ordering::Release);
            tracing::warn!(target: "tower_audit", %error, "the daily check of the audit trail was left out");
        }
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
