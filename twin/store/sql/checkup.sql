-- server: what it is and what it says the time is
SELECT current_setting('server_version'), pg_database_size(current_database()),
       extract(epoch FROM clock_timestamp())::float8, EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb'),
       EXISTS (SELECT FROM pg_roles WHERE rolname = %(role)s AND pg_has_role(current_user, oid, 'SET'));

-- newest: of every node that brought something within a day: when it was committed, and how new it is
SELECT node, max(committed_at), max(last_at) FROM batch WHERE committed_at > now() - interval '1 day' GROUP BY node;

-- holder: who holds a lease, and since when at the earliest
SELECT coalesce(host(client_addr), 'this machine'), backend_start
  FROM pg_locks JOIN pg_stat_activity USING (pid)
 WHERE locktype = 'advisory' AND granted AND datname = current_database() AND pg_locks.database = datid
   AND classid = %(lock)s::int8::oid AND objid = (hashtext(%(name)s)::int8 & 4294967295)::oid;
