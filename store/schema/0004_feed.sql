-- When each change was written down, for how long it takes to be seen; and passes, which open a service for
-- those who look after the mesh.

-- Just before its transaction commits, by the clock of Postgres.
ALTER TABLE changes ADD at timestamptz NOT NULL DEFAULT clock_timestamp();

CREATE TABLE passes (
    key_hash   bytea PRIMARY KEY CHECK (octet_length(key_hash) = 32),  -- SHA-256, as of an API key
    service_id uuid NOT NULL REFERENCES services ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
