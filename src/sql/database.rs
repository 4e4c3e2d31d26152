//! What a database must be able to do; everything else is there once, for all of them.

use std::{fmt, future::Future};

use sqlx::Transaction;

use super::{
    fault::{Fault, OpenError},
    group::Group,
    rows::Row,
    schema::{Migration, Version},
};
use crate::record::Origin;

/// A connection to one kind of database.
pub(crate) type Connection<D> = <<D as Database>::Driver as sqlx::Database>::Connection;

/// A place with tables, and the statements that use them.
///
/// The order is that in which a sink needs them: connect, migrate, check, position, write.
pub(crate) trait Database: fmt::Debug + Send + Sync + 'static {
    type Driver: sqlx::Database;

    /// The sink's name in health and statistics.
    const KIND: &'static str;

    /// Records and bytes of JSON in one batch: enough to make one commit cheap, few enough to
    /// keep others waiting for milliseconds only.
    const LIMITS: (usize, usize) = (2000, 2 * 1024 * 1024);

    /// What the tables need, oldest first.
    const MIGRATIONS: &'static [Migration];

    /// The address without secrets, for a person.
    fn address(&self) -> String;

    /// What stands behind the address now, where that can be seen: another file is another database.
    fn identity(&self) -> Option<(u64, u64)> {
        None
    }

    /// Tells what to do about an error.
    fn fault(error: &sqlx::Error) -> Fault;

    fn connect(&self) -> impl Future<Output = Result<Connection<Self>, OpenError>> + Send;

    /// The version of the tables; `None` when there are none with this prefix.
    fn version(
        &self,
        connection: &mut Connection<Self>,
    ) -> impl Future<Output = sqlx::Result<Option<Version>>> + Send;

    /// Begins a transaction in which nobody else changes the tables' format.
    fn lock<'c>(
        &self,
        connection: &'c mut Connection<Self>,
    ) -> impl Future<Output = sqlx::Result<Transaction<'c, Self::Driver>>> + Send;

    /// Takes one step under the lock, and notes that it was taken.
    fn apply(
        &self,
        connection: &mut Connection<Self>,
        step: &Migration,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Ends what [`lock`](Self::lock) holds beyond its transaction.
    fn unlock(
        &self,
        connection: &mut Connection<Self>,
    ) -> impl Future<Output = sqlx::Result<()>> + Send {
        let _ = connection;
        async { Ok(()) }
    }

    /// Whether the tables can be used as they are, when their version can.
    fn check(
        &self,
        connection: &mut Connection<Self>,
    ) -> impl Future<Output = Result<(), OpenError>> + Send {
        let _ = connection;
        async { Ok(()) }
    }

    /// What the owner of the tables does beside the migrations, and for the role of a service; says
    /// what was done.
    fn prepare(
        &self,
        connection: &mut Connection<Self>,
        service_role: Option<&str>,
    ) -> impl Future<Output = Result<Vec<String>, OpenError>> + Send;

    /// What somebody should see to, although records are delivered. Default: nothing.
    fn concerns(
        &self,
        connection: &mut Connection<Self>,
    ) -> impl Future<Output = sqlx::Result<Vec<String>>> + Send {
        let _ = connection;
        async { Ok(Vec::new()) }
    }

    /// Begins a transaction that writes.
    fn begin<'c>(
        &self,
        connection: &'c mut Connection<Self>,
    ) -> impl Future<Output = sqlx::Result<Transaction<'c, Self::Driver>>> + Send;

    /// The next number wanted of a trail; `None` when nothing of it is here.
    fn position(
        &self,
        connection: &mut Connection<Self>,
        origin: &Origin,
    ) -> impl Future<Output = sqlx::Result<Option<u64>>> + Send;

    /// Takes so many arrivals and gives the last one. Until the transaction ends nobody else takes
    /// any, not even if it were none.
    fn arrivals(
        &self,
        connection: &mut Connection<Self>,
        count: i64,
    ) -> impl Future<Output = sqlx::Result<i64>> + Send;

    /// Puts rows behind everything that is there, with the arrivals that follow `arrival`.
    fn insert<'a>(
        &self,
        connection: &mut Connection<Self>,
        group: &Group<'a>,
        rows: &[&'a Row<'a>],
        arrival: i64,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// What is stored in the places of a group's records, in their order.
    fn look_up(
        &self,
        connection: &mut Connection<Self>,
        group: &Group<'_>,
    ) -> impl Future<Output = sqlx::Result<Vec<Found>>> + Send;

    /// Moves the trail's cursor, never back.
    fn move_on(
        &self,
        connection: &mut Connection<Self>,
        group: &Group<'_>,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;
}

/// What is stored in a record's place: under its id, or under its number of its trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// The record itself, with the same bytes.
    Same,
    /// Something else.
    Other,
}
