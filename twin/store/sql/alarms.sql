-- put_alarm: an alarm as it stands now
INSERT INTO alarm (id, key, kind, name, source, asset, scope, priority, phase, announced, raised_at, at, rule, state)
VALUES (%(id)s, %(key)s, %(kind)s, %(name)s, %(source)s, %(asset)s, %(scope)s, %(priority)s, %(phase)s, %(announced)s,
        %(raised_at)s, %(at)s, %(rule)s, %(state)s)
    ON CONFLICT (id) DO UPDATE
   SET priority = EXCLUDED.priority, phase = EXCLUDED.phase, announced = EXCLUDED.announced, asset = EXCLUDED.asset,
       scope = EXCLUDED.scope, raised_at = EXCLUDED.raised_at, at = EXCLUDED.at, rule = EXCLUDED.rule,
       state = EXCLUDED.state;

-- add_transition: a step in the life of an alarm; the same step again changes nothing
INSERT INTO alarm_transition (alarm, step, at, what, phase, occurrence, priority, announced, is_grouped, value, message,
                              operator, comment, action, detail)
VALUES (%(alarm)s, %(step)s, %(at)s, %(what)s, %(phase)s, %(occurrence)s, %(priority)s, %(announced)s, %(is_grouped)s,
        %(value)s, %(message)s, %(operator)s, %(comment)s, %(action)s, %(detail)s)
    ON CONFLICT (alarm, step) DO NOTHING;

-- put_rest: what is remembered beside the alarms, and up to which batch
INSERT INTO snapshot (key, seq, state) VALUES ('alarms', %(seq)s, %(state)s)
    ON CONFLICT (key) DO UPDATE SET seq = EXCLUDED.seq, state = EXCLUDED.state, saved_at = now();

-- rest: of the last write
SELECT seq, state FROM snapshot WHERE key = 'alarms';

-- states: every alarm
SELECT state FROM alarm ORDER BY key;

-- tell: wake whoever waits for transitions
SELECT pg_notify('fabriquay_alarm', '');

-- list: alarms by filter, the most urgent and newest first; a page begins behind (rank, at, id)
SELECT id, rule, state, at FROM alarm
 WHERE (%(phases)s::text[] IS NULL OR phase = ANY(%(phases)s))
   AND (%(announced)s::bool IS NULL OR announced = %(announced)s)
   AND (%(shelved)s::bool IS NULL OR (state->'shelf' <> 'null') = %(shelved)s)
   AND (%(suppressed)s::bool IS NULL OR (state->'suppressed' <> '[]') = %(suppressed)s)
   AND priority >= %(priority)s
   AND (%(under)s::text IS NULL OR source = %(under)s OR starts_with(source, %(under)s || '/'))
   AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
   AND (%(before_at)s::timestamptz IS NULL
        OR (priority, at, id) < (%(before_priority)s, %(before_at)s, %(before_id)s::uuid))
 ORDER BY priority DESC, at DESC, id DESC LIMIT %(limit)s;

-- one: an alarm
SELECT id, rule, state, at FROM alarm WHERE id = %(id)s;

-- history: all steps of an alarm, oldest first
SELECT id, alarm, step, at, what, phase, occurrence, priority, announced, message, value, is_grouped, operator, comment,
       action, detail
  FROM alarm_transition WHERE alarm = %(id)s ORDER BY step LIMIT %(limit)s;

-- after: transitions behind an id, oldest first, with their alarm
SELECT t.id, t.alarm, step, t.at, what, t.phase, occurrence, t.priority, t.announced, message, value, is_grouped,
       operator, comment, action, detail, rule
  FROM alarm_transition t JOIN alarm a ON a.id = t.alarm WHERE t.id > %(after)s ORDER BY t.id LIMIT %(limit)s;

-- newest: id of the last transition
SELECT coalesce(max(id), 0) FROM alarm_transition;

-- standing_at: how each alarm that was not normal at an instant stood then, with when it was last raised; at and below a path
SELECT t.id, t.alarm, step, t.at, what, t.phase, occurrence, t.priority, t.announced, message, value, is_grouped,
       operator, comment, action, detail, rule,
       (SELECT max(r.at) FROM alarm_transition r WHERE r.alarm = t.alarm AND r.step <= t.step AND r.what = 'raised')
  FROM (SELECT DISTINCT ON (alarm) * FROM alarm_transition WHERE at <= %(at)s ORDER BY alarm, step DESC) t
  JOIN alarm a ON a.id = t.alarm
 WHERE t.phase <> 'normal'
   AND (%(under)s::text IS NULL OR source = %(under)s OR starts_with(source, %(under)s || '/'))
 ORDER BY t.announced DESC, t.priority DESC, t.at DESC, t.id LIMIT %(limit)s;

-- between: transitions in [start, end) at and below a path, oldest first, with their alarm
SELECT t.id, t.alarm, step, t.at, what, t.phase, occurrence, t.priority, t.announced, message, value, is_grouped,
       operator, comment, action, detail, rule
  FROM alarm_transition t JOIN alarm a ON a.id = t.alarm
 WHERE t.at >= %(start)s AND t.at < %(end)s
   AND (%(under)s::text IS NULL OR source = %(under)s OR starts_with(source, %(under)s || '/'))
 ORDER BY t.at, t.id LIMIT %(limit)s;

-- called_false: the findings of the alarms that were judged in [start, end), where the last verdict says so
SELECT finding FROM (
    SELECT DISTINCT ON (judged.alarm, judged.detail->>'occurrence')
           raised.detail->>'finding' AS finding, judged.detail->>'verdict' AS verdict
      FROM alarm_transition judged
      JOIN alarm_transition raised
        ON raised.alarm = judged.alarm AND raised.what = 'raised'
       AND raised.occurrence = (judged.detail->>'occurrence')::int
     WHERE judged.what = 'judged' AND judged.at >= %(start)s AND judged.at < %(end)s
     ORDER BY judged.alarm, judged.detail->>'occurrence', judged.step DESC) AS last
 WHERE verdict = 'false' AND finding IS NOT NULL;
