-- lock: one action at a time, so that ids follow the order of commits
SELECT pg_advisory_xact_lock(%(lock)s);

-- same: the action with this key
SELECT id, kind, target, at, operator, comment, detail FROM operator_action WHERE key = %(key)s;

-- add: an action
INSERT INTO operator_action (id, key, kind, target, operator, comment, at, detail)
SELECT coalesce(max(id), 0) + 1, %(key)s, %(kind)s, %(target)s, %(operator)s, %(comment)s, %(at)s, %(detail)s
  FROM operator_action
RETURNING id, kind, target, at, operator, comment, detail;

-- tell: wake whoever waits for actions
SELECT pg_notify('fabriquay_action', '');

-- after: actions behind an id, oldest first
SELECT id, kind, target, at, operator, comment, detail FROM operator_action
 WHERE id > %(after)s ORDER BY id LIMIT %(limit)s;

-- windows: maintenance windows and assets out of service, the newest first, each with the action that ended it
SELECT a.id, a.kind, a.target, a.at, a.operator, a.comment, a.detail, e.at, e.operator, e.comment
  FROM operator_action a
  LEFT JOIN LATERAL (SELECT at, operator, comment FROM operator_action
                      WHERE kind = 'end' AND target = a.id::text ORDER BY id LIMIT 1) e ON true
 WHERE a.kind IN ('maintenance', 'out-of-service') AND (%(before)s::int8 IS NULL OR a.id < %(before)s)
   AND (%(id)s::int8 IS NULL OR a.id = %(id)s)
   AND (%(roots)s::text[] IS NULL OR EXISTS (
       SELECT FROM unnest(%(roots)s::text[]) AS root WHERE a.target = root OR starts_with(a.target, root || '/')))
 ORDER BY a.id DESC LIMIT %(limit)s;
