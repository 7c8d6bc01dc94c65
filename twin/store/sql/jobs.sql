-- claim: take the turn of a job when it is due; no row when it is not
INSERT INTO job (name, started_at, outcome, detail, next_at)
VALUES (%(name)s, %(now)s, 'running', '', %(free)s)
    ON CONFLICT (name) DO UPDATE
   SET started_at = EXCLUDED.started_at, ended_at = NULL, outcome = 'running', detail = '', next_at = EXCLUDED.next_at
 WHERE %(at_once)s OR job.next_at <= EXCLUDED.started_at
RETURNING name;

-- due: when the next turn of a job is due
SELECT next_at FROM job WHERE name = %(name)s;

-- ended: what became of a turn
UPDATE job
   SET started_at = %(started)s, ended_at = %(ended)s, outcome = %(outcome)s, detail = %(detail)s, next_at = %(next)s
 WHERE name = %(name)s;

-- list: the last turn of every job
SELECT name, started_at, ended_at, outcome, detail, next_at FROM job ORDER BY name;
