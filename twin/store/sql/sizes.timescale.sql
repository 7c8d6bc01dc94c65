-- parts: a table and its chunks
SELECT %(table)s::text || coalesce(array_agg(format('%%I.%%I', chunk_schema, chunk_name)), '{}')
  FROM timescaledb_information.chunks WHERE hypertable_name = %(table)s;
