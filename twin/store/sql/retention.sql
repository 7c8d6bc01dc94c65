-- locks: neither a commit nor a remaking happens meanwhile; who reads for long makes us come again, not everybody wait
SELECT pg_advisory_xact_lock(%(rollups)s), pg_advisory_xact_lock(%(commit)s), set_config('lock_timeout', '1s', true);

-- awaited: the first batch in [start, end) that a reader of samples has not taken in yet
SELECT seq FROM batch
 WHERE seq > (SELECT min(coalesce(watermark.seq, 0)) FROM unnest(%(readers)s::text[]) AS wanted (key)
                LEFT JOIN watermark USING (key))
   AND first_at < %(end)s AND last_at >= %(start)s
 ORDER BY seq LIMIT 1;

-- set_kept_from: from when on a tier is complete, by kind; never back
INSERT INTO retention AS known (tier, kind, kept_from)
SELECT %(tier)s, kind, %(kept_from)s FROM unnest(%(kinds)s::text[]) AS kind
    ON CONFLICT (tier, kind) DO UPDATE SET kept_from = greatest(known.kept_from, EXCLUDED.kept_from);

-- oldest: when the oldest sample of some kinds lies
SELECT min(first.time)
  FROM signal
 CROSS JOIN LATERAL (SELECT time FROM sample WHERE sample.signal = signal.id AND time < %(before)s
                      ORDER BY time LIMIT 1) AS first
 WHERE kind = ANY (%(kinds)s);

-- delete_samples: those of some kinds in [start, end)
DELETE FROM sample
 WHERE signal = ANY (ARRAY(SELECT id FROM signal WHERE kind = ANY (%(kinds)s)))
   AND time >= %(start)s AND time < %(end)s;

-- delete_texts: texts before an instant, at most `limit`
DELETE FROM sample_text
 WHERE (signal, time) IN (SELECT signal, time FROM sample_text
                           WHERE signal = ANY (ARRAY(SELECT id FROM signal)) AND time < %(before)s LIMIT %(limit)s);
