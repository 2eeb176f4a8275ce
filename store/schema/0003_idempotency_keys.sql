-- An add that is tried again makes one face: a face may have a key of its caller's, unique in the gallery.

ALTER TABLE faces
    ADD idempotency_key text COLLATE "C",
    ADD fingerprint bytea CHECK (octet_length(fingerprint) = 32),  -- SHA-256 of what was asked for by the key
    ADD CHECK ((idempotency_key IS NULL) = (fingerprint IS NULL));
CREATE UNIQUE INDEX ON faces (gallery_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
