-- save: the state of a judge after batch seq; an older one never replaces a newer one
INSERT INTO snapshot (key, seq, state) VALUES (%(key)s, %(seq)s, %(state)s)
    ON CONFLICT (key) DO UPDATE SET seq = EXCLUDED.seq, state = EXCLUDED.state, saved_at = now()
 WHERE snapshot.seq <= EXCLUDED.seq;

-- load: the last saved state
SELECT seq, state FROM snapshot WHERE key = %(key)s;
