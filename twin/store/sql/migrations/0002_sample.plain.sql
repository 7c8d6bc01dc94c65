-- Every sample that was ever admitted, in native partitions by day (UTC); the commit makes them when it needs them.
-- The order of the columns saves padding.

CREATE TABLE sample (
    time        timestamptz NOT NULL,
    value       float8 NOT NULL,
    server_at   timestamptz,
    received_at timestamptz NOT NULL,
    batch       int8 NOT NULL,
    signal      int4 NOT NULL,
    quality     int2 NOT NULL,
    PRIMARY KEY (signal, time)
) PARTITION BY RANGE (time);
CREATE INDEX sample_batch ON sample USING brin (batch) WITH (pages_per_range = 16);
