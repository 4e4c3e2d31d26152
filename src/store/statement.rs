//! A statement that only reads, and how its text differs between the databases.

/// A value that is bound.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    /// 16 bytes.
    Id([u8; 16]),
    Number(i64),
}

/// What a column of an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// 16 bytes.
    Id,
    Bytes,
    Number,
}

/// A statement, its values in the order of their places, and what its columns hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
    pub(super) kinds: Vec<Kind>,
}

/// Which language it is, where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    #[cfg(feature = "sqlite")]
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
    #[cfg(feature = "mysql")]
    Mysql,
}

/// The names of the tables, and the language of the database they are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tables {
    pub(super) dialect: Dialect,
    /// What the names of the tables begin with, as it stands in SQL.
    pub(super) base: String,
}

impl Tables {
    pub(super) fn name(&self, table: &str) -> String {
        format!("{}{table}", self.base)
    }

    /// The table in a `FROM`, to be read along this index and no other.
    pub(super) fn along(&self, table: &str, alias: &str, index: &str) -> String {
        let name = self.name(table);
        #[cfg(not(feature = "mysql"))]
        let _ = index;
        match self.dialect {
            #[cfg(feature = "mysql")]
            Dialect::Mysql if index == PRIMARY => {
                format!("{name} AS {alias} FORCE INDEX (PRIMARY)")
            }
            #[cfg(feature = "mysql")]
            Dialect::Mysql => {
                let index = self.name(&format!("{table}_{index}"));
                format!("{name} AS {alias} FORCE INDEX ({index})")
            }
            // These decide by the conditions: all but one are written so that no index serves.
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => format!("{name} AS {alias}"),
            #[cfg(feature = "postgres")]
            Dialect::Postgres => format!("{name} AS {alias}"),
        }
    }

    /// Whether the index to follow can only be said by the order of all its columns.
    pub(super) fn needs_whole_rows(&self) -> bool {
        match self.dialect {
            #[cfg(feature = "postgres")]
            Dialect::Postgres => true,
            #[cfg(any(feature = "sqlite", feature = "mysql"))]
            _ => false,
        }
    }

    /// The record of each target, the targets first.
    pub(super) fn join(&self) -> &'static str {
        match self.dialect {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => "CROSS JOIN",
            #[cfg(feature = "postgres")]
            Dialect::Postgres => "JOIN",
            #[cfg(feature = "mysql")]
            Dialect::Mysql => "STRAIGHT_JOIN",
        }
    }

    /// The index on a trail and its numbers.
    pub(super) fn trail_index(&self) -> &'static str {
        "number"
    }

    /// The exact text of a record.
    pub(super) fn json(&self) -> &'static str {
        match self.dialect {
            #[cfg(feature = "postgres")]
            Dialect::Postgres => "r.json::text",
            #[cfg(any(feature = "sqlite", feature = "mysql"))]
            _ => "r.json",
        }
    }

    /// A column of texts of which the different values are wanted. PostgreSQL would read them in the
    /// order of the column's own index, for all records, if it saw that they are in one.
    pub(super) fn value(&self, column: &str) -> String {
        match self.dialect {
            #[cfg(feature = "postgres")]
            Dialect::Postgres => format!("r.{column} || ''"),
            #[cfg(any(feature = "sqlite", feature = "mysql"))]
            _ => format!("r.{column}"),
        }
    }

    /// A text as a column holds it.
    pub(super) fn stored(&self, text: &str) -> String {
        match self.dialect {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => text.to_owned(),
            #[cfg(feature = "postgres")]
            Dialect::Postgres => crate::sql::postgres::column(text).into_owned(),
            #[cfg(feature = "mysql")]
            Dialect::Mysql => crate::sql::mysql::column(text).to_owned(),
        }
    }

    /// Whether parts of a `UNION ALL` have an order and a limit of their own. SQLite merges parts
    /// in the order of their indexes and stops at the limit; others would make them whole.
    pub(super) fn parts_are_limited(&self) -> bool {
        match self.dialect {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => false,
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            _ => true,
        }
    }
}

/// The primary key, as an index to read along.
pub(super) const PRIMARY: &str = "";

/// A statement in the making: what is pushed and what is bound come in the order of the text.
#[derive(Debug)]
pub(super) struct Sql {
    pub(super) dialect: Dialect,
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            text: String::new(),
            values: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// The place of a value.
    pub(super) fn bind(&mut self, value: Value) -> &mut Self {
        self.values.push(value);
        let place = match self.dialect {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => format!("?{}", self.values.len()),
            #[cfg(feature = "postgres")]
            Dialect::Postgres => format!("${}", self.values.len()),
            #[cfg(feature = "mysql")]
            Dialect::Mysql => "?".to_owned(),
        };
        self.push(&place)
    }

    /// A column that is this text, found by its index.
    pub(super) fn is(&mut self, column: &str, text: &str) -> &mut Self {
        self.push(column).push(" = ");
        self.bind(Value::Text(text.to_owned()));
        self.is_whole(column, text)
    }

    /// A column that is this text, and no index is to serve for it.
    pub(super) fn also_is(&mut self, column: &str, text: &str) -> &mut Self {
        match self.dialect {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => self.push("+").push(column).push(" = "),
            #[cfg(feature = "postgres")]
            Dialect::Postgres => self.push(column).push(" IS NOT DISTINCT FROM "),
            // There the index to take is named.
            #[cfg(feature = "mysql")]
            Dialect::Mysql => self.push(column).push(" = "),
        };
        self.bind(Value::Text(text.to_owned()));
        self.is_whole(column, text)
    }

    /// To MySQL's collation, texts that differ in spaces at their end are equal.
    fn is_whole(&mut self, column: &str, text: &str) -> &mut Self {
        match self.dialect {
            #[cfg(feature = "mysql")]
            Dialect::Mysql => {
                let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
                self.push(&format!(" AND LENGTH({column}) = "));
                self.bind(Value::Number(length))
            }
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            _ => {
                let _ = (column, text);
                self
            }
        }
    }

    /// A column that begins with this text, and no index is to serve for it.
    pub(super) fn begins(&mut self, column: &str, text: &str) -> &mut Self {
        let value = Value::Text(text.to_owned());
        match self.dialect {
            // There the first NUL ends a text for `SUBSTR`, and not bytes.
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => {
                let column = format!("SUBSTR(CAST({column} AS BLOB), 1, {})", text.len());
                self.push(&column)
                    .push(" = CAST(")
                    .bind(value)
                    .push(" AS BLOB)")
            }
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            _ => {
                let length = text.chars().count();
                self.push(&format!("SUBSTR({column}, 1, {length}) = "))
                    .bind(value)
            }
        }
    }

    /// A number, or an id, that no index is to serve for.
    pub(super) fn hidden(&mut self, column: &str) -> &mut Self {
        match self.dialect {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => self.push("+").push(column),
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            _ => self.push(column),
        }
    }

    pub(super) fn done(self, kinds: &[Kind]) -> Statement {
        Statement {
            sql: self.text,
            values: self.values,
            kinds: kinds.to_vec(),
        }
    }
}
