-- What retention needs on PostgreSQL, format 1.1: nothing that was there is changed, and a program
-- that knows format 1.0 only goes on reading and writing.

-- The records that were removed: number and leaf stay, in the transaction that removes the row, so
-- that the tree over the whole trail can still be computed.
CREATE TABLE audit_emptied (
    trail  uuid   NOT NULL,
    number bigint NOT NULL,
    leaf   bytea  NOT NULL,
    PRIMARY KEY (trail, number)
);

-- What nobody's policy removes. `filter` is a JSON object of the parameters that a search takes;
-- every record that matches is kept until the hold is released, which is said once.
CREATE TABLE audit_holds (
    id          text   NOT NULL PRIMARY KEY,
    filter      text   NOT NULL,
    reason      text   NOT NULL,
    placed_by   text   NOT NULL,
    since       bigint NOT NULL,
    released    bigint,
    released_by text
);

-- Every prune: written with the first record that it removes, and at its end. `ended` is missing
-- while it runs, and where it was interrupted. `counts` is JSON: for each rule, kept and removed.
CREATE TABLE audit_prunes (
    id       text   NOT NULL PRIMARY KEY,
    started  bigint NOT NULL,
    ended    bigint,
    run_by   text   NOT NULL,
    digest   text   NOT NULL,
    policy   text   NOT NULL,
    removed  bigint NOT NULL,
    oldest   bigint,
    newest   bigint,
    counts   text   NOT NULL,
    complete bigint NOT NULL
);

-- What was removed stays told, a hold stays as it was placed, and a prune as it was run. Not even a
-- prune may change these.
CREATE FUNCTION audit_guard_traces() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $guard$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_ARGV[0] = 'hold' THEN
        IF OLD.released IS NULL AND NEW.released IS NOT NULL AND NEW.released_by IS NOT NULL
            AND (NEW.id, NEW.filter, NEW.reason, NEW.placed_by, NEW.since)
                = (OLD.id, OLD.filter, OLD.reason, OLD.placed_by, OLD.since)
        THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' AND TG_ARGV[0] = 'prune' THEN
        IF OLD.ended IS NULL AND NEW.removed >= OLD.removed
            AND (NEW.id, NEW.started, NEW.run_by, NEW.digest, NEW.policy)
                = (OLD.id, OLD.started, OLD.run_by, OLD.digest, OLD.policy)
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'what is in % is never removed; a hold is only released, once, and a prune only ended', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$guard$;

CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE ON audit_emptied FOR EACH ROW EXECUTE FUNCTION audit_guard_traces('emptied');
CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE ON audit_holds FOR EACH ROW EXECUTE FUNCTION audit_guard_traces('hold');
CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE ON audit_prunes FOR EACH ROW EXECUTE FUNCTION audit_guard_traces('prune');
CREATE TRIGGER audit_keep_all BEFORE TRUNCATE ON audit_emptied FOR EACH STATEMENT EXECUTE FUNCTION audit_guard_traces('emptied');
CREATE TRIGGER audit_keep_all BEFORE TRUNCATE ON audit_holds FOR EACH STATEMENT EXECUTE FUNCTION audit_guard_traces('hold');
CREATE TRIGGER audit_keep_all BEFORE TRUNCATE ON audit_prunes FOR EACH STATEMENT EXECUTE FUNCTION audit_guard_traces('prune');
