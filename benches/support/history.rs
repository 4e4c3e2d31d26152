//! A store with a history in it: records spread over 90 days, the same in every run.

use std::fmt::Write as _;

use tower_audit::{
    clock::{RecordId, Timestamp},
    evidence::leaf_hash,
    record::Origin,
    sink::{Batch, Delivery, url},
};
use uuid::Uuid;

use super::Fallible;

/// How long the records lie apart in all.
const DAYS: i64 = 90;
const DAY: i64 = 86_400_000_000;

/// Writes so many records, from `begin` on.
pub(crate) async fn fill(address: &str, rows: u64, begin: Timestamp) -> Fallible<()> {
    let mut sink = url::parse(address)?;
    let origin = Origin::new(Uuid::from_u128(1), "docs", None);
    sink.position(&origin).await?;
    let size = 2000;
    for first in (0..rows).step_by(usize::try_from(size)?) {
        let numbers = first..(first + size).min(rows);
        let records = numbers.clone().map(|number| delivery(number, rows, begin));
        let records = records.collect();
        let batch = Batch::new(origin.clone(), begin, records, numbers.end);
        sink.deliver(&batch).await?;
    }
    sink.close().await?;
    Ok(())
}

/// The record of this number.
pub(crate) fn delivery(number: u64, rows: u64, begin: Timestamp) -> Delivery {
    // Spread without a pattern, the same in every run.
    let noise = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
    let noise = noise.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20;
    let micros = i128::from(number) * i128::from(DAYS * DAY) / i128::from(rows);
    let micros = begin.as_micros() + i64::try_from(micros).unwrap_or_default();
    let at = Timestamp::from_micros(micros);
    let lowest = u128::from_be_bytes(*RecordId::lowest_at(at).as_bytes());
    let id = Uuid::from_u128(lowest | u128::from(number));
    // Half of everything is done by a hundred.
    let actor = if noise.is_multiple_of(2) {
        noise / 2 % 100
    } else {
        noise / 2 % 5000
    };
    let outcome = if noise.is_multiple_of(50) {
        "denied"
    } else {
        "success"
    };
    let mut json = format!(
        r#"{{"id":"{id}","timestamp":"{at}","schema":"1.0","service":{{"name":"docs"}},"action":"a{0}.do","category":"a{0}","outcome":"{outcome}","#,
        noise / 7 % 20
    );
    let text = if number.is_multiple_of(100_000) {
        "flapjack"
    } else {
        "plans"
    };
    // Writing to a string cannot fail.
    let _ = write!(
        json,
        r#""actor":{{"type":"user","id":"{actor}","name":"Somebody {actor}","auth_method":"password"}},"targets":[{{"type":"document","id":"d{}","name":"Untitled document"}}],"tenant":{{"id":"{}"}},"context":{{"ip_address":"39.139.{}.{}","session_id":"hmac-sha256:k1:{actor:032x}","request_id":"req-{number:016x}","http":{{"method":"POST","route":"/api/docs","status":201}}}},"details":{{"workspace":"{text}"}}}}"#,
        noise / 11 % 50_000,
        actor % 20,
        noise / 13 % 256,
        noise / 17 % 256,
    );
    Delivery::new(number, leaf_hash(json.as_bytes()), json)
}
