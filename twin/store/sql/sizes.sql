-- rows_bytes: rows (as the statistics have them) and bytes of a table with all its parts, indexes and what is beside it
SELECT coalesce(sum(greatest(reltuples, 0)), 0)::int8, coalesce(sum(pg_total_relation_size(part.oid)), 0)::int8
  FROM pg_class AS part
 WHERE relkind = 'r' AND oid = ANY (%(parts)s::regclass[]);

-- brought: samples and texts that were committed since an instant
SELECT coalesce(sum(rows), 0)::int8, coalesce(sum(texts), 0)::int8, min(committed_at)
  FROM batch WHERE committed_at >= %(since)s;

-- database: bytes of the whole database
SELECT pg_database_size(current_database());
