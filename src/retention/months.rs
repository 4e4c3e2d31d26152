//! Parts of the records that go at once: as a whole, or made anew with the little that stays.

use super::{
    RetentionError,
    step::{LOWEST, Walk, fill, rest},
    tables::{Alike, Key, Part, Removed, Run, TablesError},
    walk::{Tally, least_kept},
};

/// The most records that a part is made anew with: so long whoever reads or writes it waits.
const MOST_KEPT: u64 = 10_000;
/// A part is made anew when no more stays than one record for so many pages of it. A new one has a
/// record on each page at least, so that it is not made anew again.
const PAGES_OF_EACH: u64 = 2;
/// What takes fewer pages goes row by row as fast.
const LEAST_PAGES: u64 = 64;

/// What a part comes to, record by record.
enum Judgement {
    /// Little stays: what goes, what stays, and how many records there are.
    Little(Tally, Vec<Key>, u64),
    Much,
    /// It was asked to end.
    Ended,
}

impl Walk<'_> {
    /// Which parts go as a whole.
    pub(super) async fn plan_parts(&mut self, up_to: Key) -> Result<(), RetentionError> {
        let empty = Tally::new(self.retention);
        for part in self.parts_up_to(up_to).await? {
            let alike = self.alike(&part).await?;
            if self.judge_whole(&empty, &part, &alike).is_some() {
                self.parts.push(part.name);
            }
        }
        Ok(())
    }

    /// Takes what can go at once, the oldest part first; false when it was asked to end.
    pub(super) async fn take_parts(
        &mut self,
        up_to: Key,
        run: &mut Run,
        go_on: &mut (impl FnMut(u64) -> bool + Send),
        left: &mut Vec<String>,
    ) -> Result<bool, RetentionError> {
        for part in self.parts_up_to(up_to).await? {
            let alike = self.alike(&part).await?;
            if let Some(tally) = self.judge_whole(&self.tally, &part, &alike) {
                if !go_on(self.tally.removed) {
                    return Ok(false);
                }
                let count = alike.iter().map(|alike| alike.count).sum();
                self.drop_part(part, count, tally, run, left).await?;
                continue;
            }
            let most = MOST_KEPT.min(part.pages / PAGES_OF_EACH);
            let surely = least_kept(&part, &alike, self.retention, self.now);
            if part.pages < LEAST_PAGES || surely > most {
                continue;
            }
            match self.judge_each(&part, most, go_on).await? {
                Judgement::Little(month, kept, count) => {
                    let tally = self.tally.and_removed(&month);
                    if kept.is_empty() {
                        self.drop_part(part, count, tally, run, left).await?;
                    } else {
                        self.renew_part(part, &kept, count, tally, run, left)
                            .await?;
                    }
                }
                Judgement::Much => {}
                Judgement::Ended => return Ok(false),
            }
        }
        Ok(true)
    }

    async fn parts_up_to(&mut self, up_to: Key) -> Result<Vec<Part>, RetentionError> {
        let parts = self.pruner.tables.parts(up_to).await;
        parts.map_err(|error| self.pruner.failed(error))
    }

    async fn alike(&mut self, part: &Part) -> Result<Vec<Alike>, RetentionError> {
        let alike = self.pruner.tables.alike(part).await;
        alike.map_err(|error| self.pruner.failed(error))
    }

    fn judge_whole(&self, tally: &Tally, part: &Part, alike: &[Alike]) -> Option<Tally> {
        tally.judge_part(part, alike, self.retention, &self.holds, self.now)
    }

    /// Judges each record of a part, until too many stay.
    async fn judge_each(
        &mut self,
        part: &Part,
        most: u64,
        go_on: &mut (impl FnMut(u64) -> bool + Send),
    ) -> Result<Judgement, RetentionError> {
        let mut tally = Tally::new(self.retention);
        let (mut kept, mut count) = (Vec::new(), 0);
        // Above the one, and up to the other.
        let (mut after, last) = (before(part.low), before(part.high));
        loop {
            if !go_on(self.tally.removed) {
                return Ok(Judgement::Ended);
            }
            let (page, took) = self.page(after, last).await?;
            let Some(end) = page.last() else {
                return Ok(Judgement::Little(tally, kept, count));
            };
            after = end.id;
            count += page.len() as u64;
            let judged = self.judge(&tally, &page);
            tally = judged.tally;
            kept.extend(judged.staying);
            if kept.len() as u64 > most {
                return Ok(Judgement::Much);
            }
            rest(took).await;
        }
    }

    async fn drop_part(
        &mut self,
        part: Part,
        count: u64,
        tally: Tally,
        run: &mut Run,
        left: &mut Vec<String>,
    ) -> Result<(), RetentionError> {
        let noted = noted(run, &tally);
        let tables = &mut self.pruner.tables;
        let dropped = tables.drop_part(&part, count, &self.holds, &noted).await;
        if self.is_done(dropped, "dropped", &part, left).await? {
            (self.tally, *run) = (tally, noted);
            self.parts.push(part.name);
        }
        Ok(())
    }

    async fn renew_part(
        &mut self,
        part: Part,
        kept: &[Key],
        count: u64,
        tally: Tally,
        run: &mut Run,
        left: &mut Vec<String>,
    ) -> Result<(), RetentionError> {
        let noted = noted(run, &tally);
        let tables = &mut self.pruner.tables;
        let renewed = tables
            .renew_part(&part, kept, count, &self.holds, &noted)
            .await;
        if self.is_done(renewed, "made anew", &part, left).await? {
            (self.tally, *run) = (tally, noted);
            self.renewed.push(part.name);
        }
        Ok(())
    }

    /// Whether a part was taken; says in `left` why not.
    async fn is_done(
        &mut self,
        removed: Result<Removed, TablesError>,
        what: &str,
        part: &Part,
        left: &mut Vec<String>,
    ) -> Result<bool, RetentionError> {
        let name = &part.name;
        match removed {
            Ok(Removed::Done) => return Ok(true),
            Ok(Removed::Holds(holds)) => self.holds = holds,
            Ok(Removed::Others) => {}
            Ok(Removed::Left(reason)) => left.push(format!(
                "the part {name} was not {what}: {reason}; its records go one by one"
            )),
            Err(error) if error.is_lasting => return Err(self.pruner.failed(error)),
            Err(error) => {
                left.push(format!("the part {name} was not {what}: {}", error.reason));
                self.passes(error, &mut 0).await?;
            }
        }
        Ok(false)
    }
}

fn noted(run: &Run, tally: &Tally) -> Run {
    let mut noted = run.clone();
    fill(tally, &mut noted);
    noted
}

/// The id before one.
fn before(id: Key) -> Key {
    let before = u128::from_be_bytes(id).checked_sub(1);
    before.map_or(LOWEST, u128::to_be_bytes)
}
