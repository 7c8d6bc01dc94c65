-- What planners have asked the simulator, how far it is, and what it said.

CREATE TABLE scenario (
    id          uuid PRIMARY KEY,
    asked_at    timestamptz NOT NULL DEFAULT now(),
    question    jsonb NOT NULL,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    phase       text NOT NULL DEFAULT '',
    done        int4 NOT NULL DEFAULT 0,
    total       int4 NOT NULL,
    attempts    int2 NOT NULL DEFAULT 0,
    held_until  timestamptz,  -- by the process that works at it; later anybody may
    base_at     timestamptz,  -- the state of the plant from which it starts
    ended_at    timestamptz,
    seconds     float8 NOT NULL DEFAULT 0,
    detail      text NOT NULL DEFAULT '',
    answer      jsonb,
    CHECK ((answer IS NOT NULL) = (state = 'done'))
);
CREATE INDEX scenario_asked ON scenario (asked_at DESC, id);
CREATE INDEX scenario_open ON scenario (asked_at) WHERE state IN ('waiting', 'running');
