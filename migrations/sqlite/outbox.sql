-- Records that a service wrote inside its own transactions, until they are in its trail.
--
-- The table lives in the service's database. It has no version, and touches no table of migrations:
-- under this name it only ever gains columns that have a default.
CREATE TABLE IF NOT EXISTS audit_outbox (
    -- The id of the record, in its form with hyphens.
    id TEXT NOT NULL PRIMARY KEY CHECK (typeof(id) = 'text' AND length(id) = 36),
    -- The trail that is to have it, and the run of the process that wrote the row; `unreadable`
    -- when the row is no record, which the trail has told.
    trail TEXT NOT NULL CHECK (typeof(trail) = 'text' AND length(trail) = 36),
    run TEXT NOT NULL CHECK (typeof(run) = 'text'),
    -- The record as it is written into the trail when that process died.
    record TEXT NOT NULL CHECK (typeof(record) = 'text')
);
