-- lock: one at a time gives out versions of a subject
SELECT pg_advisory_xact_lock(hashtextextended(%(kind)s || '|' || %(subject)s, 0));

-- save: a new version, as a challenger
INSERT INTO model (kind, subject, version, fitted_at, trained_from, trained_to, params, report, state)
SELECT %(kind)s, %(subject)s, coalesce(max(version), 0) + 1, %(fitted_at)s, %(trained_from)s, %(trained_to)s,
       %(params)s, %(report)s, 'challenger'
  FROM model WHERE kind = %(kind)s AND subject = %(subject)s
RETURNING version;

-- there: whether a version exists
SELECT 1 FROM model WHERE kind = %(kind)s AND subject = %(subject)s AND version = %(version)s FOR UPDATE;

-- retire: the champion, and every challenger that is not newer than the coming champion
UPDATE model SET state = 'retired'
 WHERE kind = %(kind)s AND subject = %(subject)s AND version <> %(version)s
   AND (state = 'champion' OR (state = 'challenger' AND version < %(version)s));

-- crown: this version is used from now on
UPDATE model SET state = 'champion'
 WHERE kind = %(kind)s AND subject = %(subject)s AND version = %(version)s;

-- dismiss: a challenger that was tried and did not win
UPDATE model SET state = 'retired'
 WHERE kind = %(kind)s AND subject = %(subject)s AND version = %(version)s AND state = 'challenger';

-- champions: the model in use of every subject of a kind, or of one
SELECT kind, subject, version, fitted_at, trained_from, trained_to, params, hash, report, state
  FROM model WHERE kind = %(kind)s AND state = 'champion' AND (%(subject)s::text IS NULL OR subject = %(subject)s)
 ORDER BY subject;

-- versions: of the models in use of a kind
SELECT subject, version FROM model WHERE kind = %(kind)s AND state = 'champion' ORDER BY subject;

-- history: every version, the newest first, without its parameters
SELECT kind, subject, version, fitted_at, trained_from, trained_to, ''::bytea, hash, report, state
  FROM model WHERE kind = %(kind)s AND (%(subject)s::text IS NULL OR subject = %(subject)s)
 ORDER BY subject, version DESC LIMIT %(limit)s;

-- trim: forget retired versions behind the newest ones of each subject
DELETE FROM model
 USING (SELECT kind, subject, version, row_number() OVER (PARTITION BY kind, subject ORDER BY version DESC) AS place
          FROM model WHERE state = 'retired') AS old
 WHERE model.kind = old.kind AND model.subject = old.subject AND model.version = old.version
   AND old.place > %(keep)s;
