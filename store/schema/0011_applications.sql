-- Applications: services that belong together, and who may do what with them.

CREATE TABLE applications (
    id         uuid PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE members (
    application_id uuid NOT NULL REFERENCES applications ON DELETE CASCADE,
    user_id        uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role           text NOT NULL CHECK (role IN ('owner', 'administrator', 'user')),
    PRIMARY KEY (application_id, user_id)
);
CREATE INDEX ON members (user_id);
CREATE UNIQUE INDEX ON members (application_id) WHERE role = 'owner';

-- A service of none is its operator's, as `mien services create` makes it.
ALTER TABLE services ADD application_id uuid REFERENCES applications ON DELETE CASCADE;
ALTER TABLE services DROP CONSTRAINT services_name_key;
CREATE UNIQUE INDEX services_name_key ON services (application_id, name) NULLS NOT DISTINCT;
