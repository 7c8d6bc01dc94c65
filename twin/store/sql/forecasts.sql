-- save: one issued stretch; the same issue again changes nothing
INSERT INTO forecast (asset, by, origin_at, start_at, end_at, name, unit, centre, quantiles, adjusted_mean, adjusted,
                      naive_error, maturity)
VALUES (%(asset)s, %(by)s, %(origin_at)s, %(start_at)s, %(end_at)s, %(name)s, %(unit)s, %(centre)s, %(quantiles)s,
        %(adjusted_mean)s, %(adjusted)s, %(naive_error)s, %(maturity)s)
    ON CONFLICT (asset, by, origin_at, start_at) DO NOTHING;

-- due: what has ended before an instant, not longer ago than `oldest`, and has no truth yet
SELECT asset, by, origin_at, start_at, end_at, name, unit, centre, quantiles, adjusted_mean, adjusted, naive_error, maturity, actual
  FROM forecast WHERE actual IS NULL AND end_at <= %(before)s AND end_at > %(oldest)s ORDER BY end_at LIMIT %(limit)s;

-- settle: the truth of one stretch
UPDATE forecast SET actual = %(actual)s
 WHERE asset = %(asset)s AND by = %(by)s AND origin_at = %(origin_at)s AND start_at = %(start_at)s;

-- outcomes: whether the truth lay outside the corrected interval, of every stretch's newest origin before its start
SELECT DISTINCT ON (end_at, asset, by) asset, by, NOT actual BETWEEN quantiles[%(low)s] AND quantiles[%(high)s]
  FROM forecast WHERE actual IS NOT NULL AND end_at > %(since)s AND origin_at <= start_at AND by <> 'hour'
 ORDER BY end_at, asset, by, origin_at DESC;

-- latest: the newest issue of an asset, or the newest at or before an origin
SELECT asset, by, origin_at, start_at, end_at, name, unit, centre, quantiles, adjusted_mean, adjusted, naive_error, maturity, actual
  FROM unnest(%(assets)s::text[]) AS wanted (of)
 CROSS JOIN LATERAL (SELECT origin_at AS newest_at FROM forecast
                      WHERE asset = wanted.of AND by = %(by)s AND origin_at <= %(origin)s
                      ORDER BY origin_at DESC LIMIT 1) AS newest
  JOIN forecast ON asset = wanted.of AND by = %(by)s AND origin_at = newest_at
 ORDER BY asset, start_at;

-- accuracy: how right the forecasts of a time were, per asset, kind of period and days ahead
SELECT asset, by, days_ahead, count(*),
       avg((actual BETWEEN quantiles[4] AND quantiles[6])::int),
       avg((actual BETWEEN quantiles[3] AND quantiles[7])::int),
       avg((actual BETWEEN quantiles[1] AND quantiles[9])::int),
       avg(abs(actual - centre)),
       avg(abs(actual - centre)) / nullif(avg(naive_error), 0),
       avg((SELECT avg(greatest(level * (actual - quantile), (level - 1) * (actual - quantile)))
              FROM unnest(quantiles, %(levels)s::float8[]) AS at (quantile, level)))
  FROM (SELECT *, floor(extract(epoch FROM start_at - origin_at) / 86400)::int AS days_ahead FROM forecast
         WHERE actual IS NOT NULL AND end_at > %(since)s AND origin_at <= start_at AND asset = ANY (%(assets)s)) AS known
 GROUP BY asset, by, days_ahead ORDER BY asset, by, days_ahead;

-- trim: hours are forgotten after a while, longer periods stay
DELETE FROM forecast WHERE by = 'hour' AND end_at < %(before)s;
