//! Looking for records a bounded distance along an index.
//!
//! A lead without other conditions is read as it is: every entry matches. Otherwise it is walked in
//! windows: where so many entries end is found in the index alone, and what matches is looked for
//! within. So it is known after each how far the search came, and it can stop there.
//!
//! With a reach, all entries that count are in reach: where a window ends, and so where a page goes on,
//! says nothing of others. Where a reach is of two fields, or a session or a request leads, that is
//! not found in the index alone.

use std::time::{Duration, Instant};

use super::{
    Stored,
    lead::Plan,
    pool::Reader,
    select::Order,
    span::{Span, number},
};

/// Entries of the first window; each next one is four times as long.
const FIRST_WINDOW: usize = 1000;
const MAX_WINDOW: usize = 16_000;

/// Records that the database can say too little about are fetched so many at a time, to be looked at
/// here.
const LOOKED_AT: usize = 500;

/// How much one question may look at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// Entries of the lead.
    entries: usize,
    time: Duration,
    end: Option<Instant>,
}

impl Budget {
    /// A page: 100 thousand entries or two seconds, whatever is first; less when statements are
    /// limited to less.
    pub(super) fn page(limit: Duration) -> Self {
        Self::new(100_000, Duration::from_secs(2).min(limit / 2))
    }

    /// A part of it, from now on, for whether there is anything in a direction in which nobody goes
    /// yet: of a page's 5000 entries or 200 milliseconds.
    pub(super) fn glance(self) -> Self {
        Self::new(self.entries / 20, self.time / 10)
    }

    pub(super) fn new(entries: usize, time: Duration) -> Self {
        Self {
            entries,
            time,
            end: Instant::now().checked_add(time),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.entries == 0 || self.is_late()
    }

    fn is_late(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }

    /// The entries of a window that would be so long; one at least, so that every walk gets on.
    pub(super) fn window(&self, entries: usize) -> usize {
        entries.min(self.entries).max(1)
    }

    pub(super) fn looked_at(&mut self, entries: usize) {
        self.entries = self.entries.saturating_sub(entries);
    }
}

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Everything was looked at.
    Everything,
    /// As many as were wanted are found.
    Full,
    /// The budget is used up.
    Budget,
}

/// What was found, in the order of the walk.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) records: Vec<Stored>,
    pub(super) ended: Ended,
    /// What was not looked at.
    pub(super) rest: Span,
}

/// A walk along a lead.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) plan: &'a Plan,
    pub(super) order: Order,
    /// What is left.
    rest: Span,
    window: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(plan: &'a Plan, order: Order, span: Span) -> Self {
        Self {
            plan,
            order,
            rest: span,
            window: FIRST_WINDOW,
        }
    }

    /// Goes on until so many are found. The budget stops it between windows, or between the records
    /// that are looked at here, and never before the first, so that it always gets on. Whoever goes on
    /// when it was full looks at the budget, of which what was found is taken.
    pub(super) async fn find(
        &mut self,
        reader: &mut Reader<'_>,
        want: usize,
        budget: &mut Budget,
    ) -> sqlx::Result<Walked> {
        let mut records = Vec::new();
        let ended = loop {
            if self.rest.is_empty() {
                break Ended::Everything;
            }
            let entries = budget.window(self.window);
            let window = self.next_window(reader, entries).await?;
            let found = self
                .search(reader, window, want, &mut records, budget)
                .await?;
            if found == Ended::Full {
                budget.looked_at(records.len());
            }
            if found != Ended::Everything {
                break found;
            }
            self.leave(window);
            budget.looked_at(entries);
            self.window = (self.window * 4).min(MAX_WINDOW);
            if budget.is_over() && !self.rest.is_empty() {
                break Ended::Budget;
            }
        };
        Ok(Walked {
            records,
            ended,
            rest: self.rest,
        })
    }

    /// What the next entries of the lead span.
    async fn next_window(&self, reader: &mut Reader<'_>, entries: usize) -> sqlx::Result<Span> {
        if self.plan.is_lead_alone() {
            return Ok(self.rest);
        }
        self.window_of(reader, entries).await
    }

    /// What so many entries of the lead span.
    pub(super) async fn window_of(
        &self,
        reader: &mut Reader<'_>,
        entries: usize,
    ) -> sqlx::Result<Span> {
        let boundary = self.plan.boundary(self.rest, self.order, entries);
        let mut rows = reader.link.rows(boundary).await?;
        let Some(mut row) = rows.pop() else {
            return Ok(self.rest);
        };
        let end = number(row.id());
        Ok(match self.order {
            Order::Down => Span {
                low: end,
                ..self.rest
            },
            Order::Up => Span {
                high: end.saturating_add(1),
                ..self.rest
            },
        })
    }

    /// Whether nothing is left.
    pub(super) fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    /// What was looked at is no longer ahead.
    pub(super) fn leave(&mut self, window: Span) {
        match self.order {
            Order::Down => self.rest.high = window.low,
            Order::Up => self.rest.low = window.high,
        }
    }

    async fn search(
        &mut self,
        reader: &mut Reader<'_>,
        mut window: Span,
        want: usize,
        records: &mut Vec<Stored>,
        budget: &Budget,
    ) -> sqlx::Result<Ended> {
        while !window.is_empty() {
            let mut limit = want.saturating_sub(records.len());
            if self.plan.needle.is_some() {
                limit = limit.max(LOOKED_AT);
            } else if self.plan.has_doubles() {
                // A record comes once more for each target that is there twice.
                limit = limit.saturating_add(1);
            }
            let statement = self.plan.page(window, self.order, limit);
            let rows = reader.link.rows(statement).await?;
            let is_last = rows.len() < limit;
            for row in rows {
                let stored = row.stored();
                let id = number(stored.id);
                match self.order {
                    Order::Down => self.rest.high = id,
                    Order::Up => self.rest.low = id.saturating_add(1),
                }
                let is_double = self.plan.has_doubles()
                    && records.last().is_some_and(|last| last.id == stored.id);
                let needle = self.plan.needle.as_ref();
                if is_double || needle.is_some_and(|needle| !needle.is_in(&stored.json)) {
                    continue;
                }
                records.push(stored);
                if records.len() >= want {
                    return Ok(Ended::Full);
                }
            }
            if is_last {
                break;
            }
            match self.order {
                Order::Down => window.high = self.rest.high,
                Order::Up => window.low = self.rest.low,
            }
            if self.plan.needle.is_some() && budget.is_late() {
                return Ok(Ended::Budget);
            }
        }
        Ok(Ended::Everything)
    }
}
