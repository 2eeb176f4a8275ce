-- Sign-in by another provider (OpenID Connect).

-- Whom a provider knows, by its own id of them: an e-mail may pass to somebody else there.
CREATE TABLE identities (
    issuer  text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX ON identities (user_id);

-- Sign-ins under way, from a browser's leaving for the provider to its return, once.
CREATE TABLE oidc_states (
    hash       bytea PRIMARY KEY CHECK (octet_length(hash) = 32),  -- SHA-256 of the state, which the browser has
    nonce      text NOT NULL,
    verifier   text NOT NULL,  -- of PKCE
    expires_at timestamptz NOT NULL
);
CREATE INDEX ON oidc_states (expires_at);
