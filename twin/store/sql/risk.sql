-- transitions: the state changes of every asset in [start, end), by asset
SELECT asset, array_agg(at ORDER BY at), array_agg(category ORDER BY at)
  FROM transition WHERE at >= %(start)s AND at < %(end)s GROUP BY asset;

-- findings: what was found on every asset in [start, end), by asset and detector
SELECT asset, detector, array_agg(since_at ORDER BY since_at, id),
       array_agg(coalesce(until_at, '9999-12-31') ORDER BY since_at, id),
       array_agg(CASE WHEN p IS NULL THEN 1 ELSE -log(greatest(p, 1e-30)) END ORDER BY since_at, id)
  FROM finding WHERE since_at >= %(start)s AND since_at < %(end)s
 GROUP BY asset, detector;

-- alarms: when alarms of every asset were raised and cleared in [start, end), by asset; not those of the risk itself
SELECT a.asset, coalesce(array_agg(t.at ORDER BY t.at) FILTER (WHERE t.what = 'raised'), '{}'),
       coalesce(array_agg(t.at ORDER BY t.at) FILTER (WHERE t.what = 'cleared'), '{}')
  FROM alarm_transition t JOIN alarm a ON a.id = t.alarm
 WHERE t.at >= %(start)s AND t.at < %(end)s AND t.what IN ('raised', 'cleared') AND a.kind <> 'risk'
 GROUP BY a.asset;

-- unseen: intervals of at least an hour in which a signal's samples are missing, by signal
SELECT signal, array_agg(lower(span) ORDER BY span), array_agg(upper(span) ORDER BY span)
  FROM gap
 WHERE signal = ANY(%(signals)s) AND state <> 'backfilled' AND span && tstzrange(%(start)s, %(end)s)
   AND upper(span) - lower(span) >= interval '1 hour'
 GROUP BY signal;

-- newest: when signals had their last sample
SELECT s.id, last.time
  FROM unnest(%(signals)s::int4[]) AS s (id)
 CROSS JOIN LATERAL (SELECT time FROM sample WHERE signal = s.id ORDER BY time DESC LIMIT 1) AS last;

-- add_risk: what is said of an asset
INSERT INTO risk (asset, at, horizon_h, p, low, high, basis, failures, reasons, model)
VALUES (%(asset)s, %(at)s, %(horizon_h)s, %(p)s, %(low)s, %(high)s, %(basis)s, %(failures)s, %(reasons)s, %(model)s)
    ON CONFLICT (asset, at, horizon_h) DO UPDATE
   SET p = EXCLUDED.p, low = EXCLUDED.low, high = EXCLUDED.high, basis = EXCLUDED.basis, failures = EXCLUDED.failures,
       reasons = EXCLUDED.reasons, model = EXCLUDED.model;

-- add_life: how long an asset is said to go on
INSERT INTO remaining_life (asset, at, hours, low, high, cap, failures, model)
VALUES (%(asset)s, %(at)s, %(hours)s, %(low)s, %(high)s, %(cap)s, %(failures)s, %(model)s)
    ON CONFLICT (asset, at) DO UPDATE
   SET hours = EXCLUDED.hours, low = EXCLUDED.low, high = EXCLUDED.high, cap = EXCLUDED.cap,
       failures = EXCLUDED.failures, model = EXCLUDED.model;

-- latest: the newest statement by an instant, of every asset or of one
SELECT asset, at, horizon_h, p, low, high, basis, failures, reasons, model
  FROM risk
 WHERE at = (SELECT max(at) FROM risk WHERE at <= coalesce(%(at)s, 'infinity'::timestamptz) AND (%(asset)s::text IS NULL OR asset = %(asset)s))
   AND (%(asset)s::text IS NULL OR asset = %(asset)s)
 ORDER BY asset, horizon_h;

-- latest_life: of the same instant
SELECT asset, hours, low, high, cap, failures, model
  FROM remaining_life
 WHERE at = (SELECT max(at) FROM risk WHERE at <= coalesce(%(at)s, 'infinity'::timestamptz) AND (%(asset)s::text IS NULL OR asset = %(asset)s))
   AND (%(asset)s::text IS NULL OR asset = %(asset)s);

-- forget_risk: statements older than an instant
DELETE FROM risk WHERE at < %(before)s;

-- forget_life: statements older than an instant
DELETE FROM remaining_life WHERE at < %(before)s;
