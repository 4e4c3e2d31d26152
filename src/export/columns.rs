//! Which columns a CSV has, in which order, and under which names.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::field::{self, Field};
use crate::text;

/// The columns of a CSV export.
///
/// Written as a list with commas: `id,timestamp,actor_id`. `actor_id=User ID` gives a column another
/// name in the header. The name of a set stands for all of its columns: `default`, `all`, and
/// `duplistatus`, whose names and order are those of duplistatus' own export.
///
/// ```
/// use tower_audit::export::Columns;
///
/// let columns: Columns = "id=ID,timestamp=Time,details".parse()?;
/// assert_eq!(columns.headers().collect::<Vec<_>>(), ["ID", "Time", "details"]);
/// # Ok::<(), tower_audit::export::ColumnsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns(Vec<Column>);

/// A list of columns that no CSV can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ColumnsError {
    /// There is no such column; choose one of those that the message lists.
    #[error("there is no column {name:?}; there are {}, and the sets {}", .known.join(", "), .sets.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// Every column there is.
        known: Vec<&'static str>,
        /// Every set of columns there is.
        sets: Vec<&'static str>,
    },
    /// Two columns would have the same name: rename or remove one of them.
    #[error("two columns are called {header:?}: rename one of them (column=Name), or leave it out")]
    Twice {
        /// The name.
        header: String,
    },
    /// The name for a column is empty, too long, or has control characters.
    #[error(
        "the column {column:?} cannot have this name: 1 to {} visible bytes are allowed",
        Columns::MAX_HEADER
    )]
    Header {
        /// The column.
        column: String,
    },
    /// More columns than a CSV may have.
    #[error("at most {} columns are possible", Columns::MAX)]
    TooMany,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) field: &'static Field,
    pub(super) header: String,
}

impl Columns {
    /// How many columns there may be.
    pub const MAX: usize = 100;
    /// How long the name of a column may be, in bytes.
    pub const MAX_HEADER: usize = 128;

    /// Every column there is, with what its cells hold: the table of `docs/export.md`.
    #[must_use]
    pub fn known() -> impl ExactSizeIterator<Item = (&'static str, &'static str)> {
        field::ALL.iter().map(|field| (field.name, field.what))
    }

    /// The columns of duplistatus' export, under its names and in its order.
    #[must_use]
    pub fn duplistatus() -> Self {
        Self::of_set(field::DUPLISTATUS)
    }

    /// Every column.
    #[must_use]
    pub fn all() -> Self {
        Self(field::ALL.iter().map(Column::plain).collect())
    }

    /// The names in the header, in order.
    #[must_use]
    pub fn headers(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|column| column.header.as_str())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Column> {
        self.0.iter()
    }

    fn of_set(set: &[(&str, &str)]) -> Self {
        let columns = set.iter().filter_map(|(name, header)| {
            let field = field::named(name)?;
            let header = (*header).to_owned();
            Some(Column { field, header })
        });
        Self(columns.collect())
    }

    fn set(name: &str) -> Option<Self> {
        match name {
            "default" => Some(Self::default()),
            "all" => Some(Self::all()),
            "duplistatus" => Some(Self::duplistatus()),
            _ => None,
        }
    }

    fn add(&mut self, column: Column) -> Result<(), ColumnsError> {
        let header = &column.header;
        if header.is_empty() || !text::is_clean(header, Self::MAX_HEADER) {
            let column = column.field.name.to_owned();
            return Err(ColumnsError::Header { column });
        }
        // A program that reads by name would see only one of them.
        if self.0.iter().any(|other| other.header == *header) {
            let header = column.header;
            return Err(ColumnsError::Twice { header });
        }
        if self.0.len() == Self::MAX {
            return Err(ColumnsError::TooMany);
        }
        self.0.push(column);
        Ok(())
    }
}

impl Column {
    fn plain(field: &'static Field) -> Self {
        let header = field.name.to_owned();
        Self { field, header }
    }
}

impl Default for Columns {
    /// What people look at, and the whole of details and changes.
    fn default() -> Self {
        let fields = field::DEFAULT.iter().filter_map(|name| field::named(name));
        Self(fields.map(Column::plain).collect())
    }
}

impl FromStr for Columns {
    type Err = ColumnsError;

    fn from_str(list: &str) -> Result<Self, ColumnsError> {
        let mut columns = Self(Vec::new());
        for entry in list.split(',') {
            if let Some(set) = Self::set(entry.trim()) {
                set.0
                    .into_iter()
                    .try_for_each(|column| columns.add(column))?;
                continue;
            }
            let (name, header) = entry.split_once('=').unwrap_or((entry, entry));
            let (name, header) = (name.trim(), header.trim().to_owned());
            let field = field::named(name).ok_or_else(|| ColumnsError::Unknown {
                name: name.chars().take(64).collect(),
                known: Self::known().map(|(name, _)| name).collect(),
                sets: vec!["default", "all", "duplistatus"],
            })?;
            columns.add(Column { field, header })?;
        }
        Ok(columns)
    }
}

impl fmt::Display for Columns {
    /// The list that [`FromStr`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Column { field, header }) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", field.name)?;
            if header != field.name {
                write!(f, "={header}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for Columns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl Serialize for Column {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut column = serializer.serialize_struct("Column", 2)?;
        column.serialize_field("column", self.field.name)?;
        column.serialize_field("header", &self.header)?;
        column.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> Result<String, String> {
        let columns: Result<Columns, _> = list.parse();
        columns
            .map(|columns| columns.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_names_columns_renames_them_and_takes_in_sets() {
        for (list, expected) in [
            ("id", "id"),
            (" id , actor_id=User ID", "id,actor_id=User ID"),
            ("id=a=b", "id=a=b"),
            ("id,id=again", "id,id=again"),
            ("all", &Columns::all().to_string()),
            ("default,json", &format!("{},json", Columns::default())),
        ] {
            assert_eq!(read(list).as_deref(), Ok(expected), "{list}");
        }
        let first: Columns = "duplistatus".parse().unwrap();
        assert_eq!(first, Columns::duplistatus());
        assert_eq!(read(&first.to_string()), Ok(first.to_string()));
    }

    #[test]
    fn a_wrong_list_is_refused_with_the_way_out() {
        let many = (0..=Columns::MAX)
            .map(|i| format!("id=c{i}"))
            .collect::<Vec<_>>();
        for (list, expected) in [
            ("", "no column \"\"; there are id, timestamp,"),
            ("id,", "no column \"\""),
            ("ID", "no column \"ID\""),
            ("id,user", "duplistatus"),
            ("id,id", "two columns are called \"id\""),
            ("id,action=id", "two columns are called \"id\""),
            ("default,id", "two columns are called \"id\""),
            ("id=", "\"id\" cannot have this name"),
            ("id=a\nb", "\"id\" cannot have this name"),
            (&format!("id={}", "x".repeat(129)), "1 to 128"),
            (&many.join(","), "at most 100 columns"),
        ] {
            let error = read(list).unwrap_err();
            assert!(error.contains(expected), "{list}: {error}");
        }
    }

    #[test]
    fn every_set_names_columns_that_there_are() {
        assert_eq!(Columns::default().0.len(), field::DEFAULT.len());
        assert_eq!(Columns::duplistatus().0.len(), field::DUPLISTATUS.len());
        assert_eq!(read("all"), Ok(Columns::all().to_string()));
    }
}
