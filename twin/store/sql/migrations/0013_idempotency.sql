-- What was answered to changes that came with an Idempotency-Key, so that asked again they are answered again. Nothing
-- secret stands here: of a body with a password an argon2id hash, of an answer what may be shown again.

CREATE TABLE answered_change (
    who         text NOT NULL,
    key         uuid NOT NULL,
    asked       text NOT NULL,  -- method and path
    fingerprint text NOT NULL,  -- of the body: SHA-256, or argon2id where it holds a password
    status      int2 NOT NULL,
    answer      text NOT NULL,  -- JSON, or nothing
    location    text NOT NULL,
    shown_once  bool NOT NULL,  -- the first answer held more than this
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (who, key)
);
CREATE INDEX answered_change_at ON answered_change (at);

DO $$
BEGIN
    GRANT INSERT, DELETE ON answered_change TO fabriquay_api;
EXCEPTION WHEN insufficient_privilege OR undefined_object THEN
    RAISE NOTICE 'role fabriquay_api: %', SQLERRM;
END $$;
