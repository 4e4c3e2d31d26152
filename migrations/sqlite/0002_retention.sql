-- What retention needs on SQLite, format 1.1: nothing that was there is changed, and a program that
-- knows format 1.0 only goes on reading and writing.

-- The records that were removed: number and leaf stay, in the transaction that removes the row, so
-- that the tree over the whole trail can still be computed.
CREATE TABLE audit_emptied (
    trail  BLOB    NOT NULL,
    number INTEGER NOT NULL,
    leaf   BLOB    NOT NULL,
    PRIMARY KEY (trail, number)
) STRICT, WITHOUT ROWID;

-- What nobody's policy removes. `filter` is a JSON object of the parameters that a search takes;
-- every record that matches is kept until the hold is released, which is said once.
CREATE TABLE audit_holds (
    id          TEXT    NOT NULL PRIMARY KEY,
    filter      TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    placed_by   TEXT    NOT NULL,
    since       INTEGER NOT NULL,
    released    INTEGER,
    released_by TEXT
) STRICT, WITHOUT ROWID;

-- Every prune: written with the first record that it removes, and at its end. `ended` is missing
-- while it runs, and where it was interrupted. `counts` is JSON: for each rule, kept and removed.
CREATE TABLE audit_prunes (
    id       TEXT    NOT NULL PRIMARY KEY,
    started  INTEGER NOT NULL,
    ended    INTEGER,
    run_by   TEXT    NOT NULL,
    digest   TEXT    NOT NULL,
    policy   TEXT    NOT NULL,
    removed  INTEGER NOT NULL,
    oldest   INTEGER,
    newest   INTEGER,
    counts   TEXT    NOT NULL,
    complete INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
