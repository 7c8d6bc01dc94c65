-- touched: the stretches that new batches touch, per signal: from the sample before the first new one to the one after the last
WITH new AS (
    SELECT signal, min(time) AS first_at, max(time) AS last_at
      FROM sample
     WHERE batch > %(after)s AND batch <= %(upto)s AND signal = ANY (%(signals)s)
       AND time BETWEEN (SELECT min(first_at) FROM batch WHERE seq > %(after)s AND seq <= %(upto)s)
                    AND (SELECT max(last_at) FROM batch WHERE seq > %(after)s AND seq <= %(upto)s)
     GROUP BY signal
     UNION ALL
    SELECT signal, min(time), max(time)
      FROM sample_text WHERE batch > %(after)s AND batch <= %(upto)s AND signal = ANY (%(signals)s) GROUP BY signal
     UNION ALL
    SELECT signal, min(lower(span)), max(upper(span))
      FROM gap WHERE batch > %(after)s AND batch <= %(upto)s AND signal = ANY (%(signals)s) GROUP BY signal
)
SELECT signal, first_at, last_at,
       coalesce((SELECT max(time) FROM (SELECT time FROM sample WHERE sample.signal = new.signal AND time < first_at
                                         ORDER BY time DESC LIMIT 1) AS before), first_at),
       coalesce((SELECT min(time) FROM (SELECT time FROM sample WHERE sample.signal = new.signal AND time > last_at
                                         ORDER BY time LIMIT 1) AS behind), last_at)
  FROM new;

-- columns: samples of some signals in [start, end), each from the last one before and to `ahead` of them behind
SELECT wanted.signal, array_send(array_agg(sample.time ORDER BY sample.time)),
       array_send(array_agg(value ORDER BY sample.time)), array_send(array_agg(quality ORDER BY sample.time))
  FROM (SELECT signal,
               coalesce((SELECT time FROM sample WHERE sample.signal = asked.signal AND time < start_at
                          ORDER BY time DESC LIMIT 1), start_at) AS first_at,
               coalesce((SELECT max(time) FROM (SELECT time FROM sample WHERE sample.signal = asked.signal AND time >= end_at
                                                 ORDER BY time LIMIT %(ahead)s) AS behind), end_at) AS last_at
          FROM unnest(%(signals)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
               AS asked (signal, start_at, end_at)) AS wanted
  JOIN sample ON sample.signal = wanted.signal AND sample.time >= first_at AND sample.time <= last_at
 GROUP BY wanted.signal;

-- orders: texts of a signal in [start, end), from the last one before on
SELECT time, text FROM sample_text
 WHERE signal = %(signal)s AND time < %(end)s
   AND time >= coalesce((SELECT time FROM sample_text WHERE signal = %(signal)s AND time < %(start)s
                          ORDER BY time DESC LIMIT 1), %(start)s)
 ORDER BY time;

-- unheard: gaps of a signal that touch [start, end) and were not filled
SELECT lower(span), upper(span) FROM gap
 WHERE signal = %(signal)s AND span && tstzrange(%(start)s, %(end)s) AND state <> 'backfilled' ORDER BY span;

-- memory: the last memory of a counter at or before an instant
SELECT at, memory FROM counter_memory
 WHERE signal = %(signal)s AND at <= %(at)s AND hash = %(hash)s ORDER BY at DESC LIMIT 1;

-- save_memory: the memory of a counter at the beginning of an hour
INSERT INTO counter_memory (signal, at, hash, memory) VALUES (%(signal)s, %(at)s, %(hash)s, %(memory)s)
    ON CONFLICT (signal, at) DO UPDATE SET hash = EXCLUDED.hash, memory = EXCLUDED.memory;

-- forget_memory: what late samples have overtaken
DELETE FROM counter_memory USING unnest(%(signals)s::int4[], %(times)s::timestamptz[]) AS late (signal, time)
 WHERE counter_memory.signal = late.signal AND counter_memory.at > late.time;

-- thin_memory: beyond a week one memory a day is enough
DELETE FROM counter_memory
 WHERE at < %(before)s AND date_part('hour', at AT TIME ZONE 'UTC') <> 0;

-- ends: how far the buckets of each unit reach
SELECT asset, max(end_at) FROM kpi_bucket WHERE start_at >= %(since)s GROUP BY asset;

-- delete_buckets: what is remade; the shifts that were in it come back
DELETE FROM kpi_bucket USING unnest(%(assets)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
       AS remade (asset, start_at, end_at)
 WHERE kpi_bucket.asset = remade.asset AND kpi_bucket.start_at >= remade.start_at AND kpi_bucket.start_at < remade.end_at
RETURNING kpi_bucket.asset, shift_at;

-- add_buckets: the remade ones
INSERT INTO kpi_bucket (
    asset, start_at, end_at, hour_at, shift_at, day, shift, order_name, production_s, setup_s, failure_s,
    minor_stop_s, delay_s, starved_s, blocked_s, idle_s, maintenance_s, planned_stop_s, unscheduled_s,
    unknown_s, busy_s, allocated_s, allocated_delay_s, good, scrap, rework, moves, lifts, boxes, teu,
    rehandles, dual_moves, estimated, failures, minor_stops, cycles, cycle_s, slow_s, turns, turn_s,
    connected_s, excursions, excursion_s, cycle_p10_s, cycle_median_s, turn_times_s)
SELECT asset, start_at, end_at, hour_at, shift_at, day, shift, order_name, production_s, setup_s, failure_s,
       minor_stop_s, delay_s, starved_s, blocked_s, idle_s, maintenance_s, planned_stop_s, unscheduled_s,
       unknown_s, busy_s, allocated_s, allocated_delay_s, good, scrap, rework, moves, lifts, boxes, teu,
       rehandles, dual_moves, estimated, failures, minor_stops, cycles, cycle_s, slow_s, turns, turn_s,
       connected_s, excursions, excursion_s,
       nullif(cycle_p10_s, 'NaN'), nullif(cycle_median_s, 'NaN'), nullif(turn_times_s, '{}')::float4[]
  FROM unnest(%(asset)s::text[], %(start_at)s::timestamptz[], %(end_at)s::timestamptz[],
              %(hour_at)s::timestamptz[], %(shift_at)s::timestamptz[], %(day)s::date[], %(shift)s::text[],
              %(order_name)s::text[], %(production_s)s::float8[], %(setup_s)s::float8[],
              %(failure_s)s::float8[], %(minor_stop_s)s::float8[], %(delay_s)s::float8[],
              %(starved_s)s::float8[], %(blocked_s)s::float8[], %(idle_s)s::float8[],
              %(maintenance_s)s::float8[], %(planned_stop_s)s::float8[], %(unscheduled_s)s::float8[],
              %(unknown_s)s::float8[], %(busy_s)s::float8[], %(allocated_s)s::float8[],
              %(allocated_delay_s)s::float8[], %(good)s::float8[], %(scrap)s::float8[], %(rework)s::float8[],
              %(moves)s::float8[], %(lifts)s::float8[], %(boxes)s::float8[], %(teu)s::float8[],
              %(rehandles)s::float8[], %(dual_moves)s::float8[], %(estimated)s::float8[],
              %(failures)s::float8[], %(minor_stops)s::float8[], %(cycles)s::float8[], %(cycle_s)s::float8[],
              %(slow_s)s::float8[], %(turns)s::float8[], %(turn_s)s::float8[], %(connected_s)s::float8[],
              %(excursions)s::float8[], %(excursion_s)s::float8[], %(cycle_p10_s)s::float8[],
              %(cycle_median_s)s::float8[], %(turn_times_s)s::text[])
       AS new (asset, start_at, end_at, hour_at, shift_at, day, shift, order_name, production_s, setup_s,
               failure_s, minor_stop_s, delay_s, starved_s, blocked_s, idle_s, maintenance_s, planned_stop_s,
               unscheduled_s, unknown_s, busy_s, allocated_s, allocated_delay_s, good, scrap, rework, moves,
               lifts, boxes, teu, rehandles, dual_moves, estimated, failures, minor_stops, cycles, cycle_s,
               slow_s, turns, turn_s, connected_s, excursions, excursion_s, cycle_p10_s, cycle_median_s,
               turn_times_s);

-- delete_shifts: sums that are no longer right
DELETE FROM kpi_shift USING unnest(%(assets)s::text[], %(shifts)s::timestamptz[]) AS remade (asset, shift_at)
 WHERE kpi_shift.asset = remade.asset AND kpi_shift.shift_at = remade.shift_at;

-- add_shifts: the sums of some shifts anew; no shift and no stretch outside shifts is longer than two days
INSERT INTO kpi_shift (
    asset, shift_at, start_at, end_at, day, shift, production_s, setup_s, failure_s, minor_stop_s, delay_s,
    starved_s, blocked_s, idle_s, maintenance_s, planned_stop_s, unscheduled_s, unknown_s, busy_s, allocated_s,
    allocated_delay_s, good, scrap, rework, moves, lifts, boxes, teu, rehandles, dual_moves, estimated,
    failures, minor_stops, cycles, cycle_s, slow_s, turns, turn_s, connected_s, excursions, excursion_s)
SELECT asset, shift_at, min(start_at), max(end_at), min(day), min(shift),
       sum(production_s), sum(setup_s), sum(failure_s), sum(minor_stop_s), sum(delay_s), sum(starved_s),
       sum(blocked_s), sum(idle_s), sum(maintenance_s), sum(planned_stop_s), sum(unscheduled_s),
       sum(unknown_s), sum(busy_s), sum(allocated_s), sum(allocated_delay_s), sum(good), sum(scrap),
       sum(rework), sum(moves), sum(lifts), sum(boxes), sum(teu), sum(rehandles), sum(dual_moves),
       sum(estimated), sum(failures), sum(minor_stops), sum(cycles), sum(cycle_s), sum(slow_s), sum(turns),
       sum(turn_s), sum(connected_s), sum(excursions), sum(excursion_s)
  FROM unnest(%(assets)s::text[], %(shifts)s::timestamptz[]) AS remade (asset, shift_at)
  JOIN kpi_bucket USING (asset, shift_at)
 WHERE start_at >= remade.shift_at AND start_at < remade.shift_at + interval '2 days'
 GROUP BY asset, shift_at;

-- best_cycles: the best-demonstrated cycle: the middle of the hours' fastest tenth, once there are enough cycles
SELECT asset, percentile_cont(0.5) WITHIN GROUP (ORDER BY cycle_p10_s)
  FROM kpi_bucket
 WHERE asset = ANY (%(assets)s) AND start_at >= %(since)s AND cycles >= 5
 GROUP BY asset HAVING sum(cycles) >= 50;

-- newest: until when there are buckets
SELECT max(end_at) FROM unnest(%(assets)s::text[]) AS wanted (asset)
 CROSS JOIN LATERAL (SELECT end_at FROM kpi_bucket WHERE kpi_bucket.asset = wanted.asset
                      ORDER BY start_at DESC LIMIT 1) AS last;

-- by_hour: sums per group of units and local hour
SELECT place, hour_at AS period, ''::text AS label, min(start_at), max(end_at),
       sum(production_s), sum(setup_s), sum(failure_s), sum(minor_stop_s), sum(delay_s), sum(starved_s),
       sum(blocked_s), sum(idle_s), sum(maintenance_s), sum(planned_stop_s), sum(unscheduled_s),
       sum(unknown_s), sum(busy_s), sum(allocated_s), sum(allocated_delay_s), sum(good), sum(scrap),
       sum(rework), sum(moves), sum(lifts), sum(boxes), sum(teu), sum(rehandles), sum(dual_moves),
       sum(estimated), sum(failures), sum(minor_stops), sum(cycles), sum(cycle_s), sum(slow_s), sum(turns),
       sum(turn_s), sum(connected_s), sum(excursions), sum(excursion_s),
       coalesce(sum(good) FILTER (WHERE output), 0), coalesce(sum(scrap) FILTER (WHERE output), 0),
       coalesce(sum(rework) FILTER (WHERE output), 0), coalesce(sum(moves) FILTER (WHERE output), 0),
       coalesce(sum(lifts) FILTER (WHERE output), 0), coalesce(sum(boxes) FILTER (WHERE output), 0),
       coalesce(sum(teu) FILTER (WHERE output), 0), coalesce(sum(rehandles) FILTER (WHERE output), 0),
       coalesce(sum(production_s + setup_s + failure_s + minor_stop_s + delay_s + starved_s + blocked_s + idle_s)
                FILTER (WHERE output), 0),
       coalesce(sum(ideal_s * (good + scrap + rework + moves)), 0),
       coalesce(sum(production_s) FILTER (WHERE ideal_s IS NOT NULL), 0)
  FROM unnest(%(units)s::text[], %(places)s::int4[], %(outputs)s::bool[], %(ideals)s::float8[])
       AS wanted (asset, place, output, ideal_s)
  JOIN kpi_bucket USING (asset)
 WHERE start_at >= %(start)s AND start_at < %(end)s
 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT %(limit)s;

-- by_shift: sums per group and shift
SELECT place, shift_at AS period, shift AS label, min(start_at), max(end_at),
       sum(production_s), sum(setup_s), sum(failure_s), sum(minor_stop_s), sum(delay_s), sum(starved_s),
       sum(blocked_s), sum(idle_s), sum(maintenance_s), sum(planned_stop_s), sum(unscheduled_s),
       sum(unknown_s), sum(busy_s), sum(allocated_s), sum(allocated_delay_s), sum(good), sum(scrap),
       sum(rework), sum(moves), sum(lifts), sum(boxes), sum(teu), sum(rehandles), sum(dual_moves),
       sum(estimated), sum(failures), sum(minor_stops), sum(cycles), sum(cycle_s), sum(slow_s), sum(turns),
       sum(turn_s), sum(connected_s), sum(excursions), sum(excursion_s),
       coalesce(sum(good) FILTER (WHERE output), 0), coalesce(sum(scrap) FILTER (WHERE output), 0),
       coalesce(sum(rework) FILTER (WHERE output), 0), coalesce(sum(moves) FILTER (WHERE output), 0),
       coalesce(sum(lifts) FILTER (WHERE output), 0), coalesce(sum(boxes) FILTER (WHERE output), 0),
       coalesce(sum(teu) FILTER (WHERE output), 0), coalesce(sum(rehandles) FILTER (WHERE output), 0),
       coalesce(sum(production_s + setup_s + failure_s + minor_stop_s + delay_s + starved_s + blocked_s + idle_s)
                FILTER (WHERE output), 0),
       coalesce(sum(ideal_s * (good + scrap + rework + moves)), 0),
       coalesce(sum(production_s) FILTER (WHERE ideal_s IS NOT NULL), 0)
  FROM unnest(%(units)s::text[], %(places)s::int4[], %(outputs)s::bool[], %(ideals)s::float8[])
       AS wanted (asset, place, output, ideal_s)
  JOIN kpi_shift USING (asset)
 WHERE start_at >= %(start)s AND start_at < %(end)s
 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT %(limit)s;

-- by_day: sums per group and production day
SELECT place, day::timestamp AT TIME ZONE 'UTC' AS period, ''::text AS label, min(start_at), max(end_at),
       sum(production_s), sum(setup_s), sum(failure_s), sum(minor_stop_s), sum(delay_s), sum(starved_s),
       sum(blocked_s), sum(idle_s), sum(maintenance_s), sum(planned_stop_s), sum(unscheduled_s),
       sum(unknown_s), sum(busy_s), sum(allocated_s), sum(allocated_delay_s), sum(good), sum(scrap),
       sum(rework), sum(moves), sum(lifts), sum(boxes), sum(teu), sum(rehandles), sum(dual_moves),
       sum(estimated), sum(failures), sum(minor_stops), sum(cycles), sum(cycle_s), sum(slow_s), sum(turns),
       sum(turn_s), sum(connected_s), sum(excursions), sum(excursion_s),
       coalesce(sum(good) FILTER (WHERE output), 0), coalesce(sum(scrap) FILTER (WHERE output), 0),
       coalesce(sum(rework) FILTER (WHERE output), 0), coalesce(sum(moves) FILTER (WHERE output), 0),
       coalesce(sum(lifts) FILTER (WHERE output), 0), coalesce(sum(boxes) FILTER (WHERE output), 0),
       coalesce(sum(teu) FILTER (WHERE output), 0), coalesce(sum(rehandles) FILTER (WHERE output), 0),
       coalesce(sum(production_s + setup_s + failure_s + minor_stop_s + delay_s + starved_s + blocked_s + idle_s)
                FILTER (WHERE output), 0),
       coalesce(sum(ideal_s * (good + scrap + rework + moves)), 0),
       coalesce(sum(production_s) FILTER (WHERE ideal_s IS NOT NULL), 0)
  FROM unnest(%(units)s::text[], %(places)s::int4[], %(outputs)s::bool[], %(ideals)s::float8[])
       AS wanted (asset, place, output, ideal_s)
  JOIN kpi_shift USING (asset)
 WHERE start_at >= %(start)s AND start_at < %(end)s
 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT %(limit)s;

-- by_order: sums per group and order
SELECT place, 'epoch'::timestamptz AS period, order_name AS label, min(start_at), max(end_at),
       sum(production_s), sum(setup_s), sum(failure_s), sum(minor_stop_s), sum(delay_s), sum(starved_s),
       sum(blocked_s), sum(idle_s), sum(maintenance_s), sum(planned_stop_s), sum(unscheduled_s),
       sum(unknown_s), sum(busy_s), sum(allocated_s), sum(allocated_delay_s), sum(good), sum(scrap),
       sum(rework), sum(moves), sum(lifts), sum(boxes), sum(teu), sum(rehandles), sum(dual_moves),
       sum(estimated), sum(failures), sum(minor_stops), sum(cycles), sum(cycle_s), sum(slow_s), sum(turns),
       sum(turn_s), sum(connected_s), sum(excursions), sum(excursion_s),
       coalesce(sum(good) FILTER (WHERE output), 0), coalesce(sum(scrap) FILTER (WHERE output), 0),
       coalesce(sum(rework) FILTER (WHERE output), 0), coalesce(sum(moves) FILTER (WHERE output), 0),
       coalesce(sum(lifts) FILTER (WHERE output), 0), coalesce(sum(boxes) FILTER (WHERE output), 0),
       coalesce(sum(teu) FILTER (WHERE output), 0), coalesce(sum(rehandles) FILTER (WHERE output), 0),
       coalesce(sum(production_s + setup_s + failure_s + minor_stop_s + delay_s + starved_s + blocked_s + idle_s)
                FILTER (WHERE output), 0),
       coalesce(sum(ideal_s * (good + scrap + rework + moves)), 0),
       coalesce(sum(production_s) FILTER (WHERE ideal_s IS NOT NULL), 0)
  FROM unnest(%(units)s::text[], %(places)s::int4[], %(outputs)s::bool[], %(ideals)s::float8[])
       AS wanted (asset, place, output, ideal_s)
  JOIN kpi_bucket USING (asset)
 WHERE start_at >= %(start)s AND start_at < %(end)s
 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT %(limit)s;

-- by_total: sums per group over whole shifts
SELECT place, 'epoch'::timestamptz AS period, ''::text AS label, min(start_at), max(end_at),
       sum(production_s), sum(setup_s), sum(failure_s), sum(minor_stop_s), sum(delay_s), sum(starved_s),
       sum(blocked_s), sum(idle_s), sum(maintenance_s), sum(planned_stop_s), sum(unscheduled_s),
       sum(unknown_s), sum(busy_s), sum(allocated_s), sum(allocated_delay_s), sum(good), sum(scrap),
       sum(rework), sum(moves), sum(lifts), sum(boxes), sum(teu), sum(rehandles), sum(dual_moves),
       sum(estimated), sum(failures), sum(minor_stops), sum(cycles), sum(cycle_s), sum(slow_s), sum(turns),
       sum(turn_s), sum(connected_s), sum(excursions), sum(excursion_s),
       coalesce(sum(good) FILTER (WHERE output), 0), coalesce(sum(scrap) FILTER (WHERE output), 0),
       coalesce(sum(rework) FILTER (WHERE output), 0), coalesce(sum(moves) FILTER (WHERE output), 0),
       coalesce(sum(lifts) FILTER (WHERE output), 0), coalesce(sum(boxes) FILTER (WHERE output), 0),
       coalesce(sum(teu) FILTER (WHERE output), 0), coalesce(sum(rehandles) FILTER (WHERE output), 0),
       coalesce(sum(production_s + setup_s + failure_s + minor_stop_s + delay_s + starved_s + blocked_s + idle_s)
                FILTER (WHERE output), 0),
       coalesce(sum(ideal_s * (good + scrap + rework + moves)), 0),
       coalesce(sum(production_s) FILTER (WHERE ideal_s IS NOT NULL), 0)
  FROM unnest(%(units)s::text[], %(places)s::int4[], %(outputs)s::bool[], %(ideals)s::float8[])
       AS wanted (asset, place, output, ideal_s)
  JOIN kpi_shift USING (asset)
 WHERE start_at >= %(start)s AND start_at < %(end)s
 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT %(limit)s;

-- by_part: sums per group over buckets
SELECT place, 'epoch'::timestamptz AS period, ''::text AS label, min(start_at), max(end_at),
       sum(production_s), sum(setup_s), sum(failure_s), sum(minor_stop_s), sum(delay_s), sum(starved_s),
       sum(blocked_s), sum(idle_s), sum(maintenance_s), sum(planned_stop_s), sum(unscheduled_s),
       sum(unknown_s), sum(busy_s), sum(allocated_s), sum(allocated_delay_s), sum(good), sum(scrap),
       sum(rework), sum(moves), sum(lifts), sum(boxes), sum(teu), sum(rehandles), sum(dual_moves),
       sum(estimated), sum(failures), sum(minor_stops), sum(cycles), sum(cycle_s), sum(slow_s), sum(turns),
       sum(turn_s), sum(connected_s), sum(excursions), sum(excursion_s),
       coalesce(sum(good) FILTER (WHERE output), 0), coalesce(sum(scrap) FILTER (WHERE output), 0),
       coalesce(sum(rework) FILTER (WHERE output), 0), coalesce(sum(moves) FILTER (WHERE output), 0),
       coalesce(sum(lifts) FILTER (WHERE output), 0), coalesce(sum(boxes) FILTER (WHERE output), 0),
       coalesce(sum(teu) FILTER (WHERE output), 0), coalesce(sum(rehandles) FILTER (WHERE output), 0),
       coalesce(sum(production_s + setup_s + failure_s + minor_stop_s + delay_s + starved_s + blocked_s + idle_s)
                FILTER (WHERE output), 0),
       coalesce(sum(ideal_s * (good + scrap + rework + moves)), 0),
       coalesce(sum(production_s) FILTER (WHERE ideal_s IS NOT NULL), 0)
  FROM unnest(%(units)s::text[], %(places)s::int4[], %(outputs)s::bool[], %(ideals)s::float8[])
       AS wanted (asset, place, output, ideal_s)
  JOIN kpi_bucket USING (asset)
 WHERE start_at >= %(start)s AND start_at < %(end)s
 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT %(limit)s;

-- calls: seconds in which a call was worked on, by whatever number of cranes, per group and period
SELECT place, period, sum(seconds)
  FROM (SELECT place, period, order_name,
               (SELECT sum(extract(epoch FROM upper(one) - lower(one))) FROM unnest(spans) AS one)::float8 AS seconds
          FROM (SELECT place, order_name,
                       CASE %(by)s WHEN 'hour' THEN hour_at WHEN 'shift' THEN shift_at
                                   WHEN 'day' THEN day::timestamp AT TIME ZONE 'UTC' ELSE 'epoch' END AS period,
                       range_agg(tstzrange(start_at, end_at)) AS spans
                  FROM unnest(%(units)s::text[], %(places)s::int4[]) AS wanted (asset, place)
                  JOIN kpi_bucket USING (asset)
                 WHERE start_at >= %(start)s AND start_at < %(end)s AND order_name <> ''
                 GROUP BY 1, 2, 3) AS unions) AS calls
 GROUP BY 1, 2;

-- turns: median and 90th percentile of turn times, per group and period
SELECT place,
       CASE %(by)s WHEN 'hour' THEN hour_at WHEN 'shift' THEN shift_at
                   WHEN 'day' THEN day::timestamp AT TIME ZONE 'UTC' ELSE 'epoch' END AS period,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY turn), percentile_cont(0.9) WITHIN GROUP (ORDER BY turn)
  FROM unnest(%(units)s::text[], %(places)s::int4[]) AS wanted (asset, place)
  JOIN kpi_bucket USING (asset)
 CROSS JOIN unnest(turn_times_s) AS turn
 WHERE start_at >= %(start)s AND start_at < %(end)s
 GROUP BY 1, 2;

-- reclassify: what a person says of an interval
INSERT INTO reclassification (asset, span, was, reason, who, why)
VALUES (%(asset)s, tstzrange(%(start)s, %(end)s), %(was)s, %(reason)s, %(who)s, %(why)s) RETURNING id, at;

-- reclassified: what people have said of the time of a unit, earlier words first
SELECT id, lower(span), upper(span), was, reason, who, why, at FROM reclassification
 WHERE asset = %(asset)s AND span && tstzrange(%(start)s, %(end)s) ORDER BY id;

-- said_after: what people have said since, of whom and of when
SELECT id, asset, lower(span), upper(span) FROM reclassification WHERE id > %(after)s ORDER BY id;
