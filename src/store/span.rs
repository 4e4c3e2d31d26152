//! A range of ids, as numbers, so that its ends can be moved by one.

use std::time::Duration;

use super::Query;
use crate::clock::RecordId;

/// The ids from `low` (inclusive) to `high` (exclusive).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) low: u128,
    pub(super) high: u128,
}

impl Span {
    /// What a query asks for.
    pub(super) fn of(query: &Query) -> Self {
        let mut span = Self {
            low: query
                .from
                .map_or(0, |from| number(RecordId::lowest_at(from))),
            high: query
                .to
                .map_or(u128::MAX, |to| number(RecordId::lowest_at(to))),
        };
        if let Some(before) = query.before {
            span.high = span.high.min(number(before));
        }
        if let Some(after) = query.after {
            span.low = span.low.max(number(after).saturating_add(1));
        }
        span
    }

    pub(super) fn is_empty(self) -> bool {
        self.low >= self.high
    }

    pub(super) fn has_low(self) -> bool {
        self.low > 0
    }

    pub(super) fn has_high(self) -> bool {
        self.high < u128::MAX
    }
}

pub(super) fn number(id: RecordId) -> u128 {
    u128::from_be_bytes(*id.as_bytes())
}

/// What was found with this number in the place of an id.
pub(super) fn found(number: u128) -> RecordId {
    RecordId::found(number.to_be_bytes())
}

/// The id with this number, if it is one.
fn id(number: u128) -> Option<RecordId> {
    RecordId::from_bytes(number.to_be_bytes()).ok()
}

const MICRO: Duration = Duration::from_micros(1);

/// The highest id below this one; none when there is none.
pub(super) fn below(this: RecordId) -> Option<RecordId> {
    let earlier = || this.timestamp().checked_sub(MICRO);
    id(number(this).saturating_sub(1)).or_else(|| earlier().map(RecordId::highest_at))
}

/// The lowest id above this one; none when there is none.
pub(super) fn above(this: RecordId) -> Option<RecordId> {
    let later = || this.timestamp().checked_add(MICRO);
    id(number(this).saturating_add(1)).or_else(|| later().map(RecordId::lowest_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn next_to_an_id_is_one_with_nothing_between() {
        let at = |micros| Timestamp::from_micros(micros);
        let (low, high) = (RecordId::lowest_at(at(1000)), RecordId::highest_at(at(999)));
        assert_eq!((below(low), above(high)), (Some(high), Some(low)));
        let inside = above(low).unwrap();
        assert_eq!(number(inside), number(low) + 1);
        assert_eq!(below(inside), Some(low));
        assert_eq!(below(RecordId::lowest_at(Timestamp::MIN)), None);
    }
}
