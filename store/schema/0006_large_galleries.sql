-- Galleries too large for memory: where each is searched, and what keeps the vectors of those that Postgres
-- searches in step with their faces.
--
-- Such a gallery has a table of its own, vectors_ and its id in hexadecimal digits, made when it moves: pgvector
-- need not be there until then. Who adds a face writes its vector in the same transaction; the trigger below
-- erases it in the same one, whichever way a face goes.

ALTER TABLE galleries
    -- memory: classifiers search it. filling: they do, and its table gets the vectors it has not. both: the table
    -- has all of them, so Postgres searches it for classifiers that do not hold it. database: for all of them.
    ADD home text NOT NULL DEFAULT 'memory' CHECK (home IN ('memory', 'filling', 'both', 'database')),
    ADD wanted_home text NOT NULL DEFAULT 'memory' CHECK (wanted_home IN ('memory', 'database')),
    ADD indexed boolean NOT NULL DEFAULT false,  -- whether its table has its index: else each vector is read
    ADD left_at timestamptz;                     -- since when classifiers load it again, on its way to memory

CREATE FUNCTION vectors_of(gallery_id uuid) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN 'vectors_' || replace(gallery_id::text, '-', '');

CREATE FUNCTION erase_vectors() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    vectors text;
BEGIN
    FOR vectors IN SELECT DISTINCT vectors_of(gallery_id) FROM gone LOOP
        IF to_regclass(vectors) IS NOT NULL THEN
            EXECUTE format('DELETE FROM %I WHERE face_id IN (SELECT id FROM gone)', vectors);
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER erase_vectors AFTER DELETE ON faces
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION erase_vectors();
