-- lock: one commit at a time, so that seq follows the order of commits; held to the end of the transaction
SELECT pg_advisory_xact_lock(%(lock)s);

-- committed: the committed numbers of some epochs
SELECT node, replace(epoch::text, '-', ''), committed
  FROM node_epoch JOIN unnest(%(nodes)s::text[], %(epochs)s::uuid[]) AS wanted (node, epoch) USING (node, epoch)
   FOR UPDATE OF node_epoch;

-- add_numbers: more committed numbers of one epoch, and all of them back
INSERT INTO node_epoch AS known (node, epoch, committed)
VALUES (%(node)s, %(epoch)s::uuid, %(numbers)s::int8multirange)
    ON CONFLICT (node, epoch) DO UPDATE SET committed = known.committed + EXCLUDED.committed, changed_at = now()
RETURNING committed;

-- next_seqs: as many batch numbers as asked for
SELECT nextval('batch_seq') FROM generate_series(1, %(count)s);

-- add_batch: the row of one batch
INSERT INTO batch (seq, node, epoch, number, lane, rows, texts, first_at, last_at)
VALUES (%(seq)s, %(node)s, %(epoch)s::uuid, %(number)s, %(lane)s, %(rows)s, %(texts)s, %(first_at)s, %(last_at)s);

-- copy: the fast way into the table
COPY sample (time, value, received_at, batch, signal, quality, server_at) FROM STDIN (FORMAT binary);

-- make_stage: where rows wait whose keys may be there already
CREATE TEMPORARY TABLE stage (
    time timestamptz NOT NULL, value float8 NOT NULL, server_at timestamptz, received_at timestamptz NOT NULL,
    batch int8 NOT NULL, signal int4 NOT NULL, quality int2 NOT NULL
) ON COMMIT DROP;

-- copy_stage: the same columns as copy
COPY stage (time, value, received_at, batch, signal, quality, server_at) FROM STDIN (FORMAT binary);

-- merge_stage: what is new goes into the table; the keys of those rows come back
WITH inserted AS (
    INSERT INTO sample (time, value, server_at, received_at, batch, signal, quality)
    SELECT time, value, server_at, received_at, batch, signal, quality FROM stage ORDER BY signal, time
        ON CONFLICT (signal, time) DO NOTHING
    RETURNING signal, time
)
SELECT array_send(array_agg(signal)), array_send(array_agg(time)) FROM inserted;

-- add_texts: what is new goes into the table; the keys of those rows come back
INSERT INTO sample_text (time, server_at, received_at, batch, signal, quality, text)
SELECT * FROM unnest(%(time)s::timestamptz[], %(server_at)s::timestamptz[], %(received_at)s::timestamptz[],
                     %(batch)s::int8[], %(signal)s::int4[], %(quality)s::int2[], %(text)s::text[])
    ON CONFLICT (signal, time) DO NOTHING
RETURNING signal, time;

-- add_gap: one entry of the gap ledger; told again, an open one gets its final state, in whatever order both come
INSERT INTO gap AS known (signal, span, cause, detail, state, batch)
VALUES (%(signal)s, tstzrange(%(from_at)s, %(to_at)s), %(cause)s, %(detail)s, %(state)s, %(batch)s)
    ON CONFLICT (signal, span, cause) DO UPDATE SET state = EXCLUDED.state, detail = EXCLUDED.detail
                                      WHERE known.state = 'open' AND EXCLUDED.state <> 'open';

-- add_rejected: one input that was not admitted
INSERT INTO rejected (node, reason, detail, signal_path, time, value_text)
VALUES (%(node)s, %(reason)s, %(detail)s, %(signal_path)s, %(time)s, %(value_text)s);
