-- Records that a service wrote inside its own transactions, until they are in its trail.
--
-- The table lives in the service's database. It has no version, and touches no table of migrations:
-- under this name it only ever gains columns that have a default.
CREATE TABLE IF NOT EXISTS audit_outbox (
    -- The id of the record, in its form with hyphens. Compared byte by byte: it is in the order of time.
    id     text COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    -- The trail that is to have it, and the run of the process that wrote the row; `unreadable`
    -- when the row is no record, which the trail has told.
    trail  text COLLATE "C" NOT NULL CHECK (length(trail) = 36),
    run    text NOT NULL,
    -- The record as it is written into the trail when that process died.
    record text NOT NULL
)
