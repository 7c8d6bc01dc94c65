-- lock: one at a time with this key of this caller, until the transaction ends
SELECT pg_advisory_xact_lock(%(lock)s, hashtext(%(who)s || ' ' || %(key)s::uuid::text));

-- find: what was answered
SELECT asked, fingerprint, status, answer, location, shown_once, at FROM answered_change
 WHERE who = %(who)s AND key = %(key)s;

-- keep: an answer
INSERT INTO answered_change (who, key, asked, fingerprint, status, answer, location, shown_once)
VALUES (%(who)s, %(key)s, %(asked)s, %(fingerprint)s, %(status)s, %(answer)s, %(location)s, %(shown_once)s);

-- forget_old: nobody tries again after so long
DELETE FROM answered_change WHERE at < now() - make_interval(days => %(days)s);
