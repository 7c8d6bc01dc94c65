-- What exists: nodes, their schemas and what was committed of them; the plant and its signals.

CREATE TABLE plant (
    revision      text PRIMARY KEY,
    enterprise    text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE signal (
    id       int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- never reused
    path     text NOT NULL UNIQUE,
    kind     text NOT NULL,
    unit     text NOT NULL,
    revision text NOT NULL REFERENCES plant  -- the last plant model that named it
);

CREATE TABLE node_schema (
    node     text NOT NULL,
    hash     text NOT NULL,
    document bytea NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (node, hash)
);

-- One spool file of one node and the numbers of its batches that are committed.
CREATE TABLE node_epoch (
    node      text NOT NULL,
    epoch     uuid NOT NULL,
    committed int8multirange NOT NULL DEFAULT '{}',
    PRIMARY KEY (node, epoch)
);

-- One committed batch. Numbers follow the order of the commits: whoever has seen seq n has missed nothing below n.
CREATE SEQUENCE batch_seq AS int8;

CREATE TABLE batch (
    seq          int8 PRIMARY KEY DEFAULT nextval('batch_seq'),
    node         text NOT NULL,
    epoch        uuid,  -- null for nodes that do not number their batches
    number       int8 NOT NULL,
    lane         int2 NOT NULL,
    rows         int4 NOT NULL,
    texts        int4 NOT NULL,
    first_at     timestamptz,
    last_at      timestamptz,
    committed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sample_text (
    time        timestamptz NOT NULL,
    server_at   timestamptz,
    received_at timestamptz NOT NULL,
    batch       int8 NOT NULL,
    signal      int4 NOT NULL,
    quality     int2 NOT NULL,
    text        text NOT NULL,
    PRIMARY KEY (signal, time)
);
CREATE INDEX sample_text_batch ON sample_text (batch);

-- What could not be admitted, and why.
CREATE TABLE rejected (
    id          int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rejected_at timestamptz NOT NULL DEFAULT now(),
    node        text NOT NULL,
    reason      text NOT NULL,
    detail      text NOT NULL,
    signal_path text,
    time        timestamptz,
    value_text  text
);
CREATE INDEX rejected_node_time ON rejected (node, rejected_at);

-- The gap ledger: intervals in which readings may be missing.
CREATE TABLE gap (
    id     int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    signal int4 NOT NULL,
    span   tstzrange NOT NULL,
    cause  text NOT NULL,
    detail text NOT NULL,
    state  text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'backfilled', 'lost')),
    batch  int8 NOT NULL,
    UNIQUE (signal, span, cause)
);

CREATE TABLE finding (
    id       uuid PRIMARY KEY,
    asset    text NOT NULL,
    signal   text NOT NULL,
    detector text NOT NULL,
    since_at timestamptz NOT NULL,
    until_at timestamptz,  -- null while it is open
    score    float8 NOT NULL,
    message  text NOT NULL,
    seq      int8 NOT NULL  -- the batch that it was last judged from
);
CREATE INDEX finding_open ON finding (since_at) WHERE until_at IS NULL;
CREATE INDEX finding_asset ON finding (asset, since_at);

CREATE TABLE transition (
    asset    text NOT NULL,
    at       timestamptz NOT NULL,
    code     int4 NOT NULL,
    name     text NOT NULL,
    category text NOT NULL,
    seq      int8 NOT NULL,
    PRIMARY KEY (asset, at)
);

-- How far each judge has come; written with what it found.
CREATE TABLE watermark (
    key text PRIMARY KEY,
    seq int8 NOT NULL
);

CREATE TABLE snapshot (
    key      text PRIMARY KEY,
    seq      int8 NOT NULL,
    state    bytea NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE gateway (
    node       text PRIMARY KEY,
    status     jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
