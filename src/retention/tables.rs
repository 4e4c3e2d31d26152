//! What pruning asks of a database; everything else is there once, for all of them.

use std::{fmt, future::Future, pin::Pin};

use super::Hold;
use crate::{
    address::{Address, UrlError},
    clock::Timestamp,
    sql::fault::Fault,
};

/// What a call on the tables gives.
pub(super) type TablesFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, TablesError>> + Send + 'a>>;

/// The bytes of a record's id.
pub(super) type Key = [u8; 16];

/// What a policy must know of a stored record.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) id: Key,
    pub(super) timestamp: Timestamp,
    pub(super) received: Timestamp,
    pub(super) action: String,
    pub(super) category: Option<String>,
    /// Read where there are holds.
    pub(super) json: Option<String>,
}

/// A prune as it stands in `audit_prunes`.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) started: Timestamp,
    pub(super) ended: Option<Timestamp>,
    pub(super) by: String,
    pub(super) digest: String,
    pub(super) policy: String,
    pub(super) removed: u64,
    /// Those of them that go in the transaction that notes it.
    pub(super) going: u64,
    pub(super) oldest: Option<Timestamp>,
    pub(super) newest: Option<Timestamp>,
    pub(super) counts: String,
    pub(super) complete: bool,
}

/// What became of a step.
#[derive(Debug)]
pub(super) enum Removed {
    /// The records are gone.
    Done,
    /// Nothing was done, because these are the holds now.
    Holds(Vec<Hold>),
    /// Nothing was done, because another prune removed some of the records.
    Others,
    /// Nothing was done, because something is in the way of it; said why.
    Left(String),
}

/// A part of the records by range of id, from `low` to below `high`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) low: Key,
    pub(super) high: Key,
    /// How many pages its table takes, also those that nothing is in any more.
    pub(super) pages: u64,
}

/// The records of a part that a policy cannot tell apart.
#[derive(Debug)]
pub(super) struct Alike {
    pub(super) action: String,
    pub(super) category: Option<String>,
    pub(super) count: u64,
    pub(super) oldest: Timestamp,
    pub(super) newest: Timestamp,
    pub(super) received: Timestamp,
}

/// What a step says that met what must not be.
pub(super) const OTHER_LEAF: &str = "a record that is to be removed has another leaf than what is \
    kept of an earlier one under its number: run `tower-audit verify --store URL`";

/// Why a call on the tables failed. The connection was dropped, and its transaction rolled back.
#[derive(Debug)]
pub(super) struct TablesError {
    pub(super) reason: String,
    /// Whether a person must act.
    pub(super) is_lasting: bool,
    /// Whether there is no store yet.
    pub(super) is_missing: bool,
}

const NO_PARTS: &str = "there are no parts here";

/// Said where there are no tables: none are made by somebody who wants to remove.
pub(super) const MISSING: &str = "there are no audit tables with this prefix";

impl TablesError {
    pub(super) fn lasting(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            is_lasting: true,
            is_missing: false,
        }
    }

    pub(super) fn of(error: &sqlx::Error, fault: Fault) -> Self {
        Self {
            reason: crate::sql::fault::reason(error, fault),
            is_lasting: matches!(fault, Fault::Repair(_)),
            is_missing: false,
        }
    }
}

/// The tables of one store, over a connection of its own. Connects when it must; a call that failed
/// or was dropped has changed all or nothing, and may be made again.
pub(super) trait Tables: fmt::Debug + Send {
    /// The database, without secrets.
    fn address(&self) -> String;

    /// Connects, and brings the tables up to date; makes none.
    fn open(&mut self) -> TablesFuture<'_, ()>;

    /// Keeps other prunes away until the connection ends; false when another one runs. SQLite has
    /// no such lock: two prunes of one file take turns by the step.
    fn lock(&mut self) -> TablesFuture<'_, bool>;

    /// Lets others prune again.
    fn unlock(&mut self) -> TablesFuture<'_, ()>;

    /// Fails when this user may not remove records.
    fn may_remove(&mut self) -> TablesFuture<'_, ()>;

    /// Every hold, the oldest first.
    fn holds(&mut self) -> TablesFuture<'_, Vec<Hold>>;

    /// Places a hold; when this returns no step removes what it keeps.
    fn place<'a>(&'a mut self, hold: &'a Hold) -> TablesFuture<'a, ()>;

    /// Releases a hold; false when there is none that could be.
    fn release<'a>(&'a mut self, id: &'a str, by: &'a str, at: Timestamp)
    -> TablesFuture<'a, bool>;

    /// The highest id that is not above this one.
    fn newest_up_to(&mut self, id: Key) -> TablesFuture<'_, Option<Key>>;

    /// The lowest id that is above this one.
    fn oldest_above(&mut self, id: Key) -> TablesFuture<'_, Option<Key>>;

    /// Records with ids above `after` and not above `up_to`, in ascending order.
    fn page(
        &mut self,
        after: Key,
        up_to: Key,
        limit: usize,
        with_json: bool,
    ) -> TablesFuture<'_, Vec<Candidate>>;

    /// Removes records in one transaction: number and leaf are kept, the prune is noted. Only while
    /// the holds are those that are `known`.
    fn remove<'a>(
        &'a mut self,
        ids: &'a [Key],
        known: &'a [Hold],
        run: &'a Run,
    ) -> TablesFuture<'a, Removed>;

    /// Notes how a prune stands; gives how many records it removed by then, by what stands there.
    fn note<'a>(&'a mut self, run: &'a Run) -> TablesFuture<'a, u64>;

    /// When the last prune began that came to its end, under the policy with this digest, and not
    /// after this time.
    fn last_whole<'a>(
        &'a mut self,
        digest: &'a str,
        up_to: Timestamp,
    ) -> TablesFuture<'a, Option<Timestamp>>;

    /// Digest and text of the policy of the last prune.
    fn last_policy(&mut self) -> TablesFuture<'_, Option<(String, String)>>;

    /// The parts that end at `up_to` or before it, oldest first. Only PostgreSQL has any.
    fn parts(&mut self, up_to: Key) -> TablesFuture<'_, Vec<Part>> {
        let _ = up_to;
        Box::pin(async { Ok(Vec::new()) })
    }

    /// What is in a part.
    fn alike<'a>(&'a mut self, part: &'a Part) -> TablesFuture<'a, Vec<Alike>> {
        let _ = part;
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Removes a whole part, if it still holds `count` records and the holds are those that are
    /// `known`.
    fn drop_part<'a>(
        &'a mut self,
        part: &'a Part,
        count: u64,
        known: &'a [Hold],
        run: &'a Run,
    ) -> TablesFuture<'a, Removed> {
        let _ = (part, count, known, run);
        Box::pin(async { Ok(Removed::Left(NO_PARTS.to_owned())) })
    }

    /// Removes all of a part but the records in `kept`, by making it anew with these, if it still
    /// holds `count` records and the holds are those that are `known`.
    fn renew_part<'a>(
        &'a mut self,
        part: &'a Part,
        kept: &'a [Key],
        count: u64,
        known: &'a [Hold],
        run: &'a Run,
    ) -> TablesFuture<'a, Removed> {
        let _ = (part, kept, count, known, run);
        Box::pin(async { Ok(Removed::Left(NO_PARTS.to_owned())) })
    }
}

/// The schemes of databases.
const SCHEMES: &[&str] = &[
    #[cfg(feature = "sqlite")]
    "sqlite",
    #[cfg(feature = "postgres")]
    "postgres",
    #[cfg(feature = "mysql")]
    "mysql",
    #[cfg(feature = "mysql")]
    "mariadb",
];

/// The tables that an address names. Opens nothing.
pub(super) fn at(address: &str) -> Result<Box<dyn Tables>, UrlError> {
    let address = Address::parse(address, SCHEMES)?;
    match address.scheme.as_str() {
        #[cfg(feature = "sqlite")]
        "sqlite" => {
            let location = crate::sql::location::file::FileLocation::from_address(address)?;
            let mut database = crate::sql::sqlite::SqliteDatabase::new(location.path);
            database.table_prefix(location.prefix);
            Ok(Box::new(super::sqlite::SqliteTables::new(database)))
        }
        #[cfg(feature = "postgres")]
        "postgres" => {
            let database = crate::sql::postgres::PostgresDatabase::from_address(address)?;
            Ok(Box::new(super::postgres::PostgresTables::new(database)))
        }
        #[cfg(feature = "mysql")]
        "mysql" | "mariadb" => {
            let database = crate::sql::mysql::MysqlDatabase::from_address(address)?;
            Ok(Box::new(super::mysql::MysqlTables::new(database)))
        }
        _ => {
            let expected = "this program was built without it";
            Err(UrlError::new("scheme", address.scheme, expected))
        }
    }
}
