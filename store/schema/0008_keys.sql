-- API keys of their own: several for each service, with scopes, an end, limits, and when they were last used.

CREATE TABLE keys (
    id             uuid PRIMARY KEY,
    service_id     uuid NOT NULL REFERENCES services ON DELETE CASCADE,
    key_hash       bytea NOT NULL UNIQUE CHECK (octet_length(key_hash) = 32),  -- SHA-256 of the key
    name           text NOT NULL,
    scopes         text[] NOT NULL
        CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['recognise', 'enrol', 'manage', 'all']),
    created_at     timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz,                       -- NULL: never
    rate           double precision CHECK (rate > 0), -- requests a second, at each replica; NULL: any
    burst          integer CHECK (burst > 0),         -- requests at once; NULL: any
    daily_requests bigint CHECK (daily_requests > 0), -- NULL: any, and so below
    daily_images   bigint CHECK (daily_images > 0),
    max_faces      bigint CHECK (max_faces > 0),      -- of the gallery, for the key to add another
    last_used_at   timestamptz,                       -- some seconds late
    day            date,                              -- UTC; what the two below are of
    requests       bigint NOT NULL DEFAULT 0,         -- that replicas have taken for the key's calls
    images         bigint NOT NULL DEFAULT 0,
    UNIQUE (service_id, name),
    CHECK ((rate IS NULL) = (burst IS NULL))
);

INSERT INTO keys (id, service_id, key_hash, name, scopes, created_at)
    SELECT gen_random_uuid(), id, key_hash, 'first', '{all}', created_at FROM services;
ALTER TABLE services DROP COLUMN key_hash;

-- Those were for minutes; such a key is now one that expires.
DROP TABLE passes;

-- Counts the changes of keys. Its row is locked until a change is committed, so who has seen revision n can miss
-- none below it. However a key changes or goes, replicas hear of it; that it was used is no change.
CREATE TABLE key_feed (revision bigint NOT NULL);
INSERT INTO key_feed VALUES (0);
CREATE UNIQUE INDEX ON key_feed ((true));  -- one row

CREATE FUNCTION tell_of_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE key_feed SET revision = revision + 1;
    PERFORM pg_notify('mien_keys', '');
    RETURN NULL;
END $$;
CREATE TRIGGER told
    AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF
        service_id, key_hash, scopes, expires_at, rate, burst, daily_requests, daily_images, max_faces
    ON keys FOR EACH STATEMENT EXECUTE FUNCTION tell_of_keys();
