-- lock: one remaking at a time; held to the end of the transaction
SELECT pg_advisory_xact_lock(%(lock)s);

-- piece: the batches behind a seq that have about so many samples: the last one, and from when to when they reach
SELECT max(seq), min(first_at), max(last_at), sum(rows)
  FROM (SELECT seq, rows, first_at, last_at, sum(rows) OVER (ORDER BY seq) - rows AS before
          FROM (SELECT seq, rows, first_at, last_at FROM batch WHERE seq > %(after)s ORDER BY seq LIMIT 20000) AS next)
       AS next
 WHERE before < %(most)s;

-- make_touched: the minutes that are made anew
CREATE TEMPORARY TABLE touched (signal int4, start_at timestamptz, hold interval) ON COMMIT DROP;

-- touch: each minute that a new sample lies in or holds into; how long it may hold says the plant model
INSERT INTO touched (signal, start_at, hold)
SELECT DISTINCT signal, minute, hold
  FROM (SELECT signal, date_bin('1 minute', time, 'epoch') AS minute_at, max(time) AS last_at
          FROM sample
         WHERE batch > %(after)s AND batch <= %(upto)s AND time BETWEEN %(first_at)s AND %(last_at)s
         GROUP BY 1, 2) AS new
  LEFT JOIN unnest(%(signals)s::int4[], %(holds)s::float8[]) AS held (signal, hold_s) USING (signal)
 CROSS JOIN LATERAL (SELECT make_interval(secs => coalesce(hold_s, 60)) AS hold) AS of_signal
 CROSS JOIN LATERAL generate_series(minute_at, last_at + hold - interval '1 microsecond', interval '1 minute') AS minute;

-- pass_over: minutes whose samples may have been dropped stay as they are
DELETE FROM touched USING signal, retention
 WHERE touched.signal = signal.id AND retention.kind = signal.kind AND tier = 'sample' AND start_at < kept_from;

-- analyze: so that the planner knows how many there are
ANALYZE touched;

-- span: how many minutes there are, and from when to when
SELECT count(*), min(start_at), max(start_at) FROM touched;

-- months: which months they lie in
SELECT DISTINCT date_trunc('month', start_at, 'UTC') FROM touched;

-- minutes: each touched minute from all samples that are stored; the value before it may still be in force
WITH made AS MATERIALIZED (
    SELECT touched.signal, start_at, samples, good, low, high, firsts[1] AS first,
           firsts[cardinality(firsts)] AS last, covered_us / 1e6 AS covered_s,
           CASE WHEN covered_us > 0 THEN weighted / (covered_us / 60e6) END AS mean
      FROM touched
     CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE inside) AS samples,
                   count(*) FILTER (WHERE inside AND quality & 3 = 0) AS good,
                   min(value) FILTER (WHERE inside AND usable) AS low,
                   max(value) FILTER (WHERE inside AND usable) AS high,
                   array_agg(value ORDER BY time) FILTER (WHERE inside AND usable) AS firsts,
                   -- shares of the minute keep sums from overflowing; what is nothing to a float would be an error
                   sum(CASE WHEN abs(value) > 1e-290 THEN value * (held_us / 60e6) ELSE 0 END ORDER BY time)
                       FILTER (WHERE usable) AS weighted,
                   coalesce(sum(held_us) FILTER (WHERE usable), 0)::int8 AS covered_us
              FROM (SELECT time, value, quality, time >= start_at AS inside,
                           quality & 3 < 2 AND abs(value) < 1e290 AS usable,
                           round(1e6 * date_part('epoch',
                               least(lead(time) OVER (ORDER BY time), time + hold, start_at + interval '1 minute')
                                   - greatest(time, start_at)))::int8 AS held_us
                      FROM sample
                     WHERE sample.signal = touched.signal AND time < start_at + interval '1 minute'
                       AND time >= coalesce((SELECT time FROM sample
                                              WHERE sample.signal = touched.signal AND time < start_at
                                                AND time > start_at - hold AND time >= %(earliest)s
                                              ORDER BY time DESC LIMIT 1), start_at)
                       AND time >= %(earliest)s AND time < %(latest)s) AS held) AS found
), empty AS (
    DELETE FROM rollup_minute USING made
     WHERE rollup_minute.signal = made.signal AND rollup_minute.start_at = made.start_at
       AND made.samples = 0 AND made.covered_s = 0
)
INSERT INTO rollup_minute AS known (signal, start_at, samples, good, low, high, mean, first, last, covered_s)
SELECT signal, start_at, samples, good, low, high, mean, first, last, covered_s
  FROM made WHERE samples > 0 OR covered_s > 0
 ORDER BY signal, start_at
    ON CONFLICT (signal, start_at) DO UPDATE
   SET samples = EXCLUDED.samples, good = EXCLUDED.good, low = EXCLUDED.low, high = EXCLUDED.high,
       mean = EXCLUDED.mean, first = EXCLUDED.first, last = EXCLUDED.last, covered_s = EXCLUDED.covered_s;

-- hours: each touched hour from its minutes
WITH made AS MATERIALIZED (
    SELECT touched.signal, touched.start_at, found.*
      FROM (SELECT DISTINCT signal, date_bin('1 hour', start_at, 'epoch') AS start_at FROM touched) AS touched
     CROSS JOIN LATERAL (
            SELECT sum(samples) AS samples, sum(good) AS good, min(low) AS low, max(high) AS high,
                   sum(mean * (covered_s / 3600) ORDER BY start_at)
                       / nullif(sum(covered_s ORDER BY start_at) / 3600, 0) AS mean,
                   (array_agg(first ORDER BY start_at) FILTER (WHERE first IS NOT NULL))[1] AS first,
                   (array_agg(last ORDER BY start_at DESC) FILTER (WHERE last IS NOT NULL))[1] AS last,
                   coalesce(sum(covered_s ORDER BY start_at), 0) AS covered_s
              FROM rollup_minute AS minute
             WHERE minute.signal = touched.signal AND minute.start_at >= touched.start_at
               AND minute.start_at < touched.start_at + interval '1 hour'
               AND minute.start_at >= %(earliest_hour)s AND minute.start_at < %(latest_hour)s) AS found
), empty AS (
    DELETE FROM rollup_hour USING made
     WHERE rollup_hour.signal = made.signal AND rollup_hour.start_at = made.start_at AND made.samples IS NULL
)
INSERT INTO rollup_hour AS known (signal, start_at, samples, good, low, high, mean, first, last, covered_s)
SELECT signal, start_at, samples, good, low, high, mean, first, last, covered_s
  FROM made WHERE samples IS NOT NULL
 ORDER BY signal, start_at
    ON CONFLICT (signal, start_at) DO UPDATE
   SET samples = EXCLUDED.samples, good = EXCLUDED.good, low = EXCLUDED.low, high = EXCLUDED.high,
       mean = EXCLUDED.mean, first = EXCLUDED.first, last = EXCLUDED.last, covered_s = EXCLUDED.covered_s;

-- days: each touched day from its hours
WITH made AS MATERIALIZED (
    SELECT touched.signal, touched.start_at, found.*
      FROM (SELECT DISTINCT signal, date_bin('1 day', start_at, 'epoch') AS start_at FROM touched) AS touched
     CROSS JOIN LATERAL (
            SELECT sum(samples) AS samples, sum(good) AS good, min(low) AS low, max(high) AS high,
                   sum(mean * (covered_s / 86400) ORDER BY start_at)
                       / nullif(sum(covered_s ORDER BY start_at) / 86400, 0) AS mean,
                   (array_agg(first ORDER BY start_at) FILTER (WHERE first IS NOT NULL))[1] AS first,
                   (array_agg(last ORDER BY start_at DESC) FILTER (WHERE last IS NOT NULL))[1] AS last,
                   coalesce(sum(covered_s ORDER BY start_at), 0) AS covered_s
              FROM rollup_hour AS hour
             WHERE hour.signal = touched.signal AND hour.start_at >= touched.start_at
               AND hour.start_at < touched.start_at + interval '1 day') AS found
), empty AS (
    DELETE FROM rollup_day USING made
     WHERE rollup_day.signal = made.signal AND rollup_day.start_at = made.start_at AND made.samples IS NULL
)
INSERT INTO rollup_day AS known (signal, start_at, samples, good, low, high, mean, first, last, covered_s)
SELECT signal, start_at, samples, good, low, high, mean, first, last, covered_s
  FROM made WHERE samples IS NOT NULL
 ORDER BY signal, start_at
    ON CONFLICT (signal, start_at) DO UPDATE
   SET samples = EXCLUDED.samples, good = EXCLUDED.good, low = EXCLUDED.low, high = EXCLUDED.high,
       mean = EXCLUDED.mean, first = EXCLUDED.first, last = EXCLUDED.last, covered_s = EXCLUDED.covered_s;

-- series_minute: the minutes of a signal in [start, end), joined into bins
SELECT array_send(array_agg(at)), array_send(array_agg(mean)), array_send(array_agg(low)), array_send(array_agg(high)),
       array_send(array_agg(samples)), array_send(array_agg(good)), array_send(array_agg(covered_s))
  FROM (SELECT date_bin(%(bin)s, start_at, %(start)s) AS at,
               coalesce(sum(mean * covered_s) / nullif(sum(covered_s), 0), 'NaN') AS mean,
               coalesce(min(low), 'NaN') AS low, coalesce(max(high), 'NaN') AS high,
               sum(samples)::int8 AS samples, sum(good)::int8 AS good, sum(covered_s) AS covered_s
          FROM rollup_minute WHERE signal = %(signal)s AND start_at >= %(start)s AND start_at < %(end)s
         GROUP BY 1 ORDER BY 1) AS bins;

-- series_hour: the hours
SELECT array_send(array_agg(at)), array_send(array_agg(mean)), array_send(array_agg(low)), array_send(array_agg(high)),
       array_send(array_agg(samples)), array_send(array_agg(good)), array_send(array_agg(covered_s))
  FROM (SELECT date_bin(%(bin)s, start_at, %(start)s) AS at,
               coalesce(sum(mean * covered_s) / nullif(sum(covered_s), 0), 'NaN') AS mean,
               coalesce(min(low), 'NaN') AS low, coalesce(max(high), 'NaN') AS high,
               sum(samples)::int8 AS samples, sum(good)::int8 AS good, sum(covered_s) AS covered_s
          FROM rollup_hour WHERE signal = %(signal)s AND start_at >= %(start)s AND start_at < %(end)s
         GROUP BY 1 ORDER BY 1) AS bins;

-- series_day: the days
SELECT array_send(array_agg(at)), array_send(array_agg(mean)), array_send(array_agg(low)), array_send(array_agg(high)),
       array_send(array_agg(samples)), array_send(array_agg(good)), array_send(array_agg(covered_s))
  FROM (SELECT date_bin(%(bin)s, start_at, %(start)s) AS at,
               coalesce(sum(mean * covered_s) / nullif(sum(covered_s), 0), 'NaN') AS mean,
               coalesce(min(low), 'NaN') AS low, coalesce(max(high), 'NaN') AS high,
               sum(samples)::int8 AS samples, sum(good)::int8 AS good, sum(covered_s) AS covered_s
          FROM rollup_day WHERE signal = %(signal)s AND start_at >= %(start)s AND start_at < %(end)s
         GROUP BY 1 ORDER BY 1) AS bins;

-- kept_from: from when on a tier of a kind of signals is complete
SELECT kept_from FROM retention WHERE tier = %(tier)s AND kind = %(kind)s;
