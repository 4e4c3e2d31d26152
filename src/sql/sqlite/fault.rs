//! What an error of SQLite means for whoever called.

use crate::sql::fault::{ALTERED, Fault};

/// Tells what to do about an error.
pub(crate) fn fault(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse().ok());
            code.map_or(Fault::Passing, by_code)
        }
        sqlx::Error::Io(error) => by_kind(error.kind()),
        sqlx::Error::Encode(_) => Fault::Refused,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Fault::Repair(ALTERED),
        _ => Fault::Passing,
    }
}

/// By the primary result code, the low byte of an extended one.
fn by_code(code: i64) -> Fault {
    match code & 0xff {
        // SQLITE_ERROR: a missing table or column.
        1 => Fault::Repair(ALTERED),
        // SQLITE_PERM, SQLITE_AUTH
        3 | 23 => Fault::Repair(PERMISSION),
        // SQLITE_READONLY
        8 => Fault::Repair(READ_ONLY),
        // SQLITE_INTERRUPT
        9 => Fault::Interrupted,
        // SQLITE_CORRUPT
        11 => Fault::Repair(
            "the database is damaged: check the disk, then restore it from a backup \
             or move it away; what is missing comes again from the journal",
        ),
        // SQLITE_CANTOPEN
        14 => Fault::Repair(CANNOT_OPEN),
        // SQLITE_TOOBIG, SQLITE_MISMATCH, SQLITE_RANGE
        18 | 20 | 25 => Fault::Refused,
        // SQLITE_CONSTRAINT
        19 => Fault::Constraint,
        // SQLITE_NOTADB
        26 => Fault::Repair("the file is not a SQLite database: name another file"),
        // SQLITE_BUSY, SQLITE_LOCKED, SQLITE_NOMEM, SQLITE_IOERR, SQLITE_FULL and all others
        _ => Fault::Passing,
    }
}

const PERMISSION: &str = "this user may not write the file: give it to the service's user";
const READ_ONLY: &str = "the database cannot be written: give the file and its directory to the \
                         service's user, and mount the volume writable";
const CANNOT_OPEN: &str = "the file cannot be opened: its directory must exist, and the service's \
                           user must be allowed to write in it";

fn by_kind(kind: std::io::ErrorKind) -> Fault {
    use std::io::ErrorKind;
    match kind {
        ErrorKind::PermissionDenied => Fault::Repair(PERMISSION),
        ErrorKind::ReadOnlyFilesystem => Fault::Repair(READ_ONLY),
        ErrorKind::NotFound
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::InvalidInput
        | ErrorKind::InvalidFilename => Fault::Repair(CANNOT_OPEN),
        _ => Fault::Passing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_codes_are_judged_by_their_primary_code() {
        let cases = [
            ("SQLITE_BUSY_SNAPSHOT", 517, Fault::Passing),
            ("SQLITE_IOERR_WRITE", 778, Fault::Passing),
            ("SQLITE_FULL", 13, Fault::Passing),
            ("SQLITE_CONSTRAINT_UNIQUE", 2067, Fault::Constraint),
            ("SQLITE_READONLY_DIRECTORY", 1544, Fault::Repair(READ_ONLY)),
            ("SQLITE_CANTOPEN_ISDIR", 526, Fault::Repair(CANNOT_OPEN)),
            ("SQLITE_TOOBIG", 18, Fault::Refused),
        ];
        for (name, code, expected) in cases {
            assert_eq!(by_code(code), expected, "{name}");
        }
    }
}
