-- The same per hour and per day, each made of the finer ones; and from when on what is kept.

CREATE TABLE rollup_hour (
    start_at  timestamptz NOT NULL,
    low       float8,   -- of the samples in it that are neither bad nor without a number; null: there are none
    high      float8,
    mean      float8,   -- weighted by the time that each value was in force; null: none was
    first     float8,
    last      float8,
    covered_s float8 NOT NULL,  -- so long a value was in force
    signal    int4 NOT NULL,
    samples   int4 NOT NULL,
    good      int4 NOT NULL,    -- samples of good quality
    PRIMARY KEY (signal, start_at)
);

CREATE TABLE rollup_day (
    start_at  timestamptz NOT NULL,
    low       float8,
    high      float8,
    mean      float8,
    first     float8,
    last      float8,
    covered_s float8 NOT NULL,
    signal    int4 NOT NULL,
    samples   int4 NOT NULL,
    good      int4 NOT NULL,
    PRIMARY KEY (signal, start_at)
);

-- What lies before `kept_from` may have been dropped: of a tier (sample, minute, hour), for one kind of signals.
CREATE TABLE retention (
    tier      text NOT NULL,
    kind      text NOT NULL,
    kept_from timestamptz NOT NULL,
    PRIMARY KEY (tier, kind)
);

-- As known at an instant: which batches had been committed by then.
CREATE INDEX batch_committed_at ON batch (committed_at);
