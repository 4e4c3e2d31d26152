-- The tables of a tower-audit store on MySQL and MariaDB, format 1.0.
--
-- The names begin with `audit_`, or with the prefix that was configured. Times are microseconds
-- since 1970 in UTC; ids are the 16 bytes of a UUID; hashes are the 32 bytes of SHA-256.
--
-- Each statement that defines a table is committed at once, whatever the transaction. Every one can
-- therefore be run again, and the version is noted last: a crash between two is no harm.

-- Which migrations were applied. A newer minor version only adds, so that an older program may
-- go on reading and writing; a newer major version may not be touched by an older program.
CREATE TABLE IF NOT EXISTS audit_schema (
    number  BIGINT       NOT NULL PRIMARY KEY,
    name    VARCHAR(256) NOT NULL,
    major   BIGINT       NOT NULL,
    minor   BIGINT       NOT NULL,
    applied BIGINT       NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The last arrival given away. Every batch takes its numbers here, in its own transaction, so
-- that the order of commits is the order of arrivals and none is ever given twice.
CREATE TABLE IF NOT EXISTS audit_arrival (
    only BIGINT NOT NULL PRIMARY KEY CHECK (only = 1),
    last BIGINT NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT IGNORE INTO audit_arrival (only, last) VALUES (1, 0);

-- The records. `json` is the exact text that `leaf` was made of; the other columns are copies of
-- what is searched. No text of a record that has a column is longer than 256 bytes, which is at
-- most 256 characters: an index takes 3072 bytes, four for each character.
--
-- Every index ends with `id`, which is in the order of time: a filtered page is read from one
-- index, newest first, without sorting.
CREATE TABLE IF NOT EXISTS audit_records (
    arrival     BIGINT       NOT NULL,
    id          BINARY(16)   NOT NULL PRIMARY KEY,
    trail       BINARY(16)   NOT NULL,
    number      BIGINT       NOT NULL,
    leaf        BINARY(32)   NOT NULL,
    received    BIGINT       NOT NULL,
    timestamp   BIGINT       NOT NULL,
    action      VARCHAR(256) NOT NULL,
    category    VARCHAR(256),
    outcome     VARCHAR(256),
    actor_type  VARCHAR(256),
    actor_id    VARCHAR(256),
    actor_name  VARCHAR(256),
    tenant      VARCHAR(256),
    application VARCHAR(256),
    service     VARCHAR(256),
    instance    VARCHAR(256),
    ip          VARCHAR(256),
    session     VARCHAR(256),
    request_id  VARCHAR(256),
    json        LONGTEXT     NOT NULL,
    UNIQUE KEY audit_records_arrival (arrival),
    UNIQUE KEY audit_records_number (trail, number),
    KEY audit_records_action      (action, id),
    KEY audit_records_category    (category, id),
    KEY audit_records_outcome     (outcome, id),
    KEY audit_records_actor       (actor_id, id),
    KEY audit_records_tenant      (tenant, id),
    KEY audit_records_application (application, id),
    KEY audit_records_service     (service, id),
    KEY audit_records_ip          (ip, id),
    KEY audit_records_session     (session, id),
    KEY audit_records_request     (request_id, id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What the records were about: a record has any number of targets.
CREATE TABLE IF NOT EXISTS audit_targets (
    record   BINARY(16)   NOT NULL,
    position BIGINT       NOT NULL,
    type     VARCHAR(256) NOT NULL,
    id       VARCHAR(256) NOT NULL,
    name     VARCHAR(256),
    PRIMARY KEY (record, position),
    KEY audit_targets_target (type, id, record)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Signed tree heads: what proves that a trail here is complete and unchanged.
CREATE TABLE IF NOT EXISTS audit_checkpoints (
    trail    BINARY(16) NOT NULL,
    size     BIGINT     NOT NULL,
    root     BINARY(32) NOT NULL,
    note     LONGTEXT   NOT NULL,
    received BIGINT     NOT NULL,
    PRIMARY KEY (trail, size)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- How far each trail has come, changed in the transaction of the records. `next` is the first
-- number that is not here; `size` and `root` are the latest tree head that came with a batch.
CREATE TABLE IF NOT EXISTS audit_trails (
    trail    BINARY(16) NOT NULL PRIMARY KEY,
    service  TEXT       NOT NULL,
    instance TEXT,
    next     BIGINT     NOT NULL,
    size     BIGINT,
    root     BINARY(32),
    updated  BIGINT     NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
