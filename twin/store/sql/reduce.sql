-- reduce: per bucket of time the first, last, lowest and highest sample as {offset in µs, value, quality}
SELECT first, last,
       CASE WHEN low IS NOT NULL THEN ARRAY[low[2], low[1], low[3]] END,
       CASE WHEN high IS NOT NULL THEN ARRAY[high[2], high[1], high[3]] END
  FROM (SELECT min(ARRAY[at, value, quality]) AS first,
               max(ARRAY[at, value, quality]) AS last,
               min(ARRAY[value, at, quality]) FILTER (WHERE value <> 'NaN') AS low,
               max(ARRAY[value, at, quality]) FILTER (WHERE value <> 'NaN') AS high
          FROM (SELECT round(date_part('epoch', time - %(start)s) * 1e6) AS at, value, quality::float8 AS quality
                  FROM sample WHERE signal = %(signal)s AND time >= %(start)s AND time < %(end)s
                   AND batch <= %(upto)s) AS shifted
         GROUP BY floor(at / %(width_us)s)) AS buckets;
