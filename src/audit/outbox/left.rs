//! Looks for the rows that dead processes left, and writes what is missing into the trail.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use crate::{
    clock::RecordId,
    journal::{Most, Reader, prune, trails},
    outbox::{LeftOver, OutboxError, Rows},
    record::{Owner, Record},
};

use super::{
    super::{
        about,
        adoption::Adoption,
        keeper::{Keeper, Shared},
    },
    remover::{Trouble, in_time},
};

/// Rows that are worked on at a time.
const PAGE: u32 = 200;

/// How much a clock may have been set back between the begin of a piece of work and the segment
/// that holds its record.
const SLACK: Duration = Duration::from_secs(60 * 60);

/// What the keeper does about an outbox, if there is one.
#[derive(Debug, Default)]
pub(in crate::audit) struct LeftOvers(Option<Looking>);

/// The rows, and what is on its way from them into the trail.
#[derive(Debug)]
pub(super) struct Looking {
    owner: Owner,
    rows: Box<dyn Rows>,
    abandoned_after: Duration,
    /// Appended by us and not known to be durable: its number.
    in_hand: BTreeMap<RecordId, u64>,
    removing: Arc<Trouble>,
    /// For the database's driver; made at the first look.
    runtime: Option<Runtime>,
}

/// Whether a trail may still write the records of its rows.
enum Fate {
    /// Somebody holds it.
    Alive,
    /// Nobody does, and nobody can while this lives.
    Dead(#[expect(dead_code, reason = "held, never read")] Option<trails::Held>),
    /// It is not below our base.
    Elsewhere,
}

/// What the rows of one page are.
#[derive(Default)]
struct Sorted {
    records: BTreeMap<RecordId, Record>,
    /// Their ids, and why.
    unreadable: Vec<(String, String)>,
}

impl LeftOvers {
    pub(super) const fn new(looking: Looking) -> Self {
        Self(Some(looking))
    }

    /// Takes over what nobody else answers for, and settles it.
    pub(in crate::audit) fn look(&mut self, keeper: &Keeper, adoption: &Adoption, shared: &Shared) {
        let Some(looking) = &mut self.0 else { return };
        // What cannot be written down is left where it is.
        if keeper.recorder.inbox().failing().is_none() {
            let looked = looking.block(keeper, adoption);
            let concerns = looked.err().into_iter().chain(looking.removing.reason());
            shared.concern("outbox", concerns);
        }
    }
}

impl Looking {
    pub(super) const fn new(
        owner: Owner,
        rows: Box<dyn Rows>,
        abandoned_after: Duration,
        removing: Arc<Trouble>,
    ) -> Self {
        Self {
            owner,
            rows,
            abandoned_after,
            in_hand: BTreeMap::new(),
            removing,
            runtime: None,
        }
    }

    fn block(&mut self, keeper: &Keeper, adoption: &Adoption) -> Result<(), String> {
        let runtime = match self.runtime.take() {
            Some(runtime) => runtime,
            None => Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| error.to_string())?,
        };
        let looked = runtime.block_on(self.look(keeper, adoption));
        self.runtime = Some(runtime);
        looked
    }

    async fn look(&mut self, keeper: &Keeper, adoption: &Adoption) -> Result<(), String> {
        self.take_over(keeper, adoption).await?;
        let mut before = None;
        loop {
            let address = self.rows.address();
            let left = in_time(address, self.rows.left(self.owner, PAGE)).await;
            let left = left.map_err(|error| error.explained())?;
            let Some(first) = left.first().map(|row| row.id.clone()) else {
                return Ok(());
            };
            // A trigger, or a right that is missing, must not keep the keeper here for ever.
            if before.replace(first.clone()) == Some(first) {
                return Err("rows of the outbox stay although they were removed".into());
            }
            self.settle(keeper, sort(left)).await?;
        }
    }

    /// Makes the rows of dead trails ours. From then on only our trail answers for them, whoever
    /// continues theirs.
    async fn take_over(&mut self, keeper: &Keeper, adoption: &Adoption) -> Result<(), String> {
        let address = self.rows.address();
        let trails = in_time(address, self.rows.trails(self.owner)).await;
        for trail in trails.map_err(|error| error.explained())? {
            if Uuid::try_parse(&trail) == Ok(self.owner.trail) {
                continue;
            }
            let fate = fate(keeper, adoption, &trail)?;
            let before = match fate {
                Fate::Alive => continue,
                Fate::Dead(_) => None,
                Fate::Elsewhere => {
                    let now = keeper.base.clock.now();
                    Some(RecordId::lowest_at(
                        now.saturating_sub(self.abandoned_after),
                    ))
                }
            };
            let address = self.rows.address();
            let claimed = in_time(address, self.rows.claim(&trail, self.owner, before)).await;
            claimed.map_err(|error| error.explained())?;
        }
        Ok(())
    }

    /// Writes what is in no journal into ours, and removes the rows once all of it is durable.
    async fn settle(&mut self, keeper: &Keeper, sorted: Sorted) -> Result<(), String> {
        let inbox = keeper.recorder.inbox();
        // What a crash left open was closed in our journal a moment ago: to be found it must be there.
        if let Some(committed) = inbox.flush() {
            committed.await.map_err(|error| error.to_string())?;
        }
        let mark = *inbox.mark().borrow();
        let ids: BTreeSet<RecordId> = sorted.records.keys().copied().collect();
        let found = find(keeper, &ids, mark).map_err(|error| error.to_string())?;
        let mut last = None;
        let mut written = Vec::new();
        for (id, record) in sorted.records {
            if found.contains(&id) || self.in_hand.contains_key(&id) {
                continue;
            }
            let appended = keeper.recorder.left_over(record, id);
            let ticket = appended.map_err(|rejected| rejected.to_string())?.ticket;
            self.in_hand
                .extend(ticket.number.map(|number| (id, number)));
            written.push(id);
            last = Some(ticket);
        }
        let known: Vec<RecordId> = found.iter().copied().collect();
        keeper
            .recorder
            .own(about::outbox(&written, &known, &sorted.unreadable));
        if let Some(ticket) = last {
            ticket
                .committed()
                .await
                .map_err(|error| error.to_string())?;
        }
        self.forget(&ids, &sorted.unreadable)
            .await
            .map_err(|error| error.explained())?;
        for id in ids {
            self.in_hand.remove(&id);
        }
        Ok(())
    }

    /// Every one of these is durable, or told of.
    async fn forget(
        &mut self,
        ids: &BTreeSet<RecordId>,
        unreadable: &[(String, String)],
    ) -> Result<(), OutboxError> {
        let ids: Vec<RecordId> = ids.iter().copied().collect();
        if !ids.is_empty() {
            in_time(self.rows.address(), self.rows.remove(&ids)).await?;
        }
        let unreadable: Vec<String> = unreadable.iter().map(|(id, _)| id.clone()).collect();
        if !unreadable.is_empty() {
            in_time(self.rows.address(), self.rows.set_aside(&unreadable)).await?;
        }
        Ok(())
    }
}

fn fate(keeper: &Keeper, adoption: &Adoption, trail: &str) -> Result<Fate, String> {
    let Ok(trail) = Uuid::try_parse(trail) else {
        return Ok(Fate::Elsewhere);
    };
    if adoption.holds(trail) {
        return Ok(Fate::Dead(None));
    }
    let base = &keeper.base;
    let others = base.others(keeper.journal.origin.trail);
    if !others.map_err(|error| error.to_string())?.contains(&trail) {
        return Ok(Fate::Elsewhere);
    }
    let held = trails::hold(&*base.disk, &base.dir, trail);
    Ok(match held.map_err(|error| error.to_string())? {
        Some(held) => Fate::Dead(Some(held)),
        None => Fate::Alive,
    })
}

/// Reads the records of rows.
fn sort(left: Vec<LeftOver>) -> Sorted {
    let mut sorted = Sorted::default();
    for LeftOver { id, record } in left {
        match read(&id, record) {
            Ok((id, record)) => {
                sorted.records.insert(id, record);
            }
            Err(reason) => sorted.unreadable.push((id, reason)),
        }
    }
    sorted
}

fn read(id: &str, record: Option<String>) -> Result<(RecordId, Record), String> {
    let own: RecordId = id.parse().map_err(|_| "its id is none of a record")?;
    if own.to_string() != id {
        return Err("its id is not in lower case".into());
    }
    let json = record.ok_or("it is larger than a record")?;
    // The message of the parser can quote what it read.
    let record = Record::from_json(json).map_err(|error| error.to_string())?;
    if record.id() != Some(own) {
        return Err("the record has another id than its row".into());
    }
    Ok((own, record))
}

/// Which of these ids are in a journal: ours up to `mark`, or that of any other trail.
fn find(
    keeper: &Keeper,
    ids: &BTreeSet<RecordId>,
    mark: u64,
) -> std::io::Result<BTreeSet<RecordId>> {
    let mut found = BTreeSet::new();
    let base = &keeper.base;
    find_in(keeper, keeper.journal.dir(), mark, ids, &mut found)?;
    for trail in trails::list(&*base.disk, &base.dir)? {
        let dir = base.trail_dir(trail);
        if dir != keeper.journal.dir() && found.len() < ids.len() {
            find_in(keeper, &dir, u64::MAX, ids, &mut found)?;
        }
    }
    Ok(found)
}

fn find_in(
    keeper: &Keeper,
    dir: &Path,
    until: u64,
    ids: &BTreeSet<RecordId>,
    found: &mut BTreeSet<RecordId>,
) -> std::io::Result<()> {
    let disk = &keeper.base.disk;
    let Some(first) = ids.first() else {
        return Ok(());
    };
    // A record is appended after its work began, so never into a segment that was done by then.
    let earliest = first.timestamp().saturating_sub(SLACK);
    let segments = prune::inventory(&**disk, dir)?;
    let mut segments = segments.iter();
    let begin = segments.find(|it| it.sealed_at.is_none_or(|at| at > earliest));
    let Some(begin) = begin else { return Ok(()) };
    let mut reader = Reader::open(Arc::clone(disk), dir.into(), begin.name.start);
    let mut next = begin.name.start;
    while found.len() < ids.len() {
        let most = Most {
            records: 1000,
            bytes: 1024 * 1024,
        };
        let chunk = reader.read(until, most)?;
        let known = chunk.entries.iter().filter_map(|entry| id_of(&entry.json));
        found.extend(known.filter(|id| ids.contains(id)));
        if chunk.next == next {
            break;
        }
        next = chunk.next;
    }
    Ok(())
}

/// The id of a record, which is the first of its fields.
fn id_of(json: &str) -> Option<RecordId> {
    json.strip_prefix("{\"id\":\"")?.get(..36)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_stands_first_in_every_record() {
        let golden = include_str!("../../../tests/golden/record/1.0/full.json");
        assert_eq!(id_of(golden), Record::from_json(golden).unwrap().id());
        assert!(id_of(golden).is_some());
        assert_eq!(id_of("{\"id\":\"01\"}"), None);
    }

    #[test]
    fn a_row_that_is_no_record_of_its_id_is_unreadable() {
        let golden = include_str!("../../../tests/golden/record/1.0/minimal.json");
        let id = id_of(golden).unwrap();
        let other = RecordId::lowest_at(id.timestamp()).to_string();
        let golden = || Some(golden.to_owned());
        assert_eq!(read(&id.to_string(), golden()).unwrap().0, id);
        for (name, id, record) in [
            ("another id", other, golden()),
            ("no id", "x".repeat(36), golden()),
            ("upper case", id.to_string().to_uppercase(), golden()),
            ("too large", id.to_string(), None),
            ("no record", id.to_string(), Some("{}".into())),
        ] {
            assert!(read(&id, record).is_err(), "{name}");
        }
    }
}
