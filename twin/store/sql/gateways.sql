-- upsert: the last report of a node
INSERT INTO gateway (node, status) VALUES (%(node)s, %(status)s)
    ON CONFLICT (node) DO UPDATE SET status = EXCLUDED.status, updated_at = now();

-- list: the last report of every node
SELECT node, status, updated_at FROM gateway ORDER BY node;
