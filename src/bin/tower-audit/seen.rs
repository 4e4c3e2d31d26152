//! How often, how, and when something was done, as a store has it.

use std::collections::BTreeMap;

use serde::Serialize;
use tower_audit::{
    clock::{RecordId, Timestamp},
    store::{ActionPattern, Query, Store},
};

use crate::exit::Failure;

/// Counting stops after a time, and what was counted of a step by then is nothing. So a store that is
/// not counted in one is counted in so many, the newest first, of which some are over in time.
const STEPS: usize = 400;

/// The records that match a query.
#[derive(Debug, Serialize)]
pub(crate) struct Seen {
    /// So many were counted.
    pub(crate) records: u64,
    /// Whether these are all; otherwise there are more, before `counted_from`.
    pub(crate) is_exact: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    counted_from: Option<Timestamp>,
    /// How they ended.
    pub(crate) outcomes: BTreeMap<String, u64>,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

impl Seen {
    /// All records; none when there are none.
    pub(crate) async fn all(store: &Store) -> Result<Option<Self>, Failure> {
        Self::of(store, Query::new()).await
    }

    /// The records of one action; none when there are none.
    pub(crate) async fn action(store: &Store, action: &str) -> Result<Option<Self>, Failure> {
        Self::of(store, Query::new().action(ActionPattern::exact(action))).await
    }

    async fn of(store: &Store, query: Query) -> Result<Option<Self>, Failure> {
        let below_all = RecordId::lowest_at(Timestamp::MIN);
        let last = end(store, query.clone()).await?;
        let first = end(store, query.clone().after(below_all)).await?;
        let (Some(first), Some(last)) = (first, last) else {
            return Ok(None);
        };
        let behind = Timestamp::from_micros(last.as_micros().saturating_add(1));
        let query = query.from(first).to(behind);
        let histogram = store.histogram(&query, 1).await;
        let mut histogram = histogram.map_err(Failure::of)?;
        if histogram.counted_from > first {
            let steps = store.histogram(&query, STEPS).await;
            histogram = steps.map_err(Failure::of)?;
        }
        let mut outcomes = BTreeMap::new();
        for (outcome, count) in histogram.bars.into_iter().flat_map(|bar| bar.outcomes) {
            *outcomes.entry(outcome).or_default() += count;
        }
        let is_exact = histogram.counted_from <= first;
        Ok(Some(Self {
            records: outcomes.values().sum(),
            is_exact,
            counted_from: (!is_exact).then_some(histogram.counted_from),
            outcomes,
            first,
            last,
        }))
    }

    /// The number, or that there are more.
    pub(crate) fn count(&self) -> String {
        match self.counted_from {
            None => self.records.to_string(),
            // The newest one is there, so the first step was not over in time.
            Some(_) if self.records == 0 => {
                format!("more than could be counted, up to {}", self.last)
            }
            Some(from) => format!("{} since {from}, and more before", self.records),
        }
    }
}

/// When the record at one end of a query began.
async fn end(store: &Store, query: Query) -> Result<Option<Timestamp>, Failure> {
    let page = store.browse(&query.limit(1)).await.map_err(Failure::of)?;
    Ok(page.records.first().map(|record| record.id.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_counted_is_never_told_as_none() {
        let at = Timestamp::from_micros;
        let mut seen = Seen {
            records: 0,
            is_exact: false,
            counted_from: Some(at(8)),
            outcomes: BTreeMap::new(),
            first: at(1),
            last: at(7),
        };
        let told = seen.count();
        assert!(told.starts_with("more than could be counted"), "{told}");
        (seen.records, seen.counted_from) = (3, Some(at(5)));
        let told = seen.count();
        assert!(
            told.starts_with("3 since 1970") && told.ends_with("and more before"),
            "{told}"
        );
        (seen.is_exact, seen.counted_from) = (true, None);
        assert_eq!(seen.count(), "3");
    }
}
