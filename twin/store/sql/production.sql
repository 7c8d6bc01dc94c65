-- hourly: good parts and moves per unit and hour of UTC, and how much of the hour nothing is known of
SELECT asset, (floor(extract(epoch FROM start_at - %(start)s) / 3600))::int AS hour, sum(good), sum(moves), sum(unknown_s),
       sum(extract(epoch FROM end_at - start_at))::float8
  FROM kpi_bucket
 WHERE asset = ANY (%(units)s) AND start_at >= %(start)s AND start_at < %(end)s
 GROUP BY asset, hour;

-- failures: how often each unit failed, for how long, and for how long it ran
SELECT asset, sum(failures), sum(failure_s), sum(production_s)
  FROM kpi_bucket
 WHERE asset = ANY (%(units)s) AND start_at >= %(start)s AND start_at < %(end)s
 GROUP BY asset;
