-- add: what no table shows, e.g. a log-in
INSERT INTO audit (who, how, address, request, what, target, detail)
VALUES (%(who)s, %(how)s, %(address)s, %(request)s, %(what)s, %(target)s, %(detail)s);

-- page: the newest first
SELECT id, at, who, how, address, request, what, target, detail FROM audit
 WHERE (%(before)s::int8 IS NULL OR id < %(before)s) AND (%(who)s::text IS NULL OR who = %(who)s)
   AND (%(what)s::text IS NULL OR what = %(what)s OR starts_with(what, %(what)s || '.'))
   AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
 ORDER BY id DESC LIMIT %(limit)s;
