-- What a year is drawn from: each signal per minute, hour and day (UTC), remade where samples come. Minutes in native
-- partitions by month, so that old ones go at once. The order of the columns saves padding.

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
) PARTITION BY RANGE (start_at);
