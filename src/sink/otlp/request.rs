//! Requests: as many records as one message may hold.

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
};
use prost::{Message as _, length_delimiter_len};

use super::{
    attributes::{log_record, text_pair},
    resource::{Resource, Service, scope},
};
use crate::sink::{Batch, Delivery};

/// A request, and how many of the records that were offered are in it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) message: ExportLogsServiceRequest,
    pub(super) records: usize,
    pub(super) bytes: usize,
}

/// Tags and lengths around the records of one service: of `ResourceLogs`, its resource, the
/// `ScopeLogs` and its scope, each at most 6 bytes, with room.
const FRAME: usize = 64;

/// Fills a request with the first of `records`: at least one, the others while it has at most
/// `max_bytes`.
pub(super) fn request(
    batch: &Batch,
    records: &[&Delivery],
    resource: &Resource,
    max_bytes: usize,
) -> Request {
    let mut groups: Vec<(Service, ResourceLogs)> = Vec::new();
    let (mut bytes, mut taken) = (0, 0);
    for delivery in records {
        let (mut log, service) = log_record(batch, delivery);
        if let Some(name) = resource.renamed(&service) {
            log.attributes.push(text_pair("audit.service.name", name));
        }
        let mut more = framed(&log);
        let opened = match groups.last() {
            // Records go in their order, so only neighbours share a resource.
            Some((last, _)) if *last == service => None,
            _ => {
                let group = group(batch, resource, &service);
                more += FRAME + group.encoded_len();
                Some(group)
            }
        };
        if taken > 0 && bytes + more > max_bytes {
            break;
        }
        bytes += more;
        taken += 1;
        groups.extend(opened.map(|group| (service, group)));
        if let Some(scope) = groups
            .last_mut()
            .and_then(|(_, group)| group.scope_logs.first_mut())
        {
            scope.log_records.push(log);
        }
    }
    let resource_logs = groups.into_iter().map(|(_, group)| group).collect();
    Request {
        message: ExportLogsServiceRequest { resource_logs },
        records: taken,
        bytes,
    }
}

fn framed(log: &LogRecord) -> usize {
    let bytes = log.encoded_len();
    1 + length_delimiter_len(bytes) + bytes
}

fn group(batch: &Batch, resource: &Resource, service: &Service) -> ResourceLogs {
    ResourceLogs {
        resource: Some(resource.message(service, &batch.origin)),
        scope_logs: vec![ScopeLogs {
            scope: Some(scope()),
            ..ScopeLogs::default()
        }],
        ..ResourceLogs::default()
    }
}
