//! Versions of the tables, and who may use which.
//!
//! A store has a version of its own (`audit_schema`), never the migration table of the host's
//! database library. Within a major version a migration only adds, so that a program may use a
//! store with a newer minor version; a newer major version is left alone.

use super::TablePrefix;

/// One step from an older store to a newer one.
#[derive(Debug)]
pub(crate) struct Migration {
    /// Its place in the order; the same for every database.
    pub(crate) number: i64,
    /// The file's name without the ending.
    pub(crate) name: &'static str,
    /// The version a store has once this step is done.
    pub(crate) version: Version,
    /// The text of the file, with the default prefix.
    sql: &'static str,
}

/// The format of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    /// Changes when an older program must keep away.
    pub(crate) major: i64,
    /// Changes when something was added.
    pub(crate) minor: i64,
}

/// Why this program must not use a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SchemaError {
    #[error(
        "the tables have format {}.{}, this program knows up to {}.x: use a newer tower-audit",
        .found.major, .found.minor, .known.major
    )]
    Newer { found: Version, known: Version },
    #[error(
        "there are no audit tables with this prefix: check the address and the prefix, \
         or let a service deliver to it first"
    )]
    Missing,
}

/// What PostgreSQL stores need, oldest first.
#[cfg(feature = "postgres")]
pub(crate) const POSTGRES: &[Migration] = &[
    Migration {
        number: 1,
        name: "0001_records",
        version: Version { major: 1, minor: 0 },
        sql: include_str!("../../migrations/postgres/0001_records.sql"),
    },
    Migration {
        number: 2,
        name: "0002_retention",
        version: Version { major: 1, minor: 1 },
        sql: include_str!("../../migrations/postgres/0002_retention.sql"),
    },
];

/// What SQLite stores need, oldest first.
#[cfg(feature = "sqlite")]
pub(crate) const SQLITE: &[Migration] = &[
    Migration {
        number: 1,
        name: "0001_records",
        version: Version { major: 1, minor: 0 },
        sql: include_str!("../../migrations/sqlite/0001_records.sql"),
    },
    Migration {
        number: 2,
        name: "0002_retention",
        version: Version { major: 1, minor: 1 },
        sql: include_str!("../../migrations/sqlite/0002_retention.sql"),
    },
];

/// What MySQL and MariaDB stores need, oldest first.
#[cfg(feature = "mysql")]
pub(crate) const MYSQL: &[Migration] = &[
    Migration {
        number: 1,
        name: "0001_records",
        version: Version { major: 1, minor: 0 },
        sql: include_str!("../../migrations/mysql/0001_records.sql"),
    },
    Migration {
        number: 2,
        name: "0002_retention",
        version: Version { major: 1, minor: 1 },
        sql: include_str!("../../migrations/mysql/0002_retention.sql"),
    },
];

impl Migration {
    /// The statements, for tables with this prefix.
    pub(crate) fn sql(&self, prefix: &TablePrefix) -> String {
        // Comment lines could hold the word too; names in them change along, which reads well.
        self.sql.replace("audit_", prefix.as_str())
    }
}

/// The steps that a store with this version still lacks.
pub(crate) fn missing(
    migrations: &'static [Migration],
    found: Option<Version>,
) -> Result<&'static [Migration], SchemaError> {
    let Some(found) = found else {
        return Ok(migrations);
    };
    let known = newest(migrations);
    if found.major > known.major {
        return Err(SchemaError::Newer { found, known });
    }
    let done = migrations.partition_point(|step| step.version <= found);
    Ok(migrations.get(done..).unwrap_or_default())
}

/// Whether a store with this version can be read as it is. One with an older minor version can: what
/// it lacks was added later, and is not asked for.
pub(crate) fn readable(
    migrations: &'static [Migration],
    found: Option<Version>,
) -> Result<(), SchemaError> {
    let found = found.ok_or(SchemaError::Missing)?;
    missing(migrations, Some(found)).map(|_older| ())
}

/// The version that this program makes.
pub(crate) fn newest(migrations: &[Migration]) -> Version {
    migrations
        .last()
        .map_or(Version { major: 0, minor: 0 }, |step| step.version)
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;

    const fn version(major: i64, minor: i64) -> Version {
        Version { major, minor }
    }

    #[test]
    fn migrations_are_numbered_from_one_in_ascending_versions() {
        for (place, step) in (1..).zip(SQLITE) {
            assert_eq!(step.number, place);
            assert!(
                step.name.starts_with(&format!("{place:04}_")),
                "{}",
                step.name
            );
        }
        assert!(SQLITE.is_sorted_by(|a, b| a.version < b.version));
    }

    #[test]
    fn a_newer_minor_version_is_used_and_a_newer_major_version_is_not() {
        let cases = [
            ("nothing there", None, Ok(SQLITE.len())),
            ("an older minor", Some(version(1, 0)), Ok(SQLITE.len() - 1)),
            ("the same", Some(newest(SQLITE)), Ok(0)),
            ("newer minor", Some(version(1, 9)), Ok(0)),
        ];
        for (name, found, expected) in cases {
            assert_eq!(missing(SQLITE, found).map(<[_]>::len), expected, "{name}");
        }
        let error = missing(SQLITE, Some(version(2, 0))).unwrap_err();
        assert!(
            error.to_string().contains("use a newer tower-audit"),
            "{error}"
        );
        assert_eq!(readable(SQLITE, None), Err(SchemaError::Missing));
        assert_eq!(readable(SQLITE, Some(version(1, 0))), Ok(()));
    }

    #[test]
    fn a_prefix_reaches_every_name_in_the_statements() {
        let sql = SQLITE[0].sql(&"trail2_".parse().unwrap());
        assert!(!sql.contains("audit_"), "{sql}");
        assert!(sql.contains("CREATE TABLE trail2_records"), "{sql}");
    }
}
