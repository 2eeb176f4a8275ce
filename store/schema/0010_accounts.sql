-- People: who they are, where they are signed in, and who has tried to.
--
-- Of every secret there is a hash alone: argon2id of passwords, which people choose; SHA-256 of tokens,
-- which are random and of 256 bits.

CREATE TABLE users (
    id         uuid PRIMARY KEY,
    email      text NOT NULL,  -- as it was given
    folded     text COLLATE "C" NOT NULL UNIQUE,  -- without letter case
    first_name text NOT NULL,
    last_name  text NOT NULL,
    password   text,  -- argon2id; NULL: none yet, or signed in by another provider alone
    role       text NOT NULL CHECK (role IN ('owner', 'administrator', 'user')),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX one_owner ON users (role) WHERE role = 'owner';

-- One for each sign-in. Its access token and its refresh token change together.
CREATE TABLE sessions (
    id                uuid PRIMARY KEY,
    user_id           uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    access_hash       bytea NOT NULL UNIQUE CHECK (octet_length(access_hash) = 32),
    access_expires_at timestamptz NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON sessions (user_id);

-- Those used before stay until they would have expired: who comes with one has stolen it, or was robbed.
CREATE TABLE refresh_tokens (
    hash       bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used       boolean NOT NULL DEFAULT false
);
CREATE INDEX ON refresh_tokens (session_id);
CREATE INDEX ON refresh_tokens (expires_at);

-- Links by which a password can be set once. A user has one at a time.
CREATE TABLE reset_tokens (
    user_id    uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    hash       bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    expires_at timestamptz NOT NULL
);

-- What is counted to slow down who guesses: of an account or of an address, within a stretch of time.
CREATE TABLE attempts (
    what       text COLLATE "C" NOT NULL,
    of         bytea NOT NULL,  -- SHA-256 of the account's e-mail or of the address, so that the table names nobody
    count      integer NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (what, of)
);
CREATE INDEX ON attempts (expires_at);
