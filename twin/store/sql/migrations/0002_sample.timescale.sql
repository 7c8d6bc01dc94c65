-- Every sample that was ever admitted, in chunks of a day. The order of the columns saves padding.

CREATE TABLE sample (
    time        timestamptz NOT NULL,
    value       float8 NOT NULL,
    server_at   timestamptz,
    received_at timestamptz NOT NULL,
    batch       int8 NOT NULL,
    signal      int4 NOT NULL,
    quality     int2 NOT NULL,
    PRIMARY KEY (signal, time)
);
CREATE INDEX sample_batch ON sample USING brin (batch) WITH (pages_per_range = 16);
SELECT create_hypertable('sample', by_range('time', interval '1 day'), create_default_indexes => false);
