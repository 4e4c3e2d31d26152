//! The records that the trail writes about itself.
//!
//! Each is an action of the noun `audit` by the system, and none carries a secret: a sink names
//! itself without one.

use crate::{
    clock::{RecordId, Timestamp},
    delivery::{DeliveryEvent, What},
    evidence::TreeHead,
    journal::{Before, Counts, Left, Outage, Plan, TrailEvent},
    keyed::HashKey,
    record::{Fault, Origin, Outcome, Record, Target},
};

fn about(action: &'static str) -> Record {
    Record::system(action)
}

fn trail(id: uuid::Uuid) -> Target {
    Target::new("trail", id.to_string())
}

/// What a start tells of its configuration.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) sinks: Vec<String>,
    /// The kind of file system below the journal.
    pub(super) volume: String,
    /// Where the key of all hashes is from.
    pub(super) key_source: &'static str,
}

/// `audit.start`: what runs, on which trail, with which sinks, and how the run before ended.
pub(super) fn started(
    origin: &Origin,
    before: Option<&Before>,
    facts: &Facts,
    key: &HashKey,
) -> Record {
    let ended = match before {
        None => "new trail",
        Some(before) if before.clean => "in order",
        Some(_) => "unclean",
    };
    about("audit.start")
        .target(trail(origin.trail))
        .detail("version", env!("CARGO_PKG_VERSION"))
        .detail("last_run", ended)
        .detail("sinks", &facts.sinks)
        .detail("volume", &facts.volume)
        .detail(
            "hash_key",
            serde_json::json!({"id": key.id(), "source": facts.key_source}),
        )
}

/// `audit.stop`: the run ends in order.
pub(super) fn stopped(counts: &Counts, unfinished: u64) -> Record {
    about("audit.stop")
        .detail("emitted", counts.emitted)
        .detail("lost", counts.lost)
        .detail("unfinished", unfinished)
}

/// `audit.unclean_start`: records of the last milliseconds before the crash may be missing.
pub(super) fn unclean(before: &Before) -> Record {
    let torn = before.torn.as_ref();
    about("audit.unclean_start")
        .outcome(Outcome::Error)
        .reason("the run before did not end in order; buffered records of its last milliseconds may be missing")
        .detail("last_commit", before.committed_at)
        .detail("carried_over", before.carried)
        .detail("torn_bytes", torn.map(|torn| torn.bytes))
        .detail("torn_file", torn.map(|torn| file_name(&torn.file)))
        .detail("torn_offset", torn.map(|torn| torn.offset))
        .detail("intents_closed", before.unsettled.len())
}

/// `audit.trail_damaged`: a trail was left as it is, because sealed data does not hold.
pub(super) fn damaged(left: &Left) -> Record {
    let place = left.damage();
    about("audit.trail_damaged")
        .outcome(Outcome::Error)
        .error(Fault::new(left.error.reason()).kind("trail_damaged"))
        .target(Target::new("trail", file_name(&left.dir)))
        .detail("file", place.map(|place| file_name(&place.file)))
        .detail("offset", place.map(|place| place.offset))
        .detail("last_good", place.and_then(|place| place.last_good))
}

/// `audit.trail_adopted`: what a dead process left behind was recovered and will be delivered.
pub(super) fn adopted(origin: &Origin, before: &Before, size: u64) -> Record {
    about("audit.trail_adopted")
        .target(trail(origin.trail))
        .detail("service", &origin.service)
        .detail("instance", &origin.instance)
        .detail("records", size)
        .detail("last_commit", before.committed_at)
        .detail("intents_closed", before.unsettled.len())
        .detail("torn_bytes", before.torn.as_ref().map(|torn| torn.bytes))
}

/// `audit.outbox_left`: what a dead process left in an outbox. Every id is of a change that was committed.
#[cfg_attr(
    not(feature = "_sql"),
    expect(dead_code, reason = "without a database there is no outbox")
)]
pub(super) fn outbox(
    written: &[RecordId],
    known: &[RecordId],
    unreadable: &[(String, String)],
) -> Record {
    let some = |ids: &[RecordId]| (!ids.is_empty()).then(|| ids.to_vec());
    let record = about("audit.outbox_left")
        .detail("written", some(written))
        .detail("known", some(known));
    if unreadable.is_empty() {
        return record.success();
    }
    let rows: serde_json::Map<String, serde_json::Value> = unreadable
        .iter()
        .map(|(id, reason)| (id.clone(), reason.as_str().into()))
        .collect();
    record
        .outcome(Outcome::Error)
        .reason("rows of the outbox are no records; they are left in the table")
        .detail("unreadable", rows)
}

/// `audit.pruned`: written before the first file is removed.
pub(super) fn pruned(plan: &Plan, has_sinks: bool) -> Record {
    let missed = plan
        .missed
        .map(|(from, to)| serde_json::json!({"from": from, "to": to}));
    let record = about("audit.pruned")
        .detail(
            "first_kept",
            serde_json::json!({"file": plan.first_kept.file(), "start": plan.first_kept.start}),
        )
        .detail("segments", plan.remove.len())
        .detail("bytes", plan.bytes)
        .detail("missed", &missed);
    match missed {
        Some(_) if has_sinks => record.failure("some sink did not have all of it"),
        Some(_) => record.failure("there is no sink, and the journal may not grow further"),
        None => record,
    }
}

/// `audit.capacity_warning`: what waits for sinks has used up much of its share of the disk.
pub(super) fn capacity(percent: u8, bytes: u64, limit: u64) -> Record {
    about("audit.capacity_warning")
        .failure(format!("undelivered records use {percent} % of their share of the disk; past it the oldest are missed"))
        .detail("bytes", bytes)
        .detail("limit_bytes", limit)
}

/// `audit.verify`: the daily check of the own trail.
pub(super) fn verified(head: Option<TreeHead>, findings: &[String]) -> Record {
    let record = about("audit.verify").detail("head", head);
    if findings.is_empty() {
        return record.success();
    }
    let shown: Vec<&String> = findings.iter().take(20).collect();
    record
        .outcome(Outcome::Error)
        .reason(format!("{} findings", findings.len()))
        .detail("findings", shown)
}

/// What the journal reported.
pub(super) fn of_trail(event: &TrailEvent) -> Record {
    match event {
        TrailEvent::Outage(outage) => of_outage(outage),
        TrailEvent::Lost { count, first, last } => about("audit.lost")
            .outcome(Outcome::Error)
            .reason("more records waited than memory allows")
            .folded(*count, *first, *last),
        TrailEvent::ClockStep { from, to, by_us } => about("audit.clock_step")
            .detail("from", from)
            .detail("to", to)
            .detail("by_us", by_us),
        TrailEvent::ReserveReleased { at } => about("audit.disk_full")
            .outcome(Outcome::Error)
            .reason("the volume is full; the reserve was given back so that this can be written")
            .detail("at", at),
    }
}

fn of_outage(outage: &Outage) -> Record {
    span("audit.outage", outage.start, outage.end)
        .outcome(Outcome::Error)
        .reason(outage.cause.clone())
        .detail("failed_writes", outage.failures)
        .detail("waited", outage.waited)
        .detail("lost", outage.lost)
}

fn span(action: &'static str, start: Timestamp, end: Timestamp) -> Record {
    about(action).detail("start", start).detail("end", end)
}

/// What a follower reported.
pub(super) fn of_sink(event: &DeliveryEvent) -> Record {
    let record = match &event.what {
        What::OutageEnded {
            start,
            end,
            cause,
            waited,
        } => span("audit.sink_outage", *start, *end)
            .reason(cause.clone())
            .detail("waited", waited),
        What::Blocked { start, reason } => about("audit.sink_blocked")
            .failure(reason.clone())
            .detail("start", start),
        What::DeadLettered {
            trail,
            count,
            first,
            last,
            reason,
        } => about("audit.sink_refused")
            .failure(reason.clone())
            .target(self::trail(*trail))
            .detail("records", count)
            .detail("first_number", first)
            .detail("last_number", last),
        What::Missed { trail, from, to } => range("audit.sink_missed", *trail, *from, *to)
            .outcome(Outcome::Error)
            .reason("pruned before this sink had them"),
        What::Damaged {
            trail,
            from,
            to,
            file,
            offset,
        } => range("audit.sink_missed", *trail, *from, *to)
            .outcome(Outcome::Error)
            .reason("their lines in the journal do not hold; run `tower-audit verify`")
            .detail("file", file_name(file))
            .detail("offset", offset),
        What::WentBack { trail, to, from } => range("audit.sink_refilled", *trail, *to, *from)
            .reason("the sink no longer had them; they are delivered again"),
        What::FileDamaged { file, reason } => about("audit.sink_file_damaged")
            .failure(reason.clone())
            .detail("file", file_name(file)),
        What::CursorUnwritable { file, reason } => about("audit.sink_cursor_unwritable")
            .failure(reason.clone())
            .detail("file", file_name(file)),
        What::Panicked { count, message } => about("audit.sink_panicked")
            .error(Fault::new(message.clone()).kind("panic"))
            .detail("panics", count),
    };
    record.target(Target::new("sink", event.sink.clone()))
}

fn range(action: &'static str, of: uuid::Uuid, from: u64, to: u64) -> Record {
    about(action)
        .target(trail(of))
        .detail("from_number", from)
        .detail("to_number", to)
}

/// The last component: where a trail lies on the disk is nobody's business downstream.
fn file_name(path: &std::path::Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
