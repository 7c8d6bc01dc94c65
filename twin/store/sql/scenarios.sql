-- lock: one process at a time counts the waiting ones
SELECT pg_advisory_xact_lock(hashtextextended('scenario', 0));

-- waiting: how many have not begun
SELECT count(*) FROM scenario WHERE state = 'waiting';

-- add: a question
INSERT INTO scenario (id, question, total) VALUES (%(id)s, %(question)s, %(total)s)
RETURNING id, asked_at, question, state, phase, done, total, base_at, seconds, detail;

-- trim: all but the newest are forgotten, unless somebody still waits for them
DELETE FROM scenario
 WHERE id IN (SELECT id FROM scenario ORDER BY asked_at DESC, id OFFSET %(keep)s) AND state IN ('done', 'failed');

-- claim: the oldest one that nobody works at
UPDATE scenario
   SET state = 'running', attempts = attempts + 1, done = 0, phase = '',
       held_until = now() + make_interval(secs => %(hold_s)s)
 WHERE id = (SELECT id FROM scenario
              WHERE state = 'waiting' OR state = 'running' AND held_until < now()
              ORDER BY asked_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, question, attempts;

-- progress: how far it is; no row when another process has it
UPDATE scenario
   SET done = %(done)s, total = %(total)s, phase = %(phase)s, base_at = coalesce(%(base_at)s, base_at),
       held_until = now() + make_interval(secs => %(hold_s)s)
 WHERE id = %(id)s AND state = 'running' AND attempts = %(attempt)s
RETURNING id;

-- finish: with an answer, or a reason why there is none
UPDATE scenario
   SET state = %(state)s, phase = '', done = CASE WHEN %(state)s = 'done' THEN total ELSE done END, ended_at = now(),
       held_until = NULL, base_at = coalesce(%(base_at)s, base_at), seconds = %(seconds)s, detail = %(detail)s,
       answer = %(answer)s
 WHERE id = %(id)s AND state = 'running' AND attempts = %(attempt)s;

-- list: the newest, without their answers
SELECT id, asked_at, question, state, phase, done, total, base_at, seconds, detail
  FROM scenario
 WHERE %(roots)s::text[] IS NULL OR EXISTS (
       SELECT FROM unnest(%(roots)s::text[]) AS root
        WHERE question->>'under' = root OR starts_with(question->>'under', root || '/'))
 ORDER BY asked_at DESC, id LIMIT %(limit)s;

-- find: one of them
SELECT id, asked_at, question, state, phase, done, total, base_at, seconds, detail FROM scenario WHERE id = %(id)s;

-- answer: what the simulator said
SELECT answer FROM scenario WHERE id = %(id)s;
