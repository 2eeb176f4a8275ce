-- Services and their galleries: subjects, faces, images, and the log of what changed.
--
-- A gallery's revision orders its changes. Every writer raises it first, under the lock of the gallery's
-- row, which it holds until it commits: so revisions are committed in their order, and who has seen
-- revision n can miss nothing below it. (A sequence hands out numbers before the commit and loses rows.)

CREATE TABLE services (
    id         uuid PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    type       text NOT NULL CHECK (type IN ('recognition', 'detection', 'verification')),
    key_hash   bytea NOT NULL UNIQUE CHECK (octet_length(key_hash) = 32),  -- SHA-256 of the API key
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE galleries (
    id         uuid PRIMARY KEY,
    service_id uuid NOT NULL UNIQUE REFERENCES services ON DELETE CASCADE,
    revision   bigint NOT NULL DEFAULT 0,
    floor      bigint NOT NULL DEFAULT 0,  -- changes up to this revision are no longer in the log
    model      text,                       -- of every embedding; NULL while there is none
    dimension  integer CHECK (dimension > 0)
);

CREATE TABLE subjects (
    id         uuid PRIMARY KEY,
    gallery_id uuid NOT NULL REFERENCES galleries ON DELETE CASCADE,
    name       text NOT NULL,  -- as it was first given
    folded     text COLLATE "C" NOT NULL,  -- without letter case; folded by us, the same in every locale
    UNIQUE (gallery_id, folded)
);

CREATE TABLE faces (
    id         uuid PRIMARY KEY,
    gallery_id uuid NOT NULL REFERENCES galleries ON DELETE CASCADE,
    subject_id uuid NOT NULL REFERENCES subjects ON DELETE CASCADE,
    enrolled   bigint GENERATED ALWAYS AS IDENTITY,  -- the order of lists
    embedding  bytea NOT NULL CHECK (octet_length(embedding) > 0 AND octet_length(embedding) % 4 = 0),
    model      text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN faces.embedding IS 'float32, little-endian, L2 norm 1';
CREATE INDEX ON faces (gallery_id, enrolled);
CREATE INDEX ON faces (subject_id, enrolled);

CREATE TABLE images (
    face_id uuid PRIMARY KEY REFERENCES faces ON DELETE CASCADE,
    content bytea NOT NULL  -- the file as it was sent
);
ALTER TABLE images ALTER content SET STORAGE EXTERNAL;  -- image files do not compress

CREATE TABLE changes (
    gallery_id uuid NOT NULL REFERENCES galleries ON DELETE CASCADE,
    revision   bigint NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('face added', 'face erased', 'subject erased', 'cleared')),
    id         uuid,  -- of the face or the subject; NULL when the gallery was cleared
    PRIMARY KEY (gallery_id, revision)
);
CREATE INDEX ON changes (id);
