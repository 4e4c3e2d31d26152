//! Reading what a SQL sink stored: filters, pages, and whole trails for `verify`.
//!
//! A [`Store`] reads only: it changes nothing in the database, and needs no right to. It may be
//! open in any number of processes while a service writes.
//!
//! There are two orders. *Browsing* goes from the newest record to older ones, by id, which is in
//! the order of time: for people. *Following* goes by arrival, the order in which records became
//! visible here: for programs that must miss nothing, because a record that was delivered late,
//! after an outage, has an old id but a new arrival.
//!
//! A page is read from one index, in its order, whatever the size of the store. When the other
//! filters leave little of it, one page looks at 100 thousand records or for two seconds, and tells
//! how far it came: [`Page::searched_until`]. A statement that takes longer than [`Store::timeout`] is
//! stopped and is an error; an empty page that was searched to its end always means that nothing
//! matched.
//!
//! ```
//! use tower_audit::store::{Query, Store, StoreError};
//!
//! async fn refusals(address: &str) -> Result<(), StoreError> {
//!     let store = Store::open(address).await?;
//!     let query = Query::new().action("user.*".parse()?).outcome("denied").limit(20);
//!     for stored in store.browse(&query).await?.records {
//!         println!("{}", stored.json);
//!     }
//!     Ok(())
//! }
//! ```

mod ask;
mod cell;
mod choices;
mod emptied;
mod error;
mod histogram;
mod lead;
mod link;
mod needle;
mod page;
mod params;
mod pool;
mod prunes;
mod query;
mod reach;
mod select;
mod span;
mod statement;
#[cfg(test)]
mod tests;
mod walk;

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

pub use self::{
    choices::{Choices, Count, Field},
    error::StoreError,
    histogram::{Bar, Histogram},
    page::{Arrivals, Leaf, Page, Stored, TrailState},
    params::ParameterError,
    query::{ActionPattern, ActionPatternError, Query},
    reach::Reach,
};
pub(crate) use self::{
    histogram::{Extent, Steps},
    params::NAMES,
};
use self::{link::Place, pool::Pool, walk::Budget};
use crate::clock::RecordId;

/// The most steps of equal length that a histogram has.
const MAX_STEPS: usize = 1000;

/// A database that a SQL sink fills, open for reading. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Arc<Pool>,
}

impl Store {
    /// The default of [`timeout`](Self::timeout): 10 seconds.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// Opens the store that an address names, as its sink's does: `sqlite://audit.db`,
    /// `postgres://user@host/database`, `mysql://user@host/database`; with `?prefix=audit_` if its
    /// tables begin with something else.
    ///
    /// # Errors
    ///
    /// [`StoreError::Address`] for a mistake in the address, also that the program was built without
    /// this kind of database; [`StoreError::Unusable`] when there is no such database, it may not be
    /// read, or it holds no tables that this version can read; [`StoreError::Failed`] when a server
    /// does not answer.
    pub async fn open(address: &str) -> Result<Self, StoreError> {
        let place = Place::parse(address)?;
        let store = Self {
            pool: Arc::new(Pool::new(place, Self::TIMEOUT)),
        };
        // What is wrong shows now, not with the first question.
        let reader = store.pool.take().await?;
        store.pool.give(reader, Ok(()))?;
        Ok(store)
    }

    /// The store's address, without its options.
    #[must_use]
    pub fn address(&self) -> String {
        self.pool.address()
    }

    /// How long one statement may run. Default: [`TIMEOUT`](Self::TIMEOUT).
    ///
    /// A filter that matches few of many records makes a statement look at all of them; then it
    /// ends in [`StoreError::Timeout`].
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        self.pool.limit(limit);
        self
    }

    /// The newest records that match, newest first; or those next to [`Query::before`] or
    /// [`Query::after`].
    ///
    /// # Errors
    ///
    /// [`StoreError`]; never an empty page in its place.
    pub async fn browse(&self, query: &Query) -> Result<Page, StoreError> {
        let mut reader = self.pool.take().await?;
        let budget = Budget::page(reader.limit);
        let found = ask::browse(&mut reader, &self.pool.tables, query, budget).await;
        self.pool.give(reader, found)
    }

    /// The records behind an arrival that match, in the order of arrival. `next` is what to give
    /// as `after` the next time; begin with 0.
    ///
    /// Nothing is missed: arrivals become visible in their order. [`Query::before`] has no part
    /// in this; time filters are by the time of the action, as everywhere.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; never an empty page in its place. [`StoreError::Ahead`] when the store has not
    /// come to `after` yet, as after a restore from a backup: nothing would come from there, and once
    /// the store has come that far what is behind would be missed.
    pub async fn follow(&self, query: &Query, after: u64) -> Result<Arrivals, StoreError> {
        let mut reader = self.pool.take().await?;
        let found = ask::follow(&mut reader, &self.pool.tables, query, after).await;
        self.pool
            .give(reader, found)?
            .map_err(|last| StoreError::Ahead {
                address: self.pool.address(),
                after,
                last,
            })
    }

    /// One record by its id; none when there is no such record, or it is out of reach.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn record(&self, id: RecordId, reach: &Reach) -> Result<Option<Stored>, StoreError> {
        let mut reader = self.pool.take().await?;
        let found = ask::record(&mut reader, &self.pool.tables, id, reach).await;
        self.pool.give(reader, found)
    }

    /// The different values of a field among the records in reach, in ascending order, at most `max`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn choices(
        &self,
        field: Field,
        reach: &Reach,
        max: usize,
    ) -> Result<Choices, StoreError> {
        let mut reader = self.pool.take().await?;
        let tables = &self.pool.tables;
        let found = ask::choices(&mut reader, tables, field, reach, max, ask::NEWEST).await;
        self.pool.give(reader, found)
    }

    /// How many records match, counted up to `max`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn count(&self, query: &Query, max: u64) -> Result<Count, StoreError> {
        let mut reader = self.pool.take().await?;
        let budget = Budget::page(reader.limit);
        let found = ask::count(&mut reader, &self.pool.tables, query, max, budget).await;
        self.pool.give(reader, found)
    }

    /// How many records that match there were when, by outcome, in at most `steps` steps of equal length, up to 1000.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn histogram(&self, query: &Query, steps: usize) -> Result<Histogram, StoreError> {
        let equal = |extent| Steps::equal(extent, steps.min(MAX_STEPS));
        self.histogram_in(query, equal).await
    }

    /// The same in the steps into which `cut` cuts the range; it bounds their number.
    pub(crate) async fn histogram_in(
        &self,
        query: &Query,
        cut: impl FnOnce(Extent) -> Steps,
    ) -> Result<Histogram, StoreError> {
        let mut reader = self.pool.take().await?;
        let found = ask::histogram(&self.pool, &mut reader, query, cut).await;
        self.pool.give(reader, found)
    }

    /// The arrival of the record that became visible last; 0 when there is none yet.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn last_arrival(&self) -> Result<u64, StoreError> {
        let mut reader = self.pool.take().await?;
        let found = ask::last_arrival(&mut reader, &self.pool.tables).await;
        self.pool.give(reader, found)
    }

    /// Every trail of which there is something here, by service, instance and id.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn trails(&self) -> Result<Vec<TrailState>, StoreError> {
        let mut reader = self.pool.take().await?;
        let found = ask::trails(&mut reader, &self.pool.tables).await;
        self.pool.give(reader, found)
    }

    /// The records of a trail from a number on, in ascending order, at most `max_records`.
    ///
    /// An empty answer means that there are no more; a number that is left out is not here. To
    /// read a whole trail, go on from the last number plus one.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; never an empty list in its place.
    pub async fn leaves(
        &self,
        trail: Uuid,
        from: u64,
        max_records: usize,
    ) -> Result<Vec<Leaf>, StoreError> {
        let mut reader = self.pool.take().await?;
        let tables = &self.pool.tables;
        let found = ask::leaves(&mut reader, tables, trail, from, max_records).await;
        self.pool.give(reader, found)
    }
}
