-- parts: the chunks of a table, oldest first
SELECT chunk_name, range_start, range_end FROM timescaledb_information.chunks
 WHERE hypertable_name = %(table)s ORDER BY range_start;

-- drop: the chunks that end by an instant
SELECT drop_chunks(%(table)s::regclass, older_than => %(end)s::timestamptz);
