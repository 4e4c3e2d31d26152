-- What retention needs on MySQL and MariaDB, format 1.1: nothing that was there is changed, and a
-- program that knows format 1.0 only goes on reading and writing. As in the first file, every
-- statement can be run again.

-- The records that were removed: number and leaf stay, in the transaction that removes the row, so
-- that the tree over the whole trail can still be computed.
CREATE TABLE IF NOT EXISTS audit_emptied (
    trail  BINARY(16) NOT NULL,
    number BIGINT     NOT NULL,
    leaf   BINARY(32) NOT NULL,
    PRIMARY KEY (trail, number)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What nobody's policy removes. `filter` is a JSON object of the parameters that a search takes;
-- every record that matches is kept until the hold is released, which is said once.
CREATE TABLE IF NOT EXISTS audit_holds (
    id          VARCHAR(36) NOT NULL PRIMARY KEY,
    filter      LONGTEXT    NOT NULL,
    reason      TEXT        NOT NULL,
    placed_by   TEXT        NOT NULL,
    since       BIGINT      NOT NULL,
    released    BIGINT,
    released_by TEXT
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Every prune: written with the first record that it removes, and at its end. `ended` is missing
-- while it runs, and where it was interrupted. `counts` is JSON: for each rule, kept and removed.
CREATE TABLE IF NOT EXISTS audit_prunes (
    id       VARCHAR(36) NOT NULL PRIMARY KEY,
    started  BIGINT      NOT NULL,
    ended    BIGINT,
    run_by   TEXT        NOT NULL,
    digest   VARCHAR(64) NOT NULL,
    policy   LONGTEXT    NOT NULL,
    removed  BIGINT      NOT NULL,
    oldest   BIGINT,
    newest   BIGINT,
    counts   LONGTEXT    NOT NULL,
    complete BIGINT      NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
