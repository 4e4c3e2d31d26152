-- Records that a service wrote inside its own transactions, until they are in its trail.
--
-- The table lives in the service's database. It has no version, and touches no table of migrations:
-- under this name it only ever gains columns that have a default.
CREATE TABLE IF NOT EXISTS audit_outbox (
    -- The id of the record, in its form with hyphens. Compared byte by byte: it is in the order of time.
    id     VARCHAR(36)  NOT NULL PRIMARY KEY CHECK (CHAR_LENGTH(id) = 36),
    -- The trail that is to have it, and the run of the process that wrote the row; `unreadable`
    -- when the row is no record, which the trail has told.
    trail  VARCHAR(36)  NOT NULL CHECK (CHAR_LENGTH(trail) = 36),
    run    VARCHAR(36)  NOT NULL,
    -- The record as it is written into the trail when that process died.
    record LONGTEXT     NOT NULL,
    -- Rows of other trails are not locked when those of one are looked for.
    KEY audit_outbox_trail (trail, id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
