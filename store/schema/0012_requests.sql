-- How often services were asked, by the day of UTC.

CREATE TABLE requests (
    service_id uuid NOT NULL REFERENCES services ON DELETE CASCADE,
    day        date NOT NULL,
    count      bigint NOT NULL,
    PRIMARY KEY (service_id, day)
);
