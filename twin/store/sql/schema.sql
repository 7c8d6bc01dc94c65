-- What the migrations make on the plain edition; written by tests/store/write_schema.py.

CREATE FUNCTION public.audited() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    after jsonb := to_jsonb(NEW);
    before jsonb := CASE TG_OP WHEN 'UPDATE' THEN to_jsonb(OLD) END;
    detail jsonb := after - '{password,digest}'::text[];
BEGIN
    IF after->>'password' IS DISTINCT FROM before->>'password' THEN
        detail := detail || '{"password": "set"}';
    END IF;
    INSERT INTO audit (who, how, address, request, what, target, detail)
    VALUES (coalesce(nullif(current_setting('fabriquay.who', true), ''), session_user::text),
            coalesce(nullif(current_setting('fabriquay.how', true), ''), 'database'),
            coalesce(current_setting('fabriquay.address', true), ''),
            coalesce(current_setting('fabriquay.request', true), ''),
            TG_ARGV[0] || CASE TG_OP WHEN 'INSERT' THEN '.added' ELSE '.changed' END,
            after->>TG_ARGV[1], detail);
    RETURN NULL;
END $$;

CREATE FUNCTION public.kept_for_ever() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% is kept for ever: rows are added, never changed', TG_TABLE_NAME;
END $$;

CREATE TABLE public.account (
    name text NOT NULL,
    password text NOT NULL,
    grants jsonb NOT NULL,
    is_initial boolean NOT NULL,
    disabled boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.alarm (
    id uuid NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    source text NOT NULL,
    asset text NOT NULL,
    scope text NOT NULL,
    priority smallint NOT NULL,
    phase text NOT NULL,
    announced boolean NOT NULL,
    raised_at timestamp with time zone,
    at timestamp with time zone NOT NULL,
    rule jsonb NOT NULL,
    state jsonb NOT NULL
);

CREATE TABLE public.alarm_transition (
    id bigint NOT NULL,
    alarm uuid NOT NULL,
    step integer NOT NULL,
    at timestamp with time zone NOT NULL,
    what text NOT NULL,
    phase text NOT NULL,
    occurrence integer NOT NULL,
    priority smallint NOT NULL,
    announced boolean NOT NULL,
    is_grouped boolean NOT NULL,
    value double precision,
    message text NOT NULL,
    operator text,
    comment text NOT NULL,
    action bigint,
    detail jsonb NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE public.alarm_transition ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.alarm_transition_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.answered_change (
    who text NOT NULL,
    key uuid NOT NULL,
    asked text NOT NULL,
    fingerprint text NOT NULL,
    status smallint NOT NULL,
    answer text NOT NULL,
    location text NOT NULL,
    shown_once boolean NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.api_key (
    id text NOT NULL,
    title text NOT NULL,
    digest bytea NOT NULL,
    grants jsonb NOT NULL,
    made_by text NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone
);

CREATE TABLE public.audit (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    who text NOT NULL,
    how text NOT NULL,
    address text NOT NULL,
    request text NOT NULL,
    what text NOT NULL,
    target text NOT NULL,
    detail jsonb NOT NULL
);

ALTER TABLE public.audit ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE SEQUENCE public.batch_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE public.batch (
    seq bigint DEFAULT nextval('public.batch_seq'::regclass) NOT NULL,
    node text NOT NULL,
    epoch uuid,
    number bigint NOT NULL,
    lane smallint NOT NULL,
    rows integer NOT NULL,
    texts integer NOT NULL,
    first_at timestamp with time zone,
    last_at timestamp with time zone,
    committed_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.counter_memory (
    signal integer NOT NULL,
    at timestamp with time zone NOT NULL,
    hash text NOT NULL,
    memory bytea NOT NULL
);

CREATE TABLE public.finding (
    id uuid NOT NULL,
    asset text NOT NULL,
    signal text NOT NULL,
    detector text NOT NULL,
    since_at timestamp with time zone NOT NULL,
    until_at timestamp with time zone,
    score double precision NOT NULL,
    message text NOT NULL,
    seq bigint NOT NULL,
    p double precision,
    expected_per_day double precision,
    centre double precision,
    spread double precision,
    contributions jsonb DEFAULT '[]'::jsonb NOT NULL,
    regime text DEFAULT ''::text NOT NULL,
    model text DEFAULT ''::text NOT NULL,
    earlier uuid
);

CREATE TABLE public.forecast (
    asset text NOT NULL,
    by text NOT NULL,
    origin_at timestamp with time zone NOT NULL,
    start_at timestamp with time zone NOT NULL,
    end_at timestamp with time zone NOT NULL,
    name text NOT NULL,
    unit text NOT NULL,
    centre double precision NOT NULL,
    quantiles double precision[] NOT NULL,
    adjusted_mean double precision NOT NULL,
    adjusted double precision[] NOT NULL,
    naive_error double precision,
    maturity text NOT NULL,
    actual double precision,
    CONSTRAINT forecast_by_check CHECK ((by = ANY (ARRAY['hour'::text, 'shift'::text, 'day'::text, 'week'::text]))),
    CONSTRAINT forecast_check CHECK ((start_at < end_at))
);

CREATE TABLE public.gap (
    id bigint NOT NULL,
    signal integer NOT NULL,
    span tstzrange NOT NULL,
    cause text NOT NULL,
    detail text NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    batch bigint NOT NULL,
    CONSTRAINT gap_state_check CHECK ((state = ANY (ARRAY['open'::text, 'backfilled'::text, 'lost'::text])))
);

ALTER TABLE public.gap ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.gap_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.gateway (
    node text NOT NULL,
    status jsonb NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.incarnation (
    one boolean DEFAULT true NOT NULL,
    number bigint NOT NULL,
    server text NOT NULL,
    CONSTRAINT incarnation_one_check CHECK (one)
);

CREATE TABLE public.job (
    name text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    outcome text NOT NULL,
    detail text NOT NULL,
    next_at timestamp with time zone NOT NULL,
    CONSTRAINT job_outcome_check CHECK ((outcome = ANY (ARRAY['running'::text, 'done'::text, 'later'::text, 'refused'::text])))
);

CREATE TABLE public.kpi_bucket (
    asset text NOT NULL,
    start_at timestamp with time zone NOT NULL,
    end_at timestamp with time zone NOT NULL,
    hour_at timestamp with time zone NOT NULL,
    shift_at timestamp with time zone NOT NULL,
    day date NOT NULL,
    shift text NOT NULL,
    order_name text NOT NULL,
    production_s double precision NOT NULL,
    setup_s double precision NOT NULL,
    failure_s double precision NOT NULL,
    minor_stop_s double precision NOT NULL,
    delay_s double precision NOT NULL,
    starved_s double precision NOT NULL,
    blocked_s double precision NOT NULL,
    idle_s double precision NOT NULL,
    maintenance_s double precision NOT NULL,
    planned_stop_s double precision NOT NULL,
    unscheduled_s double precision NOT NULL,
    unknown_s double precision NOT NULL,
    busy_s double precision NOT NULL,
    allocated_s double precision NOT NULL,
    allocated_delay_s double precision NOT NULL,
    good double precision NOT NULL,
    scrap double precision NOT NULL,
    rework double precision NOT NULL,
    moves double precision NOT NULL,
    lifts double precision NOT NULL,
    boxes double precision NOT NULL,
    teu double precision NOT NULL,
    rehandles double precision NOT NULL,
    dual_moves double precision NOT NULL,
    estimated double precision NOT NULL,
    failures double precision NOT NULL,
    minor_stops double precision NOT NULL,
    cycles double precision NOT NULL,
    cycle_s double precision NOT NULL,
    slow_s double precision NOT NULL,
    turns double precision NOT NULL,
    turn_s double precision NOT NULL,
    connected_s double precision NOT NULL,
    excursions double precision NOT NULL,
    excursion_s double precision NOT NULL,
    cycle_p10_s double precision,
    cycle_median_s double precision,
    turn_times_s real[]
);

CREATE TABLE public.kpi_shift (
    asset text NOT NULL,
    shift_at timestamp with time zone NOT NULL,
    start_at timestamp with time zone NOT NULL,
    end_at timestamp with time zone NOT NULL,
    day date NOT NULL,
    shift text NOT NULL,
    production_s double precision NOT NULL,
    setup_s double precision NOT NULL,
    failure_s double precision NOT NULL,
    minor_stop_s double precision NOT NULL,
    delay_s double precision NOT NULL,
    starved_s double precision NOT NULL,
    blocked_s double precision NOT NULL,
    idle_s double precision NOT NULL,
    maintenance_s double precision NOT NULL,
    planned_stop_s double precision NOT NULL,
    unscheduled_s double precision NOT NULL,
    unknown_s double precision NOT NULL,
    busy_s double precision NOT NULL,
    allocated_s double precision NOT NULL,
    allocated_delay_s double precision NOT NULL,
    good double precision NOT NULL,
    scrap double precision NOT NULL,
    rework double precision NOT NULL,
    moves double precision NOT NULL,
    lifts double precision NOT NULL,
    boxes double precision NOT NULL,
    teu double precision NOT NULL,
    rehandles double precision NOT NULL,
    dual_moves double precision NOT NULL,
    estimated double precision NOT NULL,
    failures double precision NOT NULL,
    minor_stops double precision NOT NULL,
    cycles double precision NOT NULL,
    cycle_s double precision NOT NULL,
    slow_s double precision NOT NULL,
    turns double precision NOT NULL,
    turn_s double precision NOT NULL,
    connected_s double precision NOT NULL,
    excursions double precision NOT NULL,
    excursion_s double precision NOT NULL
);

CREATE TABLE public.maintenance_event (
    id uuid NOT NULL,
    asset text NOT NULL,
    at timestamp with time zone NOT NULL,
    until_at timestamp with time zone,
    kind text NOT NULL,
    component text NOT NULL,
    comment text NOT NULL,
    source text NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT maintenance_event_check CHECK ((until_at >= at)),
    CONSTRAINT maintenance_event_kind_check CHECK ((kind = ANY (ARRAY['failure'::text, 'repair'::text, 'preventive'::text, 'inspection'::text])))
);

CREATE TABLE public.migration (
    number integer NOT NULL,
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.model (
    kind text NOT NULL,
    subject text NOT NULL,
    version integer NOT NULL,
    fitted_at timestamp with time zone NOT NULL,
    trained_from timestamp with time zone NOT NULL,
    trained_to timestamp with time zone NOT NULL,
    params bytea NOT NULL,
    hash text GENERATED ALWAYS AS (encode(sha256(params), 'hex'::text)) STORED NOT NULL,
    report jsonb NOT NULL,
    state text NOT NULL,
    CONSTRAINT model_check CHECK ((trained_from <= trained_to)),
    CONSTRAINT model_state_check CHECK ((state = ANY (ARRAY['champion'::text, 'challenger'::text, 'retired'::text]))),
    CONSTRAINT model_version_check CHECK ((version > 0))
);

CREATE TABLE public.node_epoch (
    node text NOT NULL,
    epoch uuid NOT NULL,
    committed int8multirange DEFAULT '{}'::int8multirange NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.node_schema (
    node text NOT NULL,
    hash text NOT NULL,
    document bytea NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.notification (
    id bigint NOT NULL,
    transition bigint NOT NULL,
    target text NOT NULL,
    reason text NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    outcome text NOT NULL
);

ALTER TABLE public.notification ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.notification_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.operator_action (
    id bigint NOT NULL,
    key uuid NOT NULL,
    kind text NOT NULL,
    target text NOT NULL,
    operator text NOT NULL,
    comment text NOT NULL,
    at timestamp with time zone NOT NULL,
    detail jsonb NOT NULL
);

CREATE TABLE public.plant (
    revision text NOT NULL,
    enterprise text NOT NULL,
    registered_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.reclassification (
    id bigint NOT NULL,
    asset text NOT NULL,
    span tstzrange NOT NULL,
    was jsonb NOT NULL,
    reason text NOT NULL,
    who text NOT NULL,
    why text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE public.reclassification ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.reclassification_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.rejected (
    id bigint NOT NULL,
    rejected_at timestamp with time zone DEFAULT now() NOT NULL,
    node text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    signal_path text,
    "time" timestamp with time zone,
    value_text text
);

ALTER TABLE public.rejected ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rejected_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.remaining_life (
    asset text NOT NULL,
    at timestamp with time zone NOT NULL,
    hours double precision NOT NULL,
    low double precision NOT NULL,
    high double precision NOT NULL,
    cap double precision NOT NULL,
    failures integer NOT NULL,
    model integer NOT NULL,
    CONSTRAINT remaining_life_check CHECK ((low <= hours)),
    CONSTRAINT remaining_life_check1 CHECK ((high >= hours))
);

CREATE TABLE public.retention (
    tier text NOT NULL,
    kind text NOT NULL,
    kept_from timestamp with time zone NOT NULL
);

CREATE TABLE public.risk (
    asset text NOT NULL,
    at timestamp with time zone NOT NULL,
    horizon_h double precision NOT NULL,
    p double precision,
    low double precision,
    high double precision,
    basis text NOT NULL,
    failures integer NOT NULL,
    reasons jsonb NOT NULL,
    model integer,
    CONSTRAINT risk_basis_check CHECK ((basis = ANY (ARRAY['calibrated'::text, 'uncalibrated prior'::text, 'insufficient data'::text, 'out of service'::text]))),
    CONSTRAINT risk_check CHECK ((low <= p)),
    CONSTRAINT risk_check1 CHECK ((high >= p)),
    CONSTRAINT risk_check2 CHECK ((((p IS NULL) = (basis = ANY (ARRAY['insufficient data'::text, 'out of service'::text]))) AND ((p IS NULL) = (low IS NULL)) AND ((p IS NULL) = (high IS NULL)))),
    CONSTRAINT risk_horizon_h_check CHECK ((horizon_h > (0)::double precision)),
    CONSTRAINT risk_p_check CHECK (((p >= (0)::double precision) AND (p <= (1)::double precision)))
);

CREATE TABLE public.rollup_day (
    start_at timestamp with time zone NOT NULL,
    low double precision,
    high double precision,
    mean double precision,
    first double precision,
    last double precision,
    covered_s double precision NOT NULL,
    signal integer NOT NULL,
    samples integer NOT NULL,
    good integer NOT NULL
);

CREATE TABLE public.rollup_hour (
    start_at timestamp with time zone NOT NULL,
    low double precision,
    high double precision,
    mean double precision,
    first double precision,
    last double precision,
    covered_s double precision NOT NULL,
    signal integer NOT NULL,
    samples integer NOT NULL,
    good integer NOT NULL
);

CREATE TABLE public.rollup_minute (
    start_at timestamp with time zone NOT NULL,
    low double precision,
    high double precision,
    mean double precision,
    first double precision,
    last double precision,
    covered_s double precision NOT NULL,
    signal integer NOT NULL,
    samples integer NOT NULL,
    good integer NOT NULL
)
PARTITION BY RANGE (start_at);

CREATE TABLE public.sample (
    "time" timestamp with time zone NOT NULL,
    value double precision NOT NULL,
    server_at timestamp with time zone,
    received_at timestamp with time zone NOT NULL,
    batch bigint NOT NULL,
    signal integer NOT NULL,
    quality smallint NOT NULL
)
PARTITION BY RANGE ("time");

CREATE TABLE public.sample_text (
    "time" timestamp with time zone NOT NULL,
    server_at timestamp with time zone,
    received_at timestamp with time zone NOT NULL,
    batch bigint NOT NULL,
    signal integer NOT NULL,
    quality smallint NOT NULL,
    text text NOT NULL
);

CREATE TABLE public.scenario (
    id uuid NOT NULL,
    asked_at timestamp with time zone DEFAULT now() NOT NULL,
    question jsonb NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    phase text DEFAULT ''::text NOT NULL,
    done integer DEFAULT 0 NOT NULL,
    total integer NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    held_until timestamp with time zone,
    base_at timestamp with time zone,
    ended_at timestamp with time zone,
    seconds double precision DEFAULT 0 NOT NULL,
    detail text DEFAULT ''::text NOT NULL,
    answer jsonb,
    CONSTRAINT scenario_check CHECK (((answer IS NOT NULL) = (state = 'done'::text))),
    CONSTRAINT scenario_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'running'::text, 'done'::text, 'failed'::text])))
);

CREATE TABLE public.session (
    digest bytea NOT NULL,
    name text NOT NULL,
    account text,
    grants jsonb,
    address text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    used_at timestamp with time zone DEFAULT now() NOT NULL,
    ends_at timestamp with time zone NOT NULL
);

CREATE TABLE public.sign_in_failure (
    name text NOT NULL,
    failures integer NOT NULL,
    failed_at timestamp with time zone DEFAULT now() NOT NULL,
    locked_until timestamp with time zone
);

CREATE TABLE public.signal (
    id integer NOT NULL,
    path text NOT NULL,
    kind text NOT NULL,
    unit text NOT NULL,
    revision text NOT NULL
);

ALTER TABLE public.signal ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.signal_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.snapshot (
    key text NOT NULL,
    seq bigint NOT NULL,
    state bytea NOT NULL,
    saved_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.transition (
    asset text NOT NULL,
    at timestamp with time zone NOT NULL,
    code integer NOT NULL,
    name text NOT NULL,
    category text NOT NULL,
    seq bigint NOT NULL
);

CREATE TABLE public.watermark (
    key text NOT NULL,
    seq bigint NOT NULL
);

ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.alarm
    ADD CONSTRAINT alarm_key_key UNIQUE (key);

ALTER TABLE ONLY public.alarm
    ADD CONSTRAINT alarm_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.alarm_transition
    ADD CONSTRAINT alarm_transition_alarm_step_key UNIQUE (alarm, step);

ALTER TABLE ONLY public.alarm_transition
    ADD CONSTRAINT alarm_transition_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.answered_change
    ADD CONSTRAINT answered_change_pkey PRIMARY KEY (who, key);

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.batch
    ADD CONSTRAINT batch_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY public.counter_memory
    ADD CONSTRAINT counter_memory_pkey PRIMARY KEY (signal, at);

ALTER TABLE ONLY public.finding
    ADD CONSTRAINT finding_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.forecast
    ADD CONSTRAINT forecast_pkey PRIMARY KEY (asset, by, origin_at, start_at);

ALTER TABLE ONLY public.gap
    ADD CONSTRAINT gap_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.gap
    ADD CONSTRAINT gap_signal_span_cause_key UNIQUE (signal, span, cause);

ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT gateway_pkey PRIMARY KEY (node);

ALTER TABLE ONLY public.incarnation
    ADD CONSTRAINT incarnation_pkey PRIMARY KEY (one);

ALTER TABLE ONLY public.job
    ADD CONSTRAINT job_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.kpi_bucket
    ADD CONSTRAINT kpi_bucket_pkey PRIMARY KEY (asset, start_at);

ALTER TABLE ONLY public.kpi_shift
    ADD CONSTRAINT kpi_shift_pkey PRIMARY KEY (asset, shift_at);

ALTER TABLE ONLY public.maintenance_event
    ADD CONSTRAINT maintenance_event_asset_at_kind_component_key UNIQUE (asset, at, kind, component);

ALTER TABLE ONLY public.maintenance_event
    ADD CONSTRAINT maintenance_event_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (number);

ALTER TABLE ONLY public.model
    ADD CONSTRAINT model_pkey PRIMARY KEY (kind, subject, version);

ALTER TABLE ONLY public.node_epoch
    ADD CONSTRAINT node_epoch_pkey PRIMARY KEY (node, epoch);

ALTER TABLE ONLY public.node_schema
    ADD CONSTRAINT node_schema_pkey PRIMARY KEY (node, hash);

ALTER TABLE ONLY public.notification
    ADD CONSTRAINT notification_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.notification
    ADD CONSTRAINT notification_transition_target_reason_key UNIQUE (transition, target, reason);

ALTER TABLE ONLY public.operator_action
    ADD CONSTRAINT operator_action_key_key UNIQUE (key);

ALTER TABLE ONLY public.operator_action
    ADD CONSTRAINT operator_action_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.plant
    ADD CONSTRAINT plant_pkey PRIMARY KEY (revision);

ALTER TABLE ONLY public.reclassification
    ADD CONSTRAINT reclassification_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.rejected
    ADD CONSTRAINT rejected_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.remaining_life
    ADD CONSTRAINT remaining_life_pkey PRIMARY KEY (asset, at);

ALTER TABLE ONLY public.retention
    ADD CONSTRAINT retention_pkey PRIMARY KEY (tier, kind);

ALTER TABLE ONLY public.risk
    ADD CONSTRAINT risk_pkey PRIMARY KEY (asset, at, horizon_h);

ALTER TABLE ONLY public.rollup_day
    ADD CONSTRAINT rollup_day_pkey PRIMARY KEY (signal, start_at);

ALTER TABLE ONLY public.rollup_hour
    ADD CONSTRAINT rollup_hour_pkey PRIMARY KEY (signal, start_at);

ALTER TABLE ONLY public.rollup_minute
    ADD CONSTRAINT rollup_minute_pkey PRIMARY KEY (signal, start_at);

ALTER TABLE ONLY public.sample
    ADD CONSTRAINT sample_pkey PRIMARY KEY (signal, "time");

ALTER TABLE ONLY public.sample_text
    ADD CONSTRAINT sample_text_pkey PRIMARY KEY (signal, "time");

ALTER TABLE ONLY public.scenario
    ADD CONSTRAINT scenario_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY public.sign_in_failure
    ADD CONSTRAINT sign_in_failure_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.signal
    ADD CONSTRAINT signal_path_key UNIQUE (path);

ALTER TABLE ONLY public.signal
    ADD CONSTRAINT signal_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.snapshot
    ADD CONSTRAINT snapshot_pkey PRIMARY KEY (key);

ALTER TABLE ONLY public.transition
    ADD CONSTRAINT transition_pkey PRIMARY KEY (asset, at);

ALTER TABLE ONLY public.watermark
    ADD CONSTRAINT watermark_pkey PRIMARY KEY (key);

CREATE UNIQUE INDEX account_lower_name ON public.account USING btree (lower(name));

CREATE INDEX alarm_at ON public.alarm USING btree (at, id);

CREATE INDEX alarm_transition_at ON public.alarm_transition USING btree (at);

CREATE INDEX answered_change_at ON public.answered_change USING btree (at);

CREATE UNIQUE INDEX api_key_title ON public.api_key USING btree (title) WHERE (revoked_at IS NULL);

CREATE INDEX audit_who ON public.audit USING btree (who, id);

CREATE INDEX batch_committed_at ON public.batch USING btree (committed_at);

CREATE INDEX finding_asset ON public.finding USING btree (asset, since_at);

CREATE INDEX finding_open ON public.finding USING btree (since_at) WHERE (until_at IS NULL);

CREATE INDEX forecast_due ON public.forecast USING btree (end_at) WHERE (actual IS NULL);

CREATE INDEX forecast_ended ON public.forecast USING btree (by, end_at) WHERE (actual IS NOT NULL);

CREATE INDEX maintenance_event_at ON public.maintenance_event USING btree (at);

CREATE UNIQUE INDEX model_champion ON public.model USING btree (kind, subject) WHERE (state = 'champion'::text);

CREATE INDEX operator_action_target ON public.operator_action USING btree (target, id);

CREATE INDEX reclassification_asset ON public.reclassification USING btree (asset, id);

CREATE INDEX rejected_node_time ON public.rejected USING btree (node, rejected_at);

CREATE INDEX remaining_life_at ON public.remaining_life USING btree (at);

CREATE INDEX risk_at ON public.risk USING btree (at);

CREATE INDEX sample_batch ON ONLY public.sample USING brin (batch) WITH (pages_per_range='16');

CREATE INDEX sample_text_batch ON public.sample_text USING btree (batch);

CREATE INDEX scenario_asked ON public.scenario USING btree (asked_at DESC, id);

CREATE INDEX scenario_open ON public.scenario USING btree (asked_at) WHERE (state = ANY (ARRAY['waiting'::text, 'running'::text]));

CREATE INDEX session_account ON public.session USING btree (account);

CREATE INDEX session_ends_at ON public.session USING btree (ends_at);

CREATE INDEX sign_in_failure_failed_at ON public.sign_in_failure USING btree (failed_at);

CREATE TRIGGER account_audited AFTER INSERT OR UPDATE ON public.account FOR EACH ROW EXECUTE FUNCTION public.audited('user', 'name');

CREATE TRIGGER alarm_transition_kept BEFORE DELETE OR UPDATE OR TRUNCATE ON public.alarm_transition FOR EACH STATEMENT EXECUTE FUNCTION public.kept_for_ever();

CREATE TRIGGER api_key_audited AFTER INSERT OR UPDATE ON public.api_key FOR EACH ROW EXECUTE FUNCTION public.audited('key', 'title');

CREATE TRIGGER audit_kept BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit FOR EACH STATEMENT EXECUTE FUNCTION public.kept_for_ever();

CREATE TRIGGER maintenance_event_audited AFTER INSERT ON public.maintenance_event FOR EACH ROW EXECUTE FUNCTION public.audited('maintenance', 'asset');

CREATE TRIGGER operator_action_audited AFTER INSERT ON public.operator_action FOR EACH ROW EXECUTE FUNCTION public.audited('action', 'target');

CREATE TRIGGER operator_action_kept BEFORE DELETE OR UPDATE OR TRUNCATE ON public.operator_action FOR EACH STATEMENT EXECUTE FUNCTION public.kept_for_ever();

CREATE TRIGGER reclassification_audited AFTER INSERT ON public.reclassification FOR EACH ROW EXECUTE FUNCTION public.audited('interval', 'asset');

CREATE TRIGGER scenario_audited AFTER INSERT ON public.scenario FOR EACH ROW EXECUTE FUNCTION public.audited('scenario', 'id');

ALTER TABLE ONLY public.alarm_transition
    ADD CONSTRAINT alarm_transition_action_fkey FOREIGN KEY (action) REFERENCES public.operator_action(id);

ALTER TABLE ONLY public.alarm_transition
    ADD CONSTRAINT alarm_transition_alarm_fkey FOREIGN KEY (alarm) REFERENCES public.alarm(id);

ALTER TABLE ONLY public.notification
    ADD CONSTRAINT notification_transition_fkey FOREIGN KEY (transition) REFERENCES public.alarm_transition(id);

ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_account_fkey FOREIGN KEY (account) REFERENCES public.account(name);

ALTER TABLE ONLY public.signal
    ADD CONSTRAINT signal_revision_fkey FOREIGN KEY (revision) REFERENCES public.plant(revision);
