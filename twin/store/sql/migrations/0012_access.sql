-- Who may use the api, and who changed what. Rows of `audit` are only added; triggers write them with the change itself.

CREATE TABLE account (
    name       text PRIMARY KEY,
    password   text NOT NULL,   -- argon2id, PHC string
    grants     jsonb NOT NULL,  -- [{role, under}]
    is_initial bool NOT NULL,   -- somebody else has chosen the password
    disabled   bool NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX account_lower_name ON account (lower(name));

CREATE TABLE session (
    digest     bytea PRIMARY KEY,  -- SHA-256 of the cookie
    name       text NOT NULL,
    account    text REFERENCES account,  -- null: signed in elsewhere, with these grants
    grants     jsonb,
    address    text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at    timestamptz NOT NULL DEFAULT now(),
    ends_at    timestamptz NOT NULL
);
CREATE INDEX session_account ON session (account);
CREATE INDEX session_ends_at ON session (ends_at);

CREATE TABLE api_key (
    id         text PRIMARY KEY,
    title      text NOT NULL,
    digest     bytea NOT NULL,  -- SHA-256 of the secret
    grants     jsonb NOT NULL,
    made_by    text NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT now(),
    ends_at    timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX api_key_title ON api_key (title) WHERE revoked_at IS NULL;

-- Wrong passwords in a row, also for names that nobody has: a lock must not tell who exists.
CREATE TABLE sign_in_failure (
    name         text PRIMARY KEY,
    failures     int4 NOT NULL,
    failed_at    timestamptz NOT NULL DEFAULT now(),
    locked_until timestamptz
);
CREATE INDEX sign_in_failure_failed_at ON sign_in_failure (failed_at);

CREATE TABLE audit (
    id      int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    who     text NOT NULL,
    how     text NOT NULL,  -- session, key, token, command line, database
    address text NOT NULL,
    request text NOT NULL,  -- X-Request-ID
    what    text NOT NULL,  -- e.g. user.added
    target  text NOT NULL,
    detail  jsonb NOT NULL
);
CREATE INDEX audit_who ON audit (who, id);
CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
   FOR EACH STATEMENT EXECUTE FUNCTION kept_for_ever();

-- Arguments: the noun, and the column that names the target. Who it is, the transaction says (fabriquay.who …).
CREATE FUNCTION audited() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    after jsonb := to_jsonb(NEW);
    before jsonb := CASE TG_OP WHEN 'UPDATE' THEN to_jsonb(OLD) END;
    detail jsonb := after - '{password,digest}'::text[];
BEGIN
    IF after->>'password' IS DISTINCT FROM before->>'password' THEN
        detail := detail || '{"password": "set"}';
    END IF;
    INSERT INTO audit (who, how, address, request, what, target, detail)
    VALUES (coalesce(nullif(current_setting('fabriquay.who', true), ''), session_user::text),
            coalesce(nullif(current_setting('fabriquay.how', true), ''), 'database'),
            coalesce(current_setting('fabriquay.address', true), ''),
            coalesce(current_setting('fabriquay.request', true), ''),
            TG_ARGV[0] || CASE TG_OP WHEN 'INSERT' THEN '.added' ELSE '.changed' END,
            after->>TG_ARGV[1], detail);
    RETURN NULL;
END $$;

CREATE TRIGGER account_audited AFTER INSERT OR UPDATE ON account
   FOR EACH ROW EXECUTE FUNCTION audited('user', 'name');
CREATE TRIGGER api_key_audited AFTER INSERT OR UPDATE ON api_key
   FOR EACH ROW EXECUTE FUNCTION audited('key', 'title');
CREATE TRIGGER operator_action_audited AFTER INSERT ON operator_action
   FOR EACH ROW EXECUTE FUNCTION audited('action', 'target');
CREATE TRIGGER reclassification_audited AFTER INSERT ON reclassification
   FOR EACH ROW EXECUTE FUNCTION audited('interval', 'asset');
CREATE TRIGGER maintenance_event_audited AFTER INSERT ON maintenance_event
   FOR EACH ROW EXECUTE FUNCTION audited('maintenance', 'asset');

CREATE TRIGGER scenario_audited AFTER INSERT ON scenario
   FOR EACH ROW EXECUTE FUNCTION audited('scenario', 'id');

-- The api's own rights: it reads everything and writes what people say, never a sample. A role belongs to the server:
-- another database may have made it, and a hosted server may not let us.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'fabriquay_api') THEN
        CREATE ROLE fabriquay_api NOLOGIN;
    END IF;
EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN
    RAISE NOTICE 'role fabriquay_api: %', SQLERRM;
END $$;
DO $$
BEGIN
    GRANT fabriquay_api TO CURRENT_USER;
EXCEPTION WHEN insufficient_privilege OR undefined_object OR unique_violation THEN
    RAISE NOTICE 'role fabriquay_api: %', SQLERRM;
END $$;
DO $$
BEGIN
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO fabriquay_api;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO fabriquay_api;
    GRANT INSERT ON operator_action, reclassification, maintenance_event, audit TO fabriquay_api;
    GRANT INSERT, UPDATE ON account, api_key TO fabriquay_api;
    GRANT INSERT, UPDATE, DELETE ON session, sign_in_failure, scenario TO fabriquay_api;
EXCEPTION WHEN insufficient_privilege OR undefined_object THEN
    RAISE NOTICE 'role fabriquay_api: %', SQLERRM;
END $$;
