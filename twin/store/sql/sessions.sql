-- add: a session
INSERT INTO session (digest, name, account, grants, address, ends_at)
VALUES (%(digest)s, %(name)s, %(account)s, %(grants)s, %(address)s, now() + make_interval(secs => %(length_s)s));

-- find: a session that has not ended, with the grants of today
SELECT s.name, coalesce(a.grants, s.grants), extract(epoch FROM s.ends_at)::float8, coalesce(a.is_initial, false)
  FROM session s LEFT JOIN account a ON a.name = s.account
 WHERE s.digest = %(digest)s AND s.ends_at > now() AND s.used_at > now() - make_interval(secs => %(idle_s)s)
   AND NOT coalesce(a.disabled, false);

-- use: note that it is in use, once a minute
UPDATE session SET used_at = now() WHERE digest = %(digest)s AND used_at < now() - interval '1 minute';

-- end: one session
DELETE FROM session WHERE digest = %(digest)s RETURNING name;

-- end_all: every session of a user but one
DELETE FROM session WHERE account = %(account)s AND (%(but)s::bytea IS NULL OR digest <> %(but)s);

-- forget_old: sessions that are over
DELETE FROM session WHERE ends_at < now();
