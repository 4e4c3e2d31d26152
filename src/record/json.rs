//! The record as JSON: exact bytes out, tolerant in.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use super::{
    Action, Actor, Application, Change, Context, Fault, Outcome, Record, Service, Target, Tenant,
    marks::{Marks, Place, cap},
    value,
};
use crate::{
    clock::{RecordId, Timestamp},
    text::{self, Text},
};

/// The version of the format that is written; readers take every version of the same major.
pub(super) const SCHEMA: &str = "1.0";

/// A record as it goes into the trail.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The record's id.
    pub(crate) id: RecordId,
    /// The record's exact bytes: one line, at most 64 KiB.
    pub(crate) json: String,
    /// Whether something was cut; the record says what.
    pub(crate) truncated: bool,
}

/// Texts that were cut before they were searched: the place, and the bytes there were.
#[derive(Debug, Default)]
#[must_use = "what lies behind the caps is still there"]
pub(crate) struct Cuts(BTreeMap<String, u64>);

/// A text that is not a record of a version this crate reads.
#[derive(Debug, thiserror::Error)]
#[error("not a record of format version 1")]
#[non_exhaustive]
pub struct RecordError {
    source: serde_json::Error,
}

/// The order of the fields is that of the published format.
#[derive(Serialize)]
struct Wire<'a> {
    id: RecordId,
    timestamp: Timestamp,
    schema: &'static str,
    service: &'a Service,
    action: &'a Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'a str>,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: &'a Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Fault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: &'a Option<Actor>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    targets: &'a [Target],
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a Tenant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<&'a Application>,
    #[serde(skip_serializing_if = "Context::is_empty")]
    context: &'a Context,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    changes: &'a [Change],
    #[serde(skip_serializing_if = "Map::is_empty")]
    details: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Timestamp>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    truncated: &'a BTreeMap<String, u64>,
}

impl Record {
    /// Makes the record's exact bytes: texts made clean, everything capped, defaults filled in.
    ///
    /// `id` must be one for `at`. A record that already has this very id, such as an intent read
    /// back, keeps its own timestamp and service. Any other that it holds is forgotten: ids are
    /// ours, so that nobody can hide a record behind another of the same id.
    pub(crate) fn finish(mut self, id: RecordId, at: Timestamp, service: &Service) -> Finished {
        let (own_id, own_service) = (self.id.take(), self.service.take());
        let (timestamp, own_service) = if own_id == Some(id) {
            (
                self.timestamp.unwrap_or_else(|| id.timestamp()),
                own_service,
            )
        } else {
            (at, None)
        };
        let mut truncated = std::mem::take(&mut self.truncated);
        truncated.retain(|path, _| text::is_clean(path, cap::NAME));
        let mut marks = Marks::new(&mut truncated);
        let service = own_service.as_ref().unwrap_or(service);
        let service = service.cleaned(&mut marks);
        self.clean(&mut marks);
        self.truncated = truncated;

        let mut json = self.write(id, timestamp, &service);
        for part in [Part::Details, Part::Changes, Part::Targets, Part::Marks] {
            if let Some(excess @ 1..) = json.len().checked_sub(cap::RECORD) {
                self.give_way(part, excess);
                json = self.write(id, timestamp, &service);
            }
        }
        Finished {
            id,
            json,
            truncated: !self.truncated.is_empty(),
        }
    }

    /// Cuts each text that is far longer than what will be written of it, so that the search for
    /// secrets has an end; [`trim`](Self::trim) comes after that search.
    pub(crate) fn bound(&mut self) -> Cuts {
        let (mut truncated, mut cuts) = (std::mem::take(&mut self.truncated), Cuts::default());
        self.clean(&mut Marks::bounding(&mut truncated, &mut cuts.0));
        self.truncated = truncated;
        cuts
    }

    /// Removes what lay behind the caps of texts that were cut. It was only there to be searched: a
    /// secret that the cut went through is not known as one, and must not move to where it is kept.
    /// `is_mark` knows what stands for a whole text.
    pub(crate) fn trim(&mut self, cuts: &Cuts, is_mark: fn(&str) -> bool) {
        if cuts.0.is_empty() {
            return;
        }
        let mut truncated = std::mem::take(&mut self.truncated);
        self.clean(&mut Marks::trimming(&mut truncated, &cuts.0, is_mark));
        self.truncated = truncated;
    }

    /// Reads a record as any 1.x version of the format wrote it.
    ///
    /// Fields this version does not know are passed over, and so are words of `outcome` and
    /// `actor.type`, which become `unknown`. What was cut or escaped when the record was written
    /// stays so.
    ///
    /// # Errors
    ///
    /// [`RecordError`] for what is not JSON (so also for a lone surrogate), lacks a required field,
    /// or says that it is of another major version; its source says where.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self, RecordError> {
        let json = json.as_ref();
        // Serde would read a list as well, as the fields in their order.
        if json
            .trim_ascii_start()
            .first()
            .is_some_and(|byte| *byte != b'{')
        {
            let source = de::Error::custom("a record is a JSON object");
            return Err(RecordError { source });
        }
        serde_json::from_slice(json).map_err(|source| RecordError { source })
    }

    fn write(&self, id: RecordId, timestamp: Timestamp, service: &Service) -> String {
        let wire = Wire {
            id,
            timestamp,
            schema: SCHEMA,
            service,
            action: &self.action,
            category: self.category.as_deref().or_else(|| self.action.noun()),
            outcome: self.outcome.unwrap_or_default(),
            reason: &self.reason,
            error: self.error.as_ref().filter(|error| !error.is_empty()),
            actor: &self.actor,
            targets: &self.targets,
            tenant: self.tenant.as_ref().filter(|tenant| !tenant.is_empty()),
            application: self.application.as_ref().filter(|it| !it.is_empty()),
            context: &self.context,
            changes: &self.changes,
            details: &self.details,
            count: self.count,
            first: self.first,
            last: self.last,
            truncated: &self.truncated,
        };
        to_json(&wire)
    }

    fn clean(&mut self, marks: &mut Marks<'_>) {
        let field = Place::field;
        marks.required(field("action"), self.action.text_mut(), Action::MAX_BYTES);
        marks.option(field("category"), &mut self.category, cap::NAME);
        marks.option(field("reason"), &mut self.reason, cap::REASON);
        if let Some(error) = &mut self.error {
            error.clean(field("error"), marks);
        }
        if let Some(actor) = &mut self.actor {
            actor.clean(field("actor"), marks);
        }
        for (index, target) in self.targets.iter_mut().enumerate() {
            target.clean(field("targets").at(index), marks);
        }
        if let Some(tenant) = &mut self.tenant {
            tenant.clean(field("tenant"), marks);
        }
        if let Some(application) = &mut self.application {
            application.clean(field("application"), marks);
        }
        self.context.clean(field("context"), marks);
        for (index, change) in self.changes.iter_mut().enumerate() {
            change.clean(field("changes").at(index), marks);
        }
        value::clean_map(&mut self.details, field("details"), marks, cap::DEPTH);
    }

    /// Removes from a part what must go so that the record gets `excess` bytes shorter, if it can.
    fn give_way(&mut self, part: Part, excess: usize) {
        // The mark itself needs room.
        let excess = excess + 64;
        let (name, original) = match part {
            Part::Details => ("details", shrink_map(&mut self.details, excess)),
            Part::Changes => ("changes", shrink_list(&mut self.changes, excess)),
            Part::Targets => ("targets", shrink_list(&mut self.targets, excess)),
            Part::Marks => ("truncated", shrink_marks(&mut self.truncated)),
        };
        if let Some(original) = original {
            Marks::new(&mut self.truncated).gave_way(name, original);
        }
    }
}

/// The parts that give way in a record that is too large, in this order.
#[derive(Clone, Copy)]
enum Part {
    Details,
    Changes,
    Targets,
    /// Only ever too many in a record that was not written here.
    Marks,
}

/// Removes the largest entries; answers the bytes of all there were.
fn shrink_map(map: &mut Map<String, Value>, excess: usize) -> Option<usize> {
    if map.is_empty() {
        return None;
    }
    let original = size_of(map);
    let mut sizes: Vec<(usize, String)> = map
        .iter()
        .map(|(key, value)| (size_of(key) + size_of(value) + 2, key.clone()))
        .collect();
    sizes.sort_unstable();
    let mut removed = 0;
    while removed < excess {
        let Some((size, key)) = sizes.pop() else {
            break;
        };
        map.remove(&key);
        removed += size;
    }
    Some(original)
}

/// Removes entries from the end; answers the bytes of all there were.
fn shrink_list<T: Serialize>(list: &mut Vec<T>, excess: usize) -> Option<usize> {
    if list.is_empty() {
        return None;
    }
    let original = size_of(list);
    let mut removed = 0;
    while removed < excess {
        let Some(last) = list.pop() else { break };
        removed += size_of(&last);
    }
    Some(original)
}

fn shrink_marks(marks: &mut BTreeMap<String, u64>) -> Option<usize> {
    let original = size_of(marks);
    marks.clear();
    Some(original)
}

#[expect(
    clippy::expect_used,
    reason = "maps here have text for keys and times are in range, so nothing can fail"
)]
fn to_json(wire: &Wire<'_>) -> String {
    // Room for most records, so that the buffer does not grow in steps.
    let mut json = Vec::with_capacity(2048);
    serde_json::to_writer(&mut json, wire).expect("a record has a JSON");
    String::from_utf8(json).expect("JSON is UTF-8")
}

/// The bytes of a value as JSON.
pub(super) fn size_of(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(0, |json| json.len())
}

/// The `schema` field: checked when read, the same for all that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Schema;

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let version = Text::deserialize(deserializer)?;
        match version.split_once('.') {
            Some(("1", _)) => Ok(Self),
            _ => Err(de::Error::custom(
                "a format version other than 1.x; a later tower-audit may read it",
            )),
        }
    }
}

#[cfg(test)]
mod tests;
