//! The bodies of requests, packed if that is asked for.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, header::CONTENT_ENCODING};

use crate::sink::SinkError;
#[cfg(feature = "http")]
use crate::{
    format::Event,
    sink::{Batch, Delivery},
};

/// A record as a format takes it.
#[cfg(feature = "http")]
pub(in crate::sink) fn event<'a>(batch: &'a Batch, record: &'a Delivery) -> Event<'a> {
    Event {
        trail: &batch.origin.trail,
        number: record.number,
        leaf: &record.leaf,
        json: &record.json,
    }
}

/// What tells a batch from another: its trail, first and last number, and how many records.
#[cfg(feature = "http")]
pub(super) type Name = (uuid::Uuid, u64, u64, usize);

/// Names a batch by what is in it: one of which something was taken out is another one.
#[cfg(feature = "http")]
pub(super) fn name(batch: &Batch) -> Name {
    let number = |record: Option<&Delivery>| record.map_or(0, |record| record.number);
    let (first, last) = (batch.records.first(), batch.records.last());
    (
        batch.origin.trail,
        number(first),
        number(last),
        batch.records.len(),
    )
}

/// Packs a body, and says so in its headers.
pub(in crate::sink) fn gzip(body: &[u8], headers: &mut HeaderMap) -> Result<Vec<u8>, SinkError> {
    // Fast: records are alike, so that a better level costs more than it saves.
    let mut packer = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    let packed = packer.write_all(body).and_then(|()| packer.finish());
    let packed = packed.map_err(|error| SinkError::retry(format!("cannot pack: {error}")))?;
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Ok(packed)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_packed_body_is_the_same_when_it_is_unpacked() {
        let body = "record ".repeat(10_000);
        let mut headers = HeaderMap::new();
        let packed = gzip(body.as_bytes(), &mut headers).unwrap();
        assert_eq!(headers[CONTENT_ENCODING], "gzip");
        assert!(packed.len() < body.len() / 10, "{}", packed.len());
        let mut text = String::new();
        flate2::read::GzDecoder::new(&packed[..])
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, body);
    }
}
