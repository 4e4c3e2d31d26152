//! Whether what prunes are said to have removed is what is missing.
//!
//! In one transaction a prune keeps the leaves of some records, removes them, and adds their number
//! to its row. So there are never more leaves than all rows say. There are fewer only where a
//! record came again from a journal after it was removed, and was removed again; no single prune
//! removes a record twice. A row is not changed after its end, and the `audit.prune` that a service
//! writes then has the same number.

use crate::store::Store;

use super::{
    Finding, Kind, Note, NoteKind, Report, TrailReport, VerifyError,
    prunes::{PruneReport, Recorded},
    report::{leaves_are, plural},
    store::failed,
};

/// Compares the leaves that were found with what prunes say, and that with what trails say. To be
/// asked after the leaves were read: both only grow, and what is removed meanwhile must not look
/// like too many. `None` where nothing was ever removed.
pub(super) async fn check(
    store: &Store,
    found: &Report,
    journal: Option<&Report>,
) -> Result<Option<PruneReport>, VerifyError> {
    let mut recorded = Recorded::default();
    let in_journal = journal.iter().flat_map(|journal| &journal.trails);
    for trail in found.trails.iter().chain(in_journal) {
        recorded.0.extend(trail.prunes.0.iter().cloned());
    }
    let mut report = PruneReport {
        place: store.address().into(),
        ..PruneReport::default()
    };
    let leaves = |trail: &TrailReport| trail.emptied + trail.came_again;
    report.leaves = found.trails.iter().map(leaves).sum();
    let mut largest = 0;
    let mut after = String::new();
    loop {
        let page = store.prunes(&after).await.map_err(failed)?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.id);
        for prune in &page {
            report.prunes += 1;
            report.removed = report.removed.saturating_add(prune.removed);
            largest = largest.max(prune.removed);
            // One that has not ended goes on; or it never ended, and nothing was recorded.
            if prune.has_ended {
                compare(&mut report, &prune.id, prune.removed, &recorded);
            }
        }
    }
    if report.leaves > report.removed {
        too_many(&mut report);
    } else if report.leaves < report.removed {
        // Some may be of trails, or of numbers, that were not looked at.
        let kept = store.count_emptied(report.removed).await.map_err(failed)?;
        too_few(&mut report, kept, largest);
    }
    let is_empty = report.prunes == 0 && report.leaves == 0;
    Ok((!is_empty).then_some(report))
}

fn compare(report: &mut PruneReport, id: &str, removed: u64, recorded: &Recorded) {
    let mut is_recorded = false;
    let said = (id.to_owned(), u64::MIN)..=(id.to_owned(), u64::MAX);
    for (_, said) in recorded.0.range(said) {
        is_recorded = true;
        if *said != removed {
            let what = format!(
                "by audit_prunes the prune {id} removed {removed}, and by the audit.prune of a trail \
                 {said}: one of both was changed"
            );
            report.findings.push(Finding::new(Kind::Prunes, what));
        }
    }
    report.recorded += u64::from(is_recorded);
}

fn too_many(report: &mut PruneReport) {
    let (leaves, removed) = (report.leaves, report.removed);
    let more = leaves - removed;
    let what = format!(
        "{} kept of removed records, and by audit_prunes all prunes together removed {removed}: {} \
         removed by something else, which left the leaves",
        leaves_are(leaves),
        records_were(more),
    );
    report.findings.push(Finding::new(Kind::Prunes, what));
}

fn too_few(report: &mut PruneReport, kept: u64, largest: u64) {
    let removed = report.removed;
    if kept >= removed {
        return;
    }
    let said = format!("{} kept of removed records", leaves_are(kept));
    if kept < largest {
        let what = format!(
            "{said}, and by audit_prunes one prune alone removed {largest}: leaves were removed, or that \
             number was changed"
        );
        report.findings.push(Finding::new(Kind::Prunes, what));
    } else {
        let what = format!(
            "{said}, and by audit_prunes all prunes together removed {removed}: {} removed more than \
             once, having come again from a journal; or leaves were removed, or a number changed",
            records_were(removed - kept),
        );
        report.notes.push(Note::new(NoteKind::Prunes, what));
    }
}

fn records_were(count: u64) -> String {
    let verb = if count == 1 { "was" } else { "were" };
    format!("{count} {} {verb}", plural(count, "record"))
}
