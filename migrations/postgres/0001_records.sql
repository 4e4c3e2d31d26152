-- The tables of a tower-audit store on PostgreSQL, format 1.0.
--
-- The names begin with `audit_`, or with the prefix that was configured, and live in the schema that
-- was configured. Times are microseconds since 1970 in UTC; hashes are the 32 bytes of SHA-256. Ids
-- are `uuid`: 16 bytes that sort as bytes do, so in the order of time, and that every tool can read.

-- Which migrations were applied. A newer minor version only adds, so that an older program may
-- go on reading and writing; a newer major version may not be touched by an older program.
CREATE TABLE audit_schema (
    number  bigint NOT NULL PRIMARY KEY,
    name    text   NOT NULL,
    major   bigint NOT NULL,
    minor   bigint NOT NULL,
    applied bigint NOT NULL
);

-- The last arrival given away. Every batch takes its numbers here, in its own transaction, and holds
-- the row until it ends: so the order of commits is the order of arrivals, and whoever follows them
-- misses nothing. A sequence would give numbers that become visible out of order.
CREATE TABLE audit_arrival (
    "only" integer NOT NULL PRIMARY KEY CHECK ("only" = 1),
    last   bigint  NOT NULL
);

INSERT INTO audit_arrival ("only", last) VALUES (1, 0);

-- The records. `json` is the exact text that `leaf` was made of (the type `json` keeps it, `jsonb`
-- would not); the other columns are copies of what is searched, with U+FFFD for NUL, which `text`
-- cannot hold, and cut at 1024 bytes, so that every index takes them.
--
-- Parts by month, by range of `id`, are made beside this file, 12 months ahead. What fits none of
-- them goes into the default part and is never refused.
--
-- No index can keep (trail, number) unique here: it would need `id`, by which the table is parted.
-- It is kept by the order of work: one batch at a time (the row of `audit_arrival`), and only numbers
-- from `next` of its trail on, below which all stored ones lie; others are looked up first. (Dead
-- letters that are replayed can lie above it; when one comes again, its id tells.)
CREATE TABLE audit_records (
    arrival     bigint NOT NULL,
    id          uuid   NOT NULL,
    trail       uuid   NOT NULL,
    number      bigint NOT NULL,
    leaf        bytea  NOT NULL,
    received    bigint NOT NULL,
    timestamp   bigint NOT NULL,
    action      text   NOT NULL,
    category    text,
    outcome     text,
    actor_type  text,
    actor_id    text,
    actor_name  text,
    tenant      text,
    application text,
    service     text,
    instance    text,
    ip          text,
    session     text,
    request_id  text,
    json        json   NOT NULL,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);

CREATE TABLE audit_records_default PARTITION OF audit_records DEFAULT;

CREATE INDEX audit_records_arrival ON audit_records (arrival);
CREATE INDEX audit_records_trail   ON audit_records (trail, number);

-- Every other index ends with `id`, which is in the order of time: a filtered page is read from one
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
    record   uuid    NOT NULL,
    position bigint  NOT NULL,
    type     text    NOT NULL,
    id       text    NOT NULL,
    name     text,
    PRIMARY KEY (record, position)
);

CREATE INDEX audit_targets_target ON audit_targets (type, id, record);

-- Signed tree heads: what proves that a trail here is complete and unchanged.
CREATE TABLE audit_checkpoints (
    trail    uuid   NOT NULL,
    size     bigint NOT NULL,
    root     bytea  NOT NULL,
    note     text   NOT NULL,
    received bigint NOT NULL,
    PRIMARY KEY (trail, size)
);

-- How far each trail has come, changed in the transaction of the records. `next` is the first
-- number that is not here; `size` and `root` are the latest tree head that came with a batch.
CREATE TABLE audit_trails (
    trail    uuid   NOT NULL PRIMARY KEY,
    service  text   NOT NULL,
    instance text,
    next     bigint NOT NULL,
    size     bigint,
    root     bytea,
    updated  bigint NOT NULL
);

-- Nothing that was recorded is changed or removed, not even by the owner by mistake. A prune says so
-- for its own transaction, and only the owner may:
--     SELECT set_config('audit.prune', pg_current_xact_id()::text, true);
CREATE FUNCTION audit_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $guard$
BEGIN
    IF TG_OP <> 'UPDATE'
        AND current_setting('audit.prune', true) = pg_current_xact_id_if_assigned()::text
        AND pg_has_role((SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE')
    THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'what is in % is never changed, and removed only by a prune of its owner', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$guard$;

-- By row, because only these triggers reach the parts of a table too.
CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE ON audit_records FOR EACH ROW EXECUTE FUNCTION audit_guard();
CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE ON audit_targets FOR EACH ROW EXECUTE FUNCTION audit_guard();
CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE ON audit_checkpoints FOR EACH ROW EXECUTE FUNCTION audit_guard();
CREATE TRIGGER audit_keep_all BEFORE TRUNCATE ON audit_records FOR EACH STATEMENT EXECUTE FUNCTION audit_guard();
CREATE TRIGGER audit_keep_all BEFORE TRUNCATE ON audit_records_default FOR EACH STATEMENT EXECUTE FUNCTION audit_guard();
CREATE TRIGGER audit_keep_all BEFORE TRUNCATE ON audit_targets FOR EACH STATEMENT EXECUTE FUNCTION audit_guard();
CREATE TRIGGER audit_keep_all BEFORE TRUNCATE ON audit_checkpoints FOR EACH STATEMENT EXECUTE FUNCTION audit_guard();
