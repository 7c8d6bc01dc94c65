-- values: the newest sample of each signal at or before an instant
SELECT wanted.signal, newest.time, newest.value, newest.quality, newest.received_at
  FROM unnest(%(signals)s::int4[]) AS wanted (signal)
 CROSS JOIN LATERAL (SELECT * FROM sample WHERE sample.signal = wanted.signal AND sample.time <= %(at)s
                      ORDER BY time DESC LIMIT 1) AS newest;

-- texts: the same for texts
SELECT wanted.signal, newest.time, newest.text, newest.quality, newest.received_at
  FROM unnest(%(signals)s::int4[]) AS wanted (signal)
 CROSS JOIN LATERAL (SELECT * FROM sample_text WHERE sample_text.signal = wanted.signal AND sample_text.time <= %(at)s
                      ORDER BY time DESC LIMIT 1) AS newest;

-- machines: the state that each asset was in at an instant
SELECT newest.asset, newest.at, newest.code, newest.name, newest.category
  FROM unnest(%(assets)s::text[]) AS wanted (asset)
 CROSS JOIN LATERAL (SELECT * FROM transition WHERE transition.asset = wanted.asset AND transition.at <= %(at)s
                      ORDER BY transition.at DESC LIMIT 1) AS newest;

-- gaps: which signals had a hole at an instant that was not filled later, and why
SELECT signal, cause, detail FROM gap WHERE span @> %(at)s::timestamptz AND state <> 'backfilled' ORDER BY signal, id;
