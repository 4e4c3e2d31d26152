//! What reading by other means than a viewer leaves, in the words of a viewer's records.

use serde_json::{Map, Value};

use crate::{
    export::Manifest,
    record::{Actor, Outcome, Record},
    store::Query,
};

/// `audit.read`, without how it ended.
pub(crate) fn read_elsewhere(
    reader: Actor,
    page: &str,
    query: &Query,
    records: Option<u64>,
) -> Record {
    let record = Record::new("audit.read").actor(reader);
    within(record, &query.reach_params())
        .detail("page", page)
        .detail("filter", object(&query.params()))
        .detail("records", records)
}

/// `audit.export`.
pub(crate) fn exported_elsewhere(reader: Actor, manifest: &Manifest, outcome: Outcome) -> Record {
    let complete = manifest.complete && outcome == Outcome::Success;
    let record = Record::new("audit.export").actor(reader);
    within(record, &manifest.within)
        .detail("format", manifest.format.as_str())
        .detail("filter", object(&manifest.filter))
        .detail("records", manifest.records)
        .detail("complete", complete)
        .outcome(outcome)
}

fn within(record: Record, reach: &[(&'static str, String)]) -> Record {
    if reach.is_empty() {
        return record;
    }
    record.detail("within", object(reach))
}

fn object(pairs: &[(&'static str, String)]) -> Value {
    let pairs = pairs.iter();
    let pairs = pairs.map(|(name, value)| ((*name).to_owned(), value.clone().into()));
    Value::Object(pairs.collect::<Map<_, _>>())
}
