-- add_plant: one revision of the plant model
INSERT INTO plant (revision, enterprise) VALUES (%(revision)s, %(enterprise)s)
    ON CONFLICT (revision) DO UPDATE SET registered_at = now();

-- lock: one registration at a time, so that no id is burnt on a signal that is there already
SELECT pg_advisory_xact_lock(%(lock)s);

-- update_signals: what the model says now of signals that are known
UPDATE signal SET kind = new.kind, unit = new.unit, revision = %(revision)s
  FROM unnest(%(paths)s::text[], %(kinds)s::text[], %(units)s::text[]) AS new (path, kind, unit)
 WHERE signal.path = new.path;

-- add_signals: signals that are new get an id
INSERT INTO signal (path, kind, unit, revision)
SELECT path, kind, unit, %(revision)s
  FROM unnest(%(paths)s::text[], %(kinds)s::text[], %(units)s::text[]) WITH ORDINALITY AS new (path, kind, unit, place)
 WHERE NOT EXISTS (SELECT FROM signal WHERE signal.path = new.path)
 ORDER BY place;

-- signal_ids: every signal that was ever registered
SELECT path, id FROM signal ORDER BY id;
