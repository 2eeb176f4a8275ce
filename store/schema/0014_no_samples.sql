-- No samples of what is personal, which Postgres takes to plan by and no DELETE finds: those that were taken
-- before the columns were exempt go when a column gets its type again.

ALTER TABLE subjects ALTER name TYPE text, ALTER folded TYPE text COLLATE "C";
ALTER TABLE faces
    ALTER embedding TYPE bytea, ALTER idempotency_key TYPE text COLLATE "C", ALTER fingerprint TYPE bytea;
ALTER TABLE images ALTER content TYPE bytea, ALTER content SET STORAGE EXTERNAL;
ALTER TABLE users
    ALTER email SET STATISTICS 0, ALTER folded SET STATISTICS 0,
    ALTER first_name SET STATISTICS 0, ALTER last_name SET STATISTICS 0;
DO $$
DECLARE vectors text;
BEGIN
    FOR vectors IN SELECT relname FROM pg_class WHERE relname ~ '^vectors_[0-9a-f]{32}$' AND relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE %I ALTER embedding SET STATISTICS 0', vectors);
    END LOOP;
END $$;
