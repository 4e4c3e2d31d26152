//! One function for each behaviour.

use super::{
    Destination,
    fixture::{Checked, Doubles, Session, batch, origin, plain, record},
};
use crate::evidence::{Hash, TreeHead};

/// The largest record that the crate writes, in bytes.
const LARGEST_RECORD: usize = 64 * 1024;

/// Large enough to show a limit that is not kept, small enough for a test.
const MOST_RECORDS: usize = 10_000;
const MOST_BYTES: usize = 8 * 1024 * 1024;

pub(super) async fn exact_bytes(destination: &Destination) -> Checked {
    let mut session = Session::open(destination).await;
    let trail = origin(1);
    let large = format!(r#"{{"text":"{}"}}"#, "ü".repeat(LARGEST_RECORD / 2 - 300));
    let details = [
        r#"{}"#,
        r#"{"text":"ä 漢字 🦀 e\u0301 é"}"#,
        r#"{"nul":"a\u0000b","lone":"\ud800","escape":"\"\\\/\b\f\n\r\t\u001b"}"#,
        "{\"bidi\":\"\u{202e}gpj\",\"lines\":\"\u{2028}\u{2029}\u{85}\",\"del\":\"\u{7f}\"}",
        r#"{"z":1,"a":2,"m":[1.0,1e3,-0,0.1,12345678901234567890,1E-7]}"#,
        r#"{"twice":1,"twice":2,"spaces": [ 1 , 2 ],"empty":{},"null":null}"#,
        r#"{"sql":"'; DROP TABLE audit_records; --","csv":"=1+1","percent":"%s %"}"#,
        &large,
    ];
    let records = (0..).zip(details);
    let records: Vec<_> = records
        .map(|(number, details)| record(&trail, number, details))
        .collect();
    let next = records.len() as u64;
    session.deliver(&batch(&trail, records, next)).await?;
    session.verify(Doubles::Forbidden).await
}

pub(super) async fn order(destination: &Destination) -> Checked {
    let mut session = Session::open(destination).await;
    let trail = origin(1);
    let borders = [0, 1, 3, 4, 40, 41, 100];
    for pair in borders.windows(2) {
        let &[from, to] = pair else { continue };
        session.deliver(&plain(&trail, from..to)).await?;
    }
    session.verify(Doubles::Forbidden).await
}

pub(super) async fn largest_batch(destination: &Destination) -> Checked {
    let mut session = Session::open(destination).await;
    let limits = session.sink.limits();
    let trail = origin(1);
    let mut first = 0;
    // Small records reach the limit of records, large ones that of bytes.
    for filling in [0, 32 * 1024] {
        let details = format!(r#"{{"text":"{}"}}"#, "x".repeat(filling));
        let mut left = limits.max_bytes.min(MOST_BYTES);
        let records: Vec<_> = (first..)
            .take(limits.max_records.min(MOST_RECORDS))
            .map(|number| record(&trail, number, &details))
            .map_while(|record| {
                left = left.checked_sub(record.json.len())?;
                Some(record)
            })
            .collect();
        if !records.is_empty() {
            first += records.len() as u64;
            session.deliver(&batch(&trail, records, first)).await?;
        }
    }
    session.verify(Doubles::Forbidden).await
}

pub(super) async fn largest_record(destination: &Destination) -> Checked {
    let mut session = Session::open(destination).await;
    let trail = origin(1);
    // The largest of ours; above the limit only where that is lower.
    let frame = record(&trail, 0, r#"{"text":""}"#).json.len();
    let details = format!(r#"{{"text":"{}"}}"#, "x".repeat(LARGEST_RECORD - frame));
    session
        .deliver(&batch(&trail, vec![record(&trail, 0, &details)], 1))
        .await?;
    session.verify(Doubles::Forbidden).await
}

pub(super) async fn lost_answer(destination: &Destination) -> Checked {
    let mut session = Session::open(destination).await;
    let trail = origin(1);
    session.deliver(&plain(&trail, 0..3)).await?;
    let lost = plain(&trail, 3..8);
    // It was stored, but nobody heard of it.
    session.deliver(&lost).await?;
    session.deliver_again(&lost).await?;
    let doubles = doubles(session.keeps_position(&lost).await?);
    session.deliver(&plain(&trail, 8..10)).await?;
    session.verify(doubles).await
}

pub(super) async fn cancelled_call(destination: &Destination) -> Checked {
    let mut session = Session::open(destination).await;
    let trail = origin(1);
    let mut last = plain(&trail, 0..1);
    session.deliver(&last).await?;
    for polls in 1..=30 {
        let from = last.next;
        last = plain(&trail, from..from + 3);
        let answered = session.deliver_and_cancel(&last, polls).await?;
        if !answered {
            session.deliver_again(&last).await?;
        }
    }
    let keeps = session.keeps_position(&last).await?;
    session.verify(doubles(keeps)).await
}

/// How a sink ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Drop,
    Close,
}

pub(super) async fn reopen(destination: &Destination, end: End) -> Checked {
    let mut session = Session::open(destination).await;
    let trail = origin(1);
    let mut last = plain(&trail, 0..5);
    session.deliver(&last).await?;
    for _ in 0..2 {
        let before = session.position(&trail).await?;
        if end == End::Close {
            session.close().await?;
        }
        session = session.reopen().await;
        let after = session.position(&trail).await?;
        if before != after {
            return Err(format!(
                "its position was {before:?} and is {after:?} after it was opened again"
            ));
        }
        let from = last.next;
        last = plain(&trail, from..from + 5);
        session.deliver(&last).await?;
    }
    session.verify(Doubles::Forbidden).await
}

pub(super) async fn trails(destination: &Destination) -> Checked {
    let mut session = Session::open(destination).await;
    let (one, other) = (origin(1), origin(2));
    for from in [0, 4, 8] {
        session.deliver(&plain(&one, from..from + 4)).await?;
        let last = plain(&other, from / 4..from / 4 + 1);
        session.deliver(&last).await?;
        session.keeps_position(&last).await?;
    }
    session.keeps_position(&plain(&one, 8..12)).await?;
    session = session.reopen().await;
    session.keeps_position(&plain(&one, 8..12)).await?;
    session.keeps_position(&plain(&other, 2..3)).await?;
    session.verify(Doubles::Forbidden).await
}

pub(super) async fn gaps(destination: &Destination) -> Checked {
    let mut session = Session::open(destination).await;
    let trail = origin(1);
    let numbers = |numbers: &[u64]| -> Vec<_> {
        let numbers = numbers.iter();
        numbers
            .map(|number| record(&trail, *number, "{}"))
            .collect()
    };
    // The oldest were pruned, some in the middle and the last are damaged.
    let first = batch(&trail, numbers(&[10, 11, 15]), 20);
    session.deliver(&first).await?;
    session.keeps_position(&first).await?;
    let second = batch(&trail, numbers(&[20, 30]), 31);
    session.deliver(&second).await?;
    session.keeps_position(&second).await?;
    session.verify(Doubles::Forbidden).await
}

pub(super) async fn heads(destination: &Destination) -> Checked {
    let mut session = Session::open(destination).await;
    let trail = origin(1);
    for from in [0, 3] {
        let next = from + 3;
        let head = TreeHead::new(next, Hash::from_bytes([7; 32]));
        session
            .deliver(&plain(&trail, from..next).head(Some(head)))
            .await?;
    }
    session.verify(Doubles::Forbidden).await
}

fn doubles(keeps_position: bool) -> Doubles {
    if keeps_position {
        Doubles::Forbidden
    } else {
        Doubles::Allowed
    }
}
