-- What a year is drawn from: each signal per minute, hour and day (UTC), remade where samples come. Minutes in chunks of
-- 30 days, so that old ones go at once. The order of the columns saves padding.

CREATE TABLE rollup_minute (
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
SELECT create_hypertable('rollup_minute', by_range('start_at', interval '30 days'), create_default_indexes => false);
