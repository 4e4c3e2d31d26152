-- The tables of a tower-audit store on SQLite, format 1.0.
--
-- The names begin with `audit_`, or with the prefix that was configured. Times are microseconds
-- since 1970 in UTC; ids are the 16 bytes of a UUID; hashes are the 32 bytes of SHA-256.

-- Which migrations were applied. A newer minor version only adds, so that an older program may
-- go on reading and writing; a newer major version may not be touched by an older program.
CREATE TABLE audit_schema (
    number  INTEGER NOT NULL PRIMARY KEY,
    name    TEXT    NOT NULL,
    major   INTEGER NOT NULL,
    minor   INTEGER NOT NULL,
    applied INTEGER NOT NULL
) STRICT;

-- The last arrival given away. Every batch takes its numbers here, in its own transaction, so
-- that the order of commits is the order of arrivals and none is ever given twice.
CREATE TABLE audit_arrival (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    last INTEGER NOT NULL
) STRICT;

INSERT INTO audit_arrival (only, last) VALUES (1, 0);

-- The records. `json` is the exact text that `leaf` was made of; the other columns are copies of
-- what is searched. The key is `id`; rows are stored in the order of `arrival`, because SQLite
-- keeps a table in the order of its INTEGER PRIMARY KEY and followers read it in that order.
CREATE TABLE audit_records (
    arrival     INTEGER NOT NULL PRIMARY KEY,
    id          BLOB    NOT NULL UNIQUE,
    trail       BLOB    NOT NULL,
    number      INTEGER NOT NULL,
    leaf        BLOB    NOT NULL,
    received    INTEGER NOT NULL,
    timestamp   INTEGER NOT NULL,
    action      TEXT    NOT NULL,
    category    TEXT,
    outcome     TEXT,
    actor_type  TEXT,
    actor_id    TEXT,
    actor_name  TEXT,
    tenant      TEXT,
    application TEXT,
    service     TEXT,
    instance    TEXT,
    ip          TEXT,
    session     TEXT,
    request_id  TEXT,
    json        TEXT    NOT NULL,
    UNIQUE (trail, number)
) STRICT;

-- Every index ends with `id`, which is in the order of time: a filtered page is read from one
-- index, newest first, without sorting.
CREATE INDEX audit_records_action      ON audit_records (action, id);
CREATE INDEX audit_records_category    ON audit_records (category, id)    WHERE category IS NOT NULL;
CREATE INDEX audit_records_outcome     ON audit_records (outcome, id)     WHERE outcome IS NOT NULL;
CREATE INDEX audit_records_actor       ON audit_records (actor_id, id)    WHERE actor_id IS NOT NULL;
CREATE INDEX audit_records_tenant      ON audit_records (tenant, id)      WHERE tenant IS NOT NULL;
CREATE INDEX audit_records_application ON audit_records (application, id) WHERE application IS NOT NULL;
CREATE INDEX audit_records_service     ON audit_records (service, id)     WHERE service IS NOT NULL;
CREATE INDEX audit_records_ip          ON audit_records (ip, id)          WHERE ip IS NOT NULL;
CREATE INDEX audit_records_session     ON audit_records (session, id)     WHERE session IS NOT NULL;
CREATE INDEX audit_records_request     ON audit_records (request_id, id)  WHERE request_id IS NOT NULL;

-- What the records were about: a record has any number of targets.
CREATE TABLE audit_targets (
    record   BLOB    NOT NULL,
    position INTEGER NOT NULL,
    type     TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    name     TEXT,
    PRIMARY KEY (record, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_targets_target ON audit_targets (type, id, record);

-- Signed tree heads: what proves that a trail here is complete and unchanged.
CREATE TABLE audit_checkpoints (
    trail    BLOB    NOT NULL,
    size     INTEGER NOT NULL,
    root     BLOB    NOT NULL,
    note     TEXT    NOT NULL,
    received INTEGER NOT NULL,
    PRIMARY KEY (trail, size)
) STRICT, WITHOUT ROWID;

-- How far each trail has come, changed in the transaction of the records. `next` is the first
-- number that is not here; `size` and `root` are the latest tree head that came with a batch.
CREATE TABLE audit_trails (
    trail    BLOB    NOT NULL PRIMARY KEY,
    service  TEXT    NOT NULL,
    instance TEXT,
    next     INTEGER NOT NULL,
    size     INTEGER,
    root     BLOB,
    updated  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
