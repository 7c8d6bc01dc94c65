-- The slow loop: its jobs' turns, and the models that were fitted.

CREATE TABLE job (
    name       text PRIMARY KEY,
    started_at timestamptz NOT NULL,
    ended_at   timestamptz,  -- null while it runs, or when its process was killed
    outcome    text NOT NULL CHECK (outcome IN ('running', 'done', 'later', 'refused')),
    detail     text NOT NULL,
    next_at    timestamptz NOT NULL
);

-- A fitted model never changes; only its state does.
CREATE TABLE model (
    kind         text NOT NULL,
    subject      text NOT NULL,  -- what it is a model of: an asset's path, a type of assets …
    version      int4 NOT NULL CHECK (version > 0),
    fitted_at    timestamptz NOT NULL,
    trained_from timestamptz NOT NULL,
    trained_to   timestamptz NOT NULL,
    params       bytea NOT NULL,
    hash         text NOT NULL GENERATED ALWAYS AS (encode(sha256(params), 'hex')) STORED,
    report       jsonb NOT NULL,
    state        text NOT NULL CHECK (state IN ('champion', 'challenger', 'retired')),
    PRIMARY KEY (kind, subject, version),
    CHECK (trained_from <= trained_to)
);
CREATE UNIQUE INDEX model_champion ON model (kind, subject) WHERE state = 'champion';
