//! Whether a store holds what was delivered to it, and the journal the same.

use std::path::Path;

use uuid::Uuid;

use crate::{
    evidence::{Hash, Tree, leaf_hash},
    record::Record,
    store::{Leaf, Store, StoreError, TrailState},
};

use super::{
    Finding, Kind, Note, NoteKind, Options, Progress, Report, TrailReport, VerifyError,
    anchors::Anchors,
    emptied::Emptied,
    excused::{Excused, Gap},
    journal::journal,
    pruned,
    twin::Twin,
};

/// Records that are asked for at a time: a few megabytes at most.
pub(super) const PAGE: usize = 1000;

/// Checks every trail of which there is something in a store.
///
/// Each record's bytes must have the leaf hash that stands beside them, numbers must have no gap
/// up to the cursor, and the tree head that came with the last batch must be the one that they
/// make. The last is only possible for a trail that is here from number 0 on.
///
/// Reads the whole store once, a page at a time, and changes nothing. It may be filled meanwhile.
///
/// # Errors
///
/// When the store cannot be read. What is wrong with it is no error but a finding.
pub async fn store(store: &Store, options: Options<'_>) -> Result<Report, VerifyError> {
    let states = store.trails().await.map_err(failed)?;
    check(store, states, &options, None).await
}

/// Checks the trails of a directory as [`journal`] does, a store as [`store`] does, and that both
/// hold the same: whatever the store must have by its cursor is there, with the same leaf hash,
/// and it has nothing that the journal does not.
///
/// The report has a row for each trail of the journal, then one for each of the store. Reading the
/// journal blocks the thread.
///
/// # Errors
///
/// When one of both cannot be read.
pub async fn journal_and_store(
    dir: impl AsRef<Path>,
    store: &Store,
    options: Options<'_>,
) -> Result<Report, VerifyError> {
    // The store first: what it has by now, the journal has as well, and not the other way round.
    let states = store.trails().await.map_err(failed)?;
    let mut report = journal(&dir, options.clone())?;
    let both = check(store, states, &options, Some(&mut report)).await?;
    report.trails.extend(both.trails);
    report.prunes = both.prunes;
    Ok(report)
}

async fn check(
    store: &Store,
    states: Vec<TrailState>,
    options: &Options<'_>,
    mut journal: Option<&mut Report>,
) -> Result<Report, VerifyError> {
    let mut report = Report::default();
    let mut excused = Excused::default();
    let mut gaps: Vec<Vec<Gap>> = Vec::new();
    for state in &states {
        let twin = journal
            .as_deref_mut()
            .and_then(|journal| Twin::of(journal, state, options));
        let mut walk = Walk::new(store, state, options, twin);
        walk.run(&mut excused).await?;
        let (trail, found) = walk.finish().await?;
        report.trails.push(trail);
        gaps.push(found);
    }
    // A record that declares a gap may be in another trail: that of the process that met it.
    for (trail, gaps) in report.trails.iter_mut().zip(gaps) {
        for gap in gaps {
            excused.judge(gap, trail);
        }
    }
    report.prunes = pruned::check(store, &report, journal.as_deref()).await?;
    if let Some(journal) = journal {
        only_in_journal(journal, &states, store);
    } else {
        absent(&mut report, options, store);
    }
    Ok(report)
}

fn only_in_journal(journal: &mut Report, states: &[TrailState], store: &Store) {
    for trail in &mut journal.trails {
        let is_here = |state: &TrailState| Some(state.origin.trail) == trail.trail;
        if !states.iter().any(is_here) && trail.records > 0 {
            let what = format!("nothing of this trail is in {}", store.address());
            trail.note(Note::new(NoteKind::OnlyHere, what));
        }
    }
}

fn absent(report: &mut Report, options: &Options<'_>, store: &Store) {
    for expected in &options.expected {
        if !report
            .trails
            .iter()
            .any(|trail| trail.trail == Some(expected.trail))
        {
            report
                .trails
                .push(TrailReport::absent(expected, Path::new(&store.address())));
        }
    }
}

pub(super) fn failed(error: StoreError) -> VerifyError {
    VerifyError::Store(Box::new(error))
}

/// The walk through one trail of a store, in ascending order of number.
pub(super) struct Walk<'a> {
    pub(super) store: &'a Store,
    pub(super) state: &'a TrailState,
    options: &'a Options<'a>,
    /// The same trail in the journal.
    twin: Option<Twin>,
    pub(super) report: TrailReport,
    pub(super) anchors: Anchors,
    /// None when numbers are missing before.
    pub(super) tree: Option<Tree>,
    /// The number that comes next.
    pub(super) next: u64,
    gaps: Vec<Gap>,
    pub(super) begun: bool,
}

impl<'a> Walk<'a> {
    fn new(
        store: &'a Store,
        state: &'a TrailState,
        options: &'a Options<'a>,
        twin: Option<Twin>,
    ) -> Self {
        let trail = state.origin.trail;
        let report = TrailReport {
            trail: Some(trail),
            place: store.address().into(),
            service: Some(state.origin.service.clone()),
            instance: state.origin.instance.clone(),
            ..TrailReport::default()
        };
        let mut walk = Self {
            store,
            state,
            options,
            twin,
            report,
            anchors: Anchors::new(&options.expected, Some(trail)),
            tree: Some(Tree::default()),
            next: 0,
            gaps: Vec::new(),
            begun: false,
        };
        walk.anchor();
        walk
    }

    async fn run(&mut self, excused: &mut Excused) -> Result<(), VerifyError> {
        let trail = self.state.origin.trail;
        let mut from = 0;
        loop {
            let page = self.leaves(trail, from, PAGE).await?;
            let Some(last) = page.last().map(|leaf| leaf.number) else {
                break;
            };
            // What was removed before this page was read is in what is read after it.
            let to = self.state.next.min(last + 1);
            let mut emptied = Emptied::new(from..to);
            for leaf in page.iter().filter(|leaf| leaf.number < self.state.next) {
                self.fill(&mut emptied, leaf.number).await?;
                self.same_as_emptied(&mut emptied, leaf);
                self.leaf(leaf, excused)?;
            }
            self.fill(&mut emptied, to).await?;
            self.tell();
            if last >= self.state.next {
                break;
            }
            from = last + 1;
        }
        let rest = from.min(self.state.next)..self.state.next;
        self.fill(&mut Emptied::new(rest), self.state.next).await?;
        if self.next < self.state.next {
            self.gap(self.state.next)?;
        }
        Ok(())
    }

    async fn leaves(&self, trail: Uuid, from: u64, most: usize) -> Result<Vec<Leaf>, VerifyError> {
        self.store.leaves(trail, from, most).await.map_err(failed)
    }

    fn tell(&self) {
        if let Some(tell) = self.options.progress {
            tell(Progress {
                trail: self.report.trail,
                done: self.next,
                of: self.state.next,
            });
        }
    }

    fn leaf(&mut self, leaf: &Leaf, excused: &mut Excused) -> Result<(), VerifyError> {
        if leaf.number < self.next {
            let finding = Finding::new(
                Kind::Duplicate,
                "another record stands under this number as well",
            );
            self.report.find(finding.number(leaf.number));
            return Ok(());
        }
        if leaf.number > self.next {
            self.gap(leaf.number)?;
        }
        self.report.bytes += leaf.json.len() as u64;
        if self.bytes_hold(leaf) {
            self.report.records += 1;
            excused.record(&leaf.json);
            self.report.prunes.record(&leaf.json);
        }
        self.same_in_journal(leaf.number, leaf.leaf)?;
        self.anchors.leaf(leaf.number, leaf.leaf, &mut self.report);
        self.next = leaf.number + 1;
        if let Some(tree) = &mut self.tree {
            tree.push(leaf.leaf);
        }
        self.anchor();
        self.since(leaf);
        Ok(())
    }

    fn bytes_hold(&mut self, leaf: &Leaf) -> bool {
        let computed = leaf_hash(leaf.json.as_bytes());
        if computed != leaf.leaf {
            let what = format!(
                "its text has leaf hash {computed}, and was delivered with {}",
                leaf.leaf
            );
            self.report
                .find(Finding::new(Kind::Leaf, what).number(leaf.number));
        } else if let Some(column) = &leaf.stray {
            let what = format!(
                "the column {column} is not what the record says, so that a search goes wrong"
            );
            self.report
                .find(Finding::new(Kind::Column, what).number(leaf.number));
        }
        computed == leaf.leaf
    }

    pub(super) fn same_in_journal(&mut self, number: u64, leaf: Hash) -> Result<(), VerifyError> {
        let Some(twin) = &mut self.twin else {
            return Ok(());
        };
        if let Some(theirs) = twin.leaf(number)?.filter(|theirs| *theirs != leaf) {
            let what = format!("the leaf hash is {leaf} here, and {theirs} in the journal");
            self.report
                .find(Finding::new(Kind::Differs, what).number(number));
        }
        Ok(())
    }

    /// Compares what is known about the tree of this size.
    pub(super) fn anchor(&mut self) {
        let Some(tree) = &self.tree else { return };
        self.anchors.tree(tree, &mut self.report);
        let Some(kept) = self.state.head.filter(|kept| kept.size == tree.size()) else {
            return;
        };
        let root = tree.root();
        if root != kept.root {
            let what = format!(
                "the records make a tree of size {} with root {root}, and the one that came with them has {}",
                kept.size, kept.root
            );
            self.report.find(Finding::new(Kind::Root, what));
        }
    }

    /// From which record on nothing from outside vouches.
    fn since(&mut self, leaf: &Leaf) {
        let first = !std::mem::replace(&mut self.begun, true);
        if self
            .anchors
            .held
            .is_some_and(|held| held.size > leaf.number)
        {
            self.report.unanchored_since = None;
        } else if first
            || self
                .anchors
                .held
                .is_some_and(|held| held.size == leaf.number)
        {
            let record = Record::from_json(leaf.json.as_bytes()).ok();
            self.report.unanchored_since = record.and_then(|record| record.timestamp());
        }
    }

    /// The numbers from `next` to `to` (exclusive) are not here.
    pub(super) fn gap(&mut self, to: u64) -> Result<(), VerifyError> {
        let from = std::mem::replace(&mut self.next, to);
        let in_journal = match &mut self.twin {
            Some(twin) => twin.first_in(from, to)?,
            None => None,
        };
        self.tree = None;
        if !self.begun && self.report.emptied == 0 && in_journal.is_none() {
            self.report.first = to;
            let what =
                format!("numbers below {to} are not here, so that the tree cannot be computed");
            self.report.note(Note::new(NoteKind::Unlinked, what));
        } else {
            self.gaps.push(Gap {
                trail: self.state.origin.trail,
                from,
                to,
                in_journal,
            });
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<(TrailReport, Vec<Gap>), VerifyError> {
        self.beyond_cursor().await?;
        if let Some(twin) = &self.twin
            && let Some(end) = twin.ends_before(self.state.next)
        {
            let what = format!(
                "records up to {} were delivered, and the journal ends before {end}: its end is missing",
                self.state.next - 1
            );
            self.report
                .find(Finding::new(Kind::NotInJournal, what).number(end));
        }
        if let Some(kept) = self.state.head.filter(|kept| kept.size > self.state.next) {
            let what = format!(
                "the cursor is at {}, before the tree head of size {} that came with a batch",
                self.state.next, kept.size
            );
            self.report.find(Finding::new(Kind::Cursor, what));
        }
        self.report.head = self
            .tree
            .as_ref()
            .map(Tree::head)
            .filter(|head| head.size > 0);
        self.anchors.finish(self.next, &mut self.report);
        self.report.anchored = self.anchors.held;
        Ok((self.report, self.gaps))
    }

    /// Whether a record stands where the cursor says that none was delivered yet.
    async fn beyond_cursor(&mut self) -> Result<(), VerifyError> {
        let trail = self.state.origin.trail;
        let beyond = self.leaves(trail, self.state.next, 1).await?;
        let Some(beyond) = beyond.first() else {
            return Ok(());
        };
        // It may have been delivered since we looked, and the cursor then moved with it.
        let states = self.store.trails().await.map_err(failed)?;
        let now = states.iter().find(|state| state.origin.trail == trail);
        let cursor = now.map_or(self.state.next, |state| state.next);
        if beyond.number >= cursor {
            let what = format!(
                "a record stands here, and by the cursor only those below {cursor} were delivered"
            );
            self.report
                .find(Finding::new(Kind::Cursor, what).number(beyond.number));
        }
        Ok(())
    }
}
