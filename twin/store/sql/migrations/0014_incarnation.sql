-- Which life of the store this is. A restore, or a standby that takes over, begins another one: what was receipted in the
-- former may be missing here, so receipts name it and the spools send again what they still have.
CREATE TABLE incarnation (
    one    bool PRIMARY KEY DEFAULT true CHECK (one),
    number int8 NOT NULL,  -- ever greater: µs since 1970 at its beginning; 0 before the first commit
    server text NOT NULL   -- the cluster and its timeline; '': the next commit begins another one
);
INSERT INTO incarnation (number, server) VALUES (0, '');

ALTER TABLE node_epoch ADD COLUMN changed_at timestamptz NOT NULL DEFAULT now();
