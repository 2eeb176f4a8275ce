-- How many strangers a service may take for somebody it knows.

ALTER TABLE galleries ADD false_match_rate double precision NOT NULL DEFAULT 0.001
    CHECK (false_match_rate BETWEEN 0.00001 AND 0.1);
COMMENT ON COLUMN galleries.false_match_rate IS 'the share of strangers that a decision may match, of all';
