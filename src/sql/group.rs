//! Records that are stored together, in the terms of the tables.

use super::rows::{Party, Row, Text};
use crate::{clock::Timestamp, record::Origin};

/// The searchable columns, in the order of [`texts`].
pub(crate) const TEXTS: [&str; 13] = [
    "action",
    "category",
    "outcome",
    "actor_type",
    "actor_id",
    "actor_name",
    "tenant",
    "application",
    "service",
    "instance",
    "ip",
    "session",
    "request_id",
];

/// Records of one trail that are stored together or not at all.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) received: Timestamp,
    pub(crate) next: u64,
    /// Size and root of the tree head that the group ends at.
    pub(crate) head: Option<(u64, [u8; 32])>,
    pub(crate) rows: Vec<Row<'a>>,
    /// Whether the trail's cursor stays where it is: nothing is said of what is between the rows.
    pub(crate) chosen: bool,
}

/// One target of one record.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    pub(crate) record: &'a [u8; 16],
    pub(crate) position: i64,
    pub(crate) party: &'a Party<'a>,
}

/// The searchable columns in the order of [`TEXTS`].
pub(crate) fn texts<'a>(row: &'a Row<'a>) -> [Option<&'a Text<'a>>; TEXTS.len()] {
    let columns = &row.columns;
    let actor = columns.actor.as_ref();
    let service = columns.service.as_ref();
    let context = columns.context.as_ref();
    [
        Some(&columns.action),
        columns.category.as_ref(),
        columns.outcome.as_ref(),
        actor.and_then(|actor| actor.kind.as_ref()),
        actor.and_then(|actor| actor.id.as_ref()),
        actor.and_then(|actor| actor.name.as_ref()),
        columns
            .tenant
            .as_ref()
            .and_then(|tenant| tenant.id.as_ref()),
        columns
            .application
            .as_ref()
            .and_then(|application| application.id.as_ref()),
        service.and_then(|service| service.name.as_ref()),
        service.and_then(|service| service.instance.as_ref()),
        context.and_then(|context| context.ip_address.as_ref()),
        context.and_then(|context| context.session_id.as_ref()),
        context.and_then(|context| context.request_id.as_ref()),
    ]
}

/// The targets of these records that can be searched for: those that have an id.
pub(crate) fn targets<'a>(rows: &[&'a Row<'a>]) -> Vec<Target<'a>> {
    rows.iter()
        .flat_map(|row| {
            (0..)
                .zip(&row.columns.targets)
                .filter(|(_, party)| party.id.is_some())
                .map(|(position, party)| Target {
                    record: row.id.as_bytes(),
                    position,
                    party,
                })
        })
        .collect()
}
