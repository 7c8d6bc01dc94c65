-- add: a key
INSERT INTO api_key (id, title, digest, grants, made_by, ends_at)
VALUES (%(id)s, %(title)s, %(digest)s, %(grants)s, %(made_by)s, now() + make_interval(days => %(days)s))
    ON CONFLICT DO NOTHING RETURNING id, title, grants, made_by, made_at, ends_at, revoked_at;

-- find: a key that can be used
SELECT title, digest, grants, extract(epoch FROM ends_at)::float8 FROM api_key
 WHERE id = %(id)s AND revoked_at IS NULL AND ends_at > now();

-- all: every key that ever was, the newest first
SELECT id, title, grants, made_by, made_at, ends_at, revoked_at FROM api_key ORDER BY made_at DESC, id;

-- revoke: a key; null when there is none
UPDATE api_key SET revoked_at = now() WHERE id = %(id)s AND revoked_at IS NULL
RETURNING id, title, grants, made_by, made_at, ends_at, revoked_at;
