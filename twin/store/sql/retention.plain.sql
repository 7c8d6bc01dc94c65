-- parts: the partitions of a table, oldest first
SELECT relname, bounds[1]::timestamptz, bounds[2]::timestamptz
  FROM (SELECT relname, regexp_match(pg_get_expr(relpartbound, child.oid), $$FROM \('([^']+)'\) TO \('([^']+)'\)$$) AS bounds
          FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
         WHERE inhparent = %(table)s::regclass) AS parts
 ORDER BY 2;
