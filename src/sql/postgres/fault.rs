//! What an error of PostgreSQL means for whoever called.

use std::io::ErrorKind;

use sqlx::error::DatabaseError;

use crate::sql::fault::{ALTERED, Fault};

/// Tells what to do about an error.
pub(super) fn fault(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Database(error) if is_new_part(error.as_ref()) => Fault::Passing,
        sqlx::Error::Database(error) => error.code().map_or(Fault::Passing, |code| by_code(&code)),
        sqlx::Error::Io(error) => by_kind(error.kind()),
        sqlx::Error::Tls(_) => Fault::Repair(TLS),
        sqlx::Error::Encode(_) => Fault::Refused,
        // A request for TLS that was answered with something else.
        sqlx::Error::Protocol(what) if what.contains("SSLRequest") => Fault::Repair(STRANGER),
        // Another way to log in than a password.
        sqlx::Error::Protocol(what) if what.contains("authentication m") => Fault::Repair(LOGIN),
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::RowNotFound
        | sqlx::Error::Decode(_) => Fault::Repair(ALTERED),
        _ => Fault::Passing,
    }
}

/// Whether a row was on its way to the default part while its month got a part of its own.
fn is_new_part(error: &dyn DatabaseError) -> bool {
    error.code().is_some_and(|code| code == "23514")
        && error.constraint().is_none()
        && error
            .table()
            .is_some_and(|table| table.ends_with("records_default"))
}

/// By SQLSTATE: the first two characters are the class.
fn by_code(code: &str) -> Fault {
    match code {
        // unique_violation
        "23505" => Fault::Constraint,
        // invalid_binary_representation, bad_copy_file_format: a column of another type.
        "22P03" | "22P04" => Fault::Repair(ALTERED),
        // duplicate_prepared_statement, invalid_sql_statement_name: another session answers.
        "26000" | "42P05" => Fault::Repair(POOL),
        // read_only_sql_transaction
        "25006" => Fault::Repair(READ_ONLY),
        // invalid_catalog_name
        "3D000" => Fault::Repair("create the database, or name another one"),
        // insufficient_privilege
        "42501" => Fault::Repair(PRIVILEGE),
        // duplicate_function, duplicate_schema, duplicate_table, duplicate_object
        "42723" | "42P06" | "42P07" | "42710" => Fault::Repair(TAKEN),
        // query_canceled
        "57014" => Fault::Interrupted,
        // data_corrupted, index_corrupted
        "XX001" | "XX002" => Fault::Repair(DAMAGED),
        _ => by_class(code.get(..2).unwrap_or_default()),
    }
}

fn by_class(class: &str) -> Fault {
    match class {
        // Invalid authorization; with or without a password.
        "28" => Fault::Repair(LOGIN),
        // What is in the record: a character, a number, a depth, a length.
        "22" | "54" => Fault::Refused,
        // A table that cannot do this; a constraint, a schema, a table, a column or a type that is
        // not as it was made; a trigger of somebody else.
        "0A" | "23" | "3F" | "42" | "P0" => Fault::Repair(ALTERED),
        // Connection, resources, an operator, a lock, the system.
        _ => Fault::Passing,
    }
}

const LOGIN: &str = "correct the user or the password, or let the server's pg_hba.conf admit them; \
                     a password file is read again at each attempt";
const POOL: &str = "name the server itself, or a pool that keeps a session for each client: one that \
                    pools transactions loses prepared statements and settings";
const PRIVILEGE: &str = "this user may not do that: run `tower-audit migrate URL --service-role NAME` \
                         as the owner of the tables";
const READ_ONLY: &str = "this server only reads: name the primary";
const TAKEN: &str = "something with this name is there and is not tower-audit's: \
                     give another prefix or schema";
const DAMAGED: &str = "the database is damaged: check the disk, then restore it from a backup; \
                       what is missing comes again from the journal";
const STRANGER: &str = "what answers there is no PostgreSQL server: check host and port";
const TLS: &str = "let the server have TLS and a certificate for this host from an authority that is \
                   trusted here (name its file with ca=), or say with sslmode= what is enough";

fn by_kind(kind: ErrorKind) -> Fault {
    match kind {
        // What rustls makes of a certificate it does not trust, and of a refused handshake.
        ErrorKind::InvalidData => Fault::Repair(TLS),
        _ => Fault::Passing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_to_log_in_that_is_not_known_here_is_for_a_person() {
        for what in [
            "unsupported authentication method: Gss",
            "unknown authentication method: 2",
            "unsupported SASL authentication mechanisms: OAUTHBEARER",
        ] {
            let error = sqlx::Error::Protocol(what.to_owned());
            assert_eq!(fault(&error), Fault::Repair(LOGIN), "{what}");
        }
    }

    #[test]
    fn a_code_says_who_can_do_something() {
        let cases = [
            ("wrong password", "28P01", Fault::Repair(LOGIN)),
            ("not in pg_hba.conf", "28000", Fault::Repair(LOGIN)),
            ("no such table", "42P01", Fault::Repair(ALTERED)),
            ("no such column", "42703", Fault::Repair(ALTERED)),
            ("no part for a row", "23514", Fault::Repair(ALTERED)),
            ("a view", "0A000", Fault::Repair(ALTERED)),
            ("no right", "42501", Fault::Repair(PRIVILEGE)),
            ("the same key", "23505", Fault::Constraint),
            ("disk full", "53100", Fault::Passing),
            ("too many connections", "53300", Fault::Passing),
            ("shutting down", "57P01", Fault::Passing),
            ("starting up", "57P03", Fault::Passing),
            ("deadlock", "40P01", Fault::Passing),
            ("lock time-out", "55P03", Fault::Passing),
            ("statement time-out", "57014", Fault::Interrupted),
            ("no such JSON", "22P02", Fault::Refused),
            ("nested too deeply", "54001", Fault::Refused),
            ("something new", "ZZ000", Fault::Passing),
        ];
        for (name, code, expected) in cases {
            assert_eq!(by_code(code), expected, "{name}");
        }
    }
}
