-- add: an event; the same again changes nothing
INSERT INTO maintenance_event (id, asset, at, until_at, kind, component, comment, source)
VALUES (%(id)s, %(asset)s, %(at)s, %(until_at)s, %(kind)s, %(component)s, %(comment)s, %(source)s)
    ON CONFLICT DO NOTHING RETURNING id;

-- between: events of an asset, or of all, in [start, end), oldest first
SELECT id, asset, at, until_at, kind, component, comment, source
  FROM maintenance_event
 WHERE at >= %(start)s AND at < %(end)s AND (%(asset)s::text IS NULL OR asset = %(asset)s)
 ORDER BY at, asset, id LIMIT %(limit)s;
