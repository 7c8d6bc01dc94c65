-- add: a user
INSERT INTO account (name, password, grants, is_initial) VALUES (%(name)s, %(password)s, %(grants)s, %(is_initial)s)
    ON CONFLICT DO NOTHING RETURNING name, grants, is_initial, disabled, created_at;

-- one: a user, by name in any case
SELECT name, grants, is_initial, disabled, created_at, password FROM account WHERE lower(name) = lower(%(name)s);

-- all: every user
SELECT name, grants, is_initial, disabled, created_at FROM account ORDER BY lower(name);

-- change: grants or whether they may sign in; null leaves it
UPDATE account SET grants = coalesce(%(grants)s, grants), disabled = coalesce(%(disabled)s, disabled)
 WHERE name = %(name)s RETURNING name, grants, is_initial, disabled, created_at;

-- set_password: of a user
UPDATE account SET password = %(password)s, is_initial = %(is_initial)s WHERE name = %(name)s RETURNING name;

-- failure: of a name that is not locked
SELECT failures, extract(epoch FROM locked_until - now())::float8 FROM sign_in_failure WHERE name = lower(%(name)s);

-- failed: once more in a row; from `attempts` on the name is locked, each time for twice as long, at most an hour
INSERT INTO sign_in_failure AS f (name, failures, locked_until)
VALUES (lower(%(name)s), 1, CASE WHEN %(attempts)s <= 1 THEN now() + make_interval(secs => %(lock_s)s) END)
    ON CONFLICT (name) DO UPDATE
   SET failures = f.failures + 1, failed_at = now(),
       locked_until = CASE WHEN f.failures + 1 >= %(attempts)s THEN now() + make_interval(secs =>
           least(%(lock_s)s * power(2, least(f.failures + 1 - %(attempts)s, 20)), greatest(%(lock_s)s, 3600)))
       END
RETURNING failures;

-- forget_old: failures of yesterday
DELETE FROM sign_in_failure WHERE failed_at < now() - interval '1 day';

-- succeeded: nothing is held against a name any more
DELETE FROM sign_in_failure WHERE name = lower(%(name)s);
