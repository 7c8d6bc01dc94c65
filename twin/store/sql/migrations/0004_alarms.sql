-- Alarms: what operators did, what became of each alarm, how each stands now, and whom a notification reached.

CREATE FUNCTION kept_for_ever() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is kept for ever: rows are added, never changed', TG_TABLE_NAME;
END $$;

-- Ids follow the order of the commits: whoever has seen id n has missed nothing below n.
CREATE TABLE operator_action (
    id       int8 PRIMARY KEY,
    key      uuid NOT NULL UNIQUE,  -- chosen by the client: the same key is the same action
    kind     text NOT NULL,
    target   text NOT NULL,         -- an alarm's id, an action's id, or a path
    operator text NOT NULL,
    comment  text NOT NULL,
    at       timestamptz NOT NULL,
    detail   jsonb NOT NULL
);
CREATE INDEX operator_action_target ON operator_action (target, id);
CREATE TRIGGER operator_action_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON operator_action
   FOR EACH STATEMENT EXECUTE FUNCTION kept_for_ever();

-- The state of every alarm that ever had a condition; remade from nothing but kept for the next start and for the api.
CREATE TABLE alarm (
    id        uuid PRIMARY KEY,
    key       text NOT NULL UNIQUE,
    kind      text NOT NULL,
    name      text NOT NULL,
    source    text NOT NULL,
    asset     text NOT NULL,
    scope     text NOT NULL,
    priority  int2 NOT NULL,  -- 0 low … 3 critical
    phase     text NOT NULL,
    announced bool NOT NULL,
    raised_at timestamptz,
    at        timestamptz NOT NULL,  -- of the last transition
    rule      jsonb NOT NULL,
    state     jsonb NOT NULL
);
CREATE INDEX alarm_at ON alarm (at, id);

CREATE TABLE alarm_transition (
    id          int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alarm       uuid NOT NULL REFERENCES alarm,
    step        int4 NOT NULL,
    at          timestamptz NOT NULL,
    what        text NOT NULL,
    phase       text NOT NULL,
    occurrence  int4 NOT NULL,
    priority    int2 NOT NULL,
    announced   bool NOT NULL,
    is_grouped  bool NOT NULL,
    value       float8,
    message     text NOT NULL,
    operator    text,
    comment     text NOT NULL,
    action      int8 REFERENCES operator_action,
    detail      jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (alarm, step)
);
CREATE INDEX alarm_transition_at ON alarm_transition (at);
CREATE TRIGGER alarm_transition_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON alarm_transition
   FOR EACH STATEMENT EXECUTE FUNCTION kept_for_ever();

-- What was sent to whom; a transition is told to a target once per reason.
CREATE TABLE notification (
    id         int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transition int8 NOT NULL REFERENCES alarm_transition,
    target     text NOT NULL,
    reason     text NOT NULL,  -- new, escalated, grouped
    sent_at    timestamptz NOT NULL,
    outcome    text NOT NULL,  -- sent, or why not
    UNIQUE (transition, target, reason)
);
