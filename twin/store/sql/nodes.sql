-- save_schema: what the handles of a node mean
INSERT INTO node_schema (node, hash, document) VALUES (%(node)s, %(hash)s, %(document)s) ON CONFLICT DO NOTHING;

-- schema: one schema
SELECT document FROM node_schema WHERE node = %(node)s AND hash = %(hash)s;

-- schemas: all of them, oldest first
SELECT document FROM node_schema ORDER BY seen_at, node, hash;

-- receipts: what is committed of every epoch of every node; of each node its newest epoch last
SELECT node, replace(epoch::text, '-', ''), committed FROM node_epoch ORDER BY node, changed_at, epoch;
