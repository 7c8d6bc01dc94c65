-- parts: a table and its partitions
SELECT coalesce(array_agg(relid::text), '{}') FROM pg_partition_tree(%(table)s::regclass);
