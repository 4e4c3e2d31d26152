//! Which old segments go, and how: decided on plain values, carried out file by file.
//!
//! Only the oldest segments go, never the newest, so that what is kept is one unbroken run whose
//! first header holds the tree over everything before it.

use std::{io, path::Path, time::Duration};

use crate::{clock::Timestamp, disk::Disk};

use super::{
    line::{self, Control, Line},
    segment::{self, SegmentName},
};

/// One segment file, seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentInfo {
    pub(crate) name: SegmentName,
    pub(crate) bytes: u64,
    /// The numbers it speaks for end here (exclusive); `None` for the newest.
    pub(crate) end: Option<u64>,
    /// When the next segment was begun, and this one therefore done; `None` for the newest.
    pub(crate) sealed_at: Option<Timestamp>,
}

/// How much of a trail stays on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keep {
    /// Segments that every sink has are kept this long …
    pub(crate) delivered_age: Duration,
    /// … but not more bytes of them than this.
    pub(crate) delivered_bytes: u64,
    /// Segments that some sink still waits for are kept up to this many bytes.
    pub(crate) undelivered_bytes: u64,
}

/// What is to be removed, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) remove: Vec<SegmentName>,
    pub(crate) bytes: u64,
    /// The first segment that is kept, which the trail names before anything is removed.
    pub(crate) first_kept: SegmentName,
    /// Numbers (start inclusive, end exclusive) that some sink did not have yet.
    pub(crate) missed: Option<(u64, u64)>,
}

/// Lists a trail's segments with what pruning must know.
pub(crate) fn inventory(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<SegmentInfo>> {
    let (names, _) = segment::list(disk, dir)?;
    let mut infos = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let bytes = disk.stat(&dir.join(name.file()))?.len;
        let next = names.get(index + 1);
        infos.push(SegmentInfo {
            name: *name,
            bytes,
            end: next.and_then(|_| segment::superseded_at(&names, name.generation)),
            sealed_at: next.and_then(|next| begun_at(disk, &dir.join(next.file()))),
        });
    }
    Ok(infos)
}

/// The time in a segment's header. One that cannot be read never makes anything old.
fn begun_at(disk: &dyn Disk, path: &Path) -> Option<Timestamp> {
    let file = disk.open(path).ok()?;
    let mut lines = segment::Lines::new(file, 0);
    let segment::RawLine::Whole(bytes) = lines.next().ok()? else {
        return None;
    };
    match line::decode(bytes) {
        Ok(Line::Control(Control::Head(head))) => Some(head.time),
        _ => None,
    }
}

/// Decides what goes. `delivered_below`: every sink has all numbers below it.
pub(crate) fn plan(
    segments: &[SegmentInfo],
    delivered_below: u64,
    keep: Keep,
    now: Timestamp,
) -> Option<Plan> {
    let (_, sealed) = segments.split_last()?;
    let is_delivered = |info: &SegmentInfo| info.end.is_some_and(|end| end <= delivered_below);
    let total = |delivered: bool| -> u64 {
        sealed
            .iter()
            .filter(|info| is_delivered(info) == delivered)
            .map(|info| info.bytes)
            .sum()
    };
    let (mut delivered, mut undelivered) = (total(true), total(false));
    let mut remove = Vec::new();
    for info in sealed {
        let old = info
            .sealed_at
            .is_some_and(|at| now.since(at) > keep.delivered_age);
        let goes = if is_delivered(info) {
            // Delivered segments also make room for those that are not.
            old || delivered > keep.delivered_bytes || undelivered > keep.undelivered_bytes
        } else {
            undelivered > keep.undelivered_bytes
        };
        if !goes {
            break;
        }
        let pool = if is_delivered(info) {
            &mut delivered
        } else {
            &mut undelivered
        };
        *pool = pool.saturating_sub(info.bytes);
        remove.push(info);
    }
    let last = remove.last()?;
    let lost_to = last.end.filter(|end| *end > delivered_below);
    let lost_from = remove
        .first()
        .map_or(0, |info| info.name.start)
        .max(delivered_below);
    Some(Plan {
        bytes: remove.iter().map(|info| info.bytes).sum(),
        first_kept: segments.get(remove.len())?.name,
        missed: lost_to.map(|to| (lost_from, to)),
        remove: remove.iter().map(|info| info.name).collect(),
    })
}

/// Removes what a plan says. Stops at the first error; what is left goes another time.
pub(crate) fn carry_out(disk: &dyn Disk, dir: &Path, plan: &Plan) -> io::Result<()> {
    for name in &plan.remove {
        match disk.remove(&dir.join(name.file())) {
            // Removed by an attempt that failed at a later one.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
    }
    disk.sync_dir(dir)
}

/// Removes half-made segments that a crash left behind; nothing was ever acknowledged from them.
///
/// Only for a trail whose lock is held, before its writer starts.
pub(crate) fn sweep(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    for entry in disk.list(dir)? {
        let half_made = entry.name.strip_suffix(".new").and_then(SegmentName::parse);
        if half_made.is_some() {
            disk.remove(&dir.join(entry.name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000_000_000;

    /// Segments of ten records and 100 bytes each; the newest is open.
    fn segments(count: u64, sealed_s_ago: i64) -> Vec<SegmentInfo> {
        (0..count)
            .map(|i| {
                let newest = i + 1 == count;
                SegmentInfo {
                    name: SegmentName {
                        generation: i + 1,
                        start: i * 10,
                    },
                    bytes: 100,
                    end: (!newest).then_some(i * 10 + 10),
                    sealed_at: (!newest)
                        .then(|| Timestamp::from_micros(NOW - sealed_s_ago * 1_000_000)),
                }
            })
            .collect()
    }

    fn starts(plan: Option<&Plan>) -> Vec<u64> {
        plan.map(|plan| plan.remove.iter().map(|name| name.start).collect())
            .unwrap_or_default()
    }

    fn keep(age_s: u64, delivered_bytes: u64, undelivered_bytes: u64) -> Keep {
        Keep {
            delivered_age: Duration::from_secs(age_s),
            delivered_bytes,
            undelivered_bytes,
        }
    }

    #[test]
    fn what_goes_and_what_stays() {
        let table = [
            (
                "young and small: all stay",
                40,
                keep(60, 1000, 1000),
                vec![],
                None,
            ),
            (
                "old and delivered: all but the newest go",
                50,
                keep(5, 1000, 1000),
                vec![0, 10, 20, 30],
                None,
            ),
            (
                "old, but a sink is behind",
                20,
                keep(5, 1000, 1000),
                vec![0, 10],
                None,
            ),
            (
                "too many delivered bytes",
                50,
                keep(60, 250, 1000),
                vec![0, 10],
                None,
            ),
            (
                "too many undelivered bytes",
                0,
                keep(60, 1000, 250),
                vec![0, 10],
                Some((0, 20)),
            ),
            (
                "a sink loses only what it lacks",
                15,
                keep(60, 1000, 150),
                vec![0, 10, 20],
                Some((15, 30)),
            ),
        ];
        for (name, delivered_below, keep, expected, missed) in table {
            let plan = plan(
                &segments(5, 10),
                delivered_below,
                keep,
                Timestamp::from_micros(NOW),
            );
            assert_eq!(starts(plan.as_ref()), expected, "{name}");
            assert_eq!(plan.as_ref().and_then(|plan| plan.missed), missed, "{name}");
            if let Some(plan) = plan {
                assert_eq!(plan.first_kept.start, expected.len() as u64 * 10, "{name}");
            }
        }
    }

    #[test]
    fn the_only_segment_stays_whatever_the_limits() {
        let none = Keep {
            delivered_age: Duration::ZERO,
            delivered_bytes: 0,
            undelivered_bytes: 0,
        };
        assert_eq!(
            plan(&segments(1, 10), 100, none, Timestamp::from_micros(NOW)),
            None
        );
        assert_eq!(plan(&[], 100, none, Timestamp::from_micros(NOW)), None);
    }
}
