-- add_finding: a finding when it opens, and again when it changes or ends; a replay of older batches changes nothing
INSERT INTO finding (id, asset, signal, detector, since_at, until_at, score, message, seq,
                     p, expected_per_day, centre, spread, contributions, regime, model, earlier)
VALUES (%(id)s, %(asset)s, %(signal)s, %(detector)s, %(since_at)s, %(until_at)s, %(score)s, %(message)s, %(seq)s,
        %(p)s, %(expected_per_day)s, %(centre)s, %(spread)s, %(contributions)s, %(regime)s, %(model)s, %(earlier)s)
    ON CONFLICT (id) DO UPDATE
   SET until_at = EXCLUDED.until_at, score = EXCLUDED.score, message = EXCLUDED.message, seq = EXCLUDED.seq,
       p = EXCLUDED.p, expected_per_day = EXCLUDED.expected_per_day, contributions = EXCLUDED.contributions
 WHERE finding.seq <= EXCLUDED.seq;

-- add_transition: a machine enters a state
INSERT INTO transition (asset, at, code, name, category, seq)
VALUES (%(asset)s, %(at)s, %(code)s, %(name)s, %(category)s, %(seq)s)
    ON CONFLICT (asset, at) DO UPDATE
   SET code = EXCLUDED.code, name = EXCLUDED.name, category = EXCLUDED.category, seq = EXCLUDED.seq
 WHERE transition.seq <= EXCLUDED.seq;

-- set_watermark: how far a judge has come; never back
INSERT INTO watermark (key, seq) VALUES (%(key)s, %(seq)s)
    ON CONFLICT (key) DO UPDATE SET seq = greatest(watermark.seq, EXCLUDED.seq);

-- watermark: how far a judge had come
SELECT seq FROM watermark WHERE key = %(key)s;

-- open: findings that have not ended, oldest first
SELECT id, asset, signal, detector, since_at, until_at, score, message,
       p, expected_per_day, centre, spread, contributions, regime, model, earlier
  FROM finding WHERE until_at IS NULL ORDER BY since_at, id;

-- between: findings of an asset, or of all, that touch [start, end)
SELECT id, asset, signal, detector, since_at, until_at, score, message,
       p, expected_per_day, centre, spread, contributions, regime, model, earlier
  FROM finding
 WHERE since_at < %(end)s AND coalesce(until_at, 'infinity') >= %(start)s
   AND (%(asset)s::text IS NULL OR asset = %(asset)s)
 ORDER BY since_at, id LIMIT %(limit)s;

-- transitions: the state changes of an asset in [start, end)
SELECT asset, at, code, name, category
  FROM transition WHERE asset = %(asset)s AND at >= %(start)s AND at < %(end)s ORDER BY at;
