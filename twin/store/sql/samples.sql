-- batches: the committed batches behind a seq, oldest first
SELECT seq, node, coalesce(replace(epoch::text, '-', ''), '') AS epoch, number, lane, rows, texts, first_at, last_at
  FROM batch WHERE seq > %(seq)s ORDER BY seq LIMIT %(limit)s;

-- newest_seq: of the batch that was committed last, 0 before the first
SELECT coalesce(max(seq), 0) FROM batch;

-- known_by: the last batch that was committed by an instant, 0 before the first
SELECT coalesce(max(seq), 0) FROM batch WHERE committed_at <= %(at)s;

-- replay: the rows of a range of batches; the times let it skip days
SELECT array_send(array_agg(batch)), array_send(array_agg(signal)), array_send(array_agg(time)),
       array_send(array_agg(value)), array_send(array_agg(quality)),
       array_send(array_agg(coalesce(server_at, 'epoch'))), array_send(array_agg(received_at))
  FROM (SELECT * FROM sample
         WHERE batch BETWEEN %(first)s AND %(last)s AND time BETWEEN %(first_at)s AND %(last_at)s
         ORDER BY batch, signal, time) AS ordered;

-- replay_texts: the same for texts
SELECT batch, signal, time, text, quality, server_at, received_at
  FROM sample_text WHERE batch BETWEEN %(first)s AND %(last)s ORDER BY batch, signal, time;

-- series: the first `limit` samples of a signal in [start, end), oldest first; the qualities that are not plain good
SELECT array_send(array_agg(time)), array_send(array_agg(value)),
       array_send(array_agg(time) FILTER (WHERE quality <> 0)), array_send(array_agg(quality) FILTER (WHERE quality <> 0))
  FROM (SELECT time, value, quality FROM sample
         WHERE signal = %(signal)s AND time >= %(start)s AND time < %(end)s AND batch <= %(upto)s
         ORDER BY time LIMIT %(limit)s) AS ordered;

-- texts: every text of a signal in [start, end), oldest first, at most `limit`
SELECT batch, signal, time, text, quality, server_at, received_at
  FROM sample_text
 WHERE signal = %(signal)s AND time >= %(start)s AND time < %(end)s AND batch <= %(upto)s
 ORDER BY time LIMIT %(limit)s;

-- last: the newest sample of each signal
SELECT wanted.signal, newest.time, newest.value, newest.quality, newest.received_at
  FROM unnest(%(signals)s::int4[]) AS wanted (signal)
 CROSS JOIN LATERAL (SELECT * FROM sample WHERE sample.signal = wanted.signal ORDER BY time DESC LIMIT 1) AS newest;
