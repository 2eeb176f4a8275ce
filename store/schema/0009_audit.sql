-- The audit log: a chain of hashes, written with what it tells of; replicas and what they have passed; for how
-- long galleries keep what.

-- Events as they are written, each in the transaction that it tells of. Whoever links them into the chain looks
-- at committed ones alone, so that no writer waits for another, and no number is left out.
CREATE TABLE audit_inbox (
    turn       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         uuid NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor      text NOT NULL CHECK (actor ~ '^[a-z]{1,20}$'),
    actor_id   uuid,
    origin     text CHECK (origin ~ '^[0-9a-fA-F.:]{2,45}$'),  -- an IP address
    action     text NOT NULL CHECK (action ~ '^[a-z]+[.][a-z]+$' AND length(action) <= 40),
    object     text NOT NULL CHECK (object ~ '^[a-z]{1,20}$'),
    object_id  uuid,
    service_id uuid,
    subjects   uuid[] NOT NULL DEFAULT '{}',  -- whom it is about; never names
    result     text NOT NULL CHECK (result ~ '^[a-zA-Z_]{1,40}$'),
    details    jsonb NOT NULL DEFAULT '{}' CHECK (length(details::text) <= 1000)
);

CREATE TABLE audit (
    number     bigint PRIMARY KEY,  -- 1, 2, 3 and so on, none left out
    id         uuid NOT NULL UNIQUE,
    at         timestamptz NOT NULL,
    actor      text NOT NULL,
    actor_id   uuid,
    origin     text,
    action     text NOT NULL,
    object     text NOT NULL,
    object_id  uuid,
    service_id uuid,
    subjects   uuid[] NOT NULL,
    result     text NOT NULL,
    details    jsonb NOT NULL,
    previous   bytea NOT NULL CHECK (octet_length(previous) = 32),  -- the hash of the one before; zeros of the first
    hash       bytea NOT NULL CHECK (octet_length(hash) = 32)
);
CREATE INDEX ON audit USING gin (subjects);

-- What is hashed of an event: JSON without line breaks, the fields in this order.
CREATE FUNCTION audit_entry(event audit) RETURNS text LANGUAGE sql STABLE RETURN
    jsonb_build_array(
        event.number, event.id, to_char(event.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        event.actor, event.actor_id, event.origin, event.action, event.object, event.object_id, event.service_id,
        to_jsonb(event.subjects), event.result, event.details
    )::text;

-- Links what has been committed into the chain, in the order it was written; returns how many, 1000 at most.
CREATE FUNCTION seal_audit() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    event audit;
    written audit_inbox;
    taken bigint[] := '{}';
BEGIN
    PERFORM pg_advisory_xact_lock(4217001001);
    SELECT * INTO event FROM audit ORDER BY number DESC LIMIT 1;
    IF NOT FOUND THEN
        event.number := 0;
        event.hash := decode(repeat('00', 32), 'hex');
    END IF;
    FOR written IN SELECT * FROM audit_inbox ORDER BY turn LIMIT 1000 LOOP
        event := (event.number + 1, written.id, written.at, written.actor, written.actor_id, written.origin,
                  written.action, written.object, written.object_id, written.service_id, written.subjects,
                  written.result, written.details, event.hash, NULL);
        event.hash := sha256(event.previous || convert_to(audit_entry(event), 'UTF8'));
        INSERT INTO audit SELECT (event).*;
        taken := taken || written.turn;
    END LOOP;
    IF taken <> '{}' THEN
        PERFORM set_config('mien.audit', 'audit_inbox', true);
        DELETE FROM audit_inbox WHERE turn = ANY (taken);
        PERFORM set_config('mien.audit', '', true);
    END IF;
    RETURN cardinality(taken);
END $$;

-- Removes events from before a time, the oldest first, 10,000 at most, and returns how many. What the chain was
-- then goes into an event of its own, by which the rest is verified. The newest event stays.
CREATE FUNCTION trim_audit(before timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    through bigint;
    last bytea;
    removed integer;
BEGIN
    PERFORM pg_advisory_xact_lock(4217001001);
    SELECT least(
        coalesce((SELECT min(number) FROM audit WHERE at >= before), max(number)), min(number) + 10000
    ) - 1 INTO through FROM audit;
    SELECT hash INTO last FROM audit WHERE number = through;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    PERFORM set_config('mien.audit', 'audit', true);
    DELETE FROM audit WHERE number <= through;
    GET DIAGNOSTICS removed = ROW_COUNT;
    PERFORM set_config('mien.audit', '', true);
    INSERT INTO audit_inbox (id, actor, action, object, result, details) VALUES (
        gen_random_uuid(), 'mien', 'audit.trimmed', 'audit', 'ok',
        jsonb_build_object('through', through, 'hash', encode(last, 'hex'), 'removed', removed)
    );
    RETURN removed;
END $$;

-- Events are added, and go by the two functions above alone.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('mien.audit', true) = TG_TABLE_NAME THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'events of the audit log are neither changed nor removed';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_inbox
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON audit_inbox FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Classifiers that run, and what of erasures they were asked: whether they are past a gallery's revision.
CREATE TABLE replicas (
    id      uuid PRIMARY KEY,
    name    text NOT NULL,  -- where it listens
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE receipts (
    gallery_id uuid NOT NULL,  -- it may have gone
    revision   bigint NOT NULL,
    replica_id uuid NOT NULL REFERENCES replicas ON DELETE CASCADE,
    asked_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    passed_at  timestamptz,
    PRIMARY KEY (gallery_id, revision, replica_id)
);
CREATE INDEX ON receipts (replica_id) WHERE passed_at IS NULL;

ALTER TABLE galleries
    ADD save_images boolean NOT NULL DEFAULT true,
    ADD images_days integer CHECK (images_days > 0),  -- images are erased after so many; NULL: kept with the face
    ADD faces_days integer CHECK (faces_days > 0),    -- faces likewise; NULL: kept
    ADD images_until bigint NOT NULL DEFAULT 0;       -- faces enrolled up to here have had theirs erased

-- Postgres keeps samples of columns, to plan by, where no DELETE finds them: none of names and embeddings.
ALTER TABLE subjects ALTER name SET STATISTICS 0, ALTER folded SET STATISTICS 0;
ALTER TABLE faces
    ALTER embedding SET STATISTICS 0, ALTER idempotency_key SET STATISTICS 0, ALTER fingerprint SET STATISTICS 0;
ALTER TABLE images ALTER content SET STATISTICS 0;
