-- What key figures are added up from: seconds and counts of one unit, for the stretch of an hour in which shift, day and
-- order stay the same. Remade as a whole when late samples come, or when a person says something else of an interval.
CREATE TABLE kpi_bucket (
    asset             text NOT NULL,
    start_at          timestamptz NOT NULL,
    end_at            timestamptz NOT NULL,
    hour_at           timestamptz NOT NULL,
    shift_at          timestamptz NOT NULL,
    day               date NOT NULL,
    shift             text NOT NULL,  -- '' outside every shift
    order_name        text NOT NULL,  -- '' = none
    production_s      float8 NOT NULL,
    setup_s           float8 NOT NULL,
    failure_s         float8 NOT NULL,
    minor_stop_s      float8 NOT NULL,
    delay_s           float8 NOT NULL,
    starved_s         float8 NOT NULL,
    blocked_s         float8 NOT NULL,
    idle_s            float8 NOT NULL,
    maintenance_s     float8 NOT NULL,
    planned_stop_s    float8 NOT NULL,
    unscheduled_s     float8 NOT NULL,
    unknown_s         float8 NOT NULL,
    busy_s            float8 NOT NULL,
    allocated_s       float8 NOT NULL,
    allocated_delay_s float8 NOT NULL,
    good              float8 NOT NULL,
    scrap             float8 NOT NULL,
    rework            float8 NOT NULL,
    moves             float8 NOT NULL,
    lifts             float8 NOT NULL,
    boxes             float8 NOT NULL,
    teu               float8 NOT NULL,
    rehandles         float8 NOT NULL,
    dual_moves        float8 NOT NULL,
    estimated         float8 NOT NULL,
    failures          float8 NOT NULL,
    minor_stops       float8 NOT NULL,
    cycles            float8 NOT NULL,
    cycle_s           float8 NOT NULL,
    slow_s            float8 NOT NULL,
    turns             float8 NOT NULL,
    turn_s            float8 NOT NULL,
    connected_s       float8 NOT NULL,
    excursions        float8 NOT NULL,
    excursion_s       float8 NOT NULL,
    cycle_p10_s       float8,
    cycle_median_s    float8,
    turn_times_s      float4[],
    PRIMARY KEY (asset, start_at)
);

-- The same added up per shift, so that a year answers at once.
CREATE TABLE kpi_shift (
    asset             text NOT NULL,
    shift_at          timestamptz NOT NULL,
    start_at          timestamptz NOT NULL,
    end_at            timestamptz NOT NULL,
    day               date NOT NULL,
    shift             text NOT NULL,
    production_s      float8 NOT NULL,
    setup_s           float8 NOT NULL,
    failure_s         float8 NOT NULL,
    minor_stop_s      float8 NOT NULL,
    delay_s           float8 NOT NULL,
    starved_s         float8 NOT NULL,
    blocked_s         float8 NOT NULL,
    idle_s            float8 NOT NULL,
    maintenance_s     float8 NOT NULL,
    planned_stop_s    float8 NOT NULL,
    unscheduled_s     float8 NOT NULL,
    unknown_s         float8 NOT NULL,
    busy_s            float8 NOT NULL,
    allocated_s       float8 NOT NULL,
    allocated_delay_s float8 NOT NULL,
    good              float8 NOT NULL,
    scrap             float8 NOT NULL,
    rework            float8 NOT NULL,
    moves             float8 NOT NULL,
    lifts             float8 NOT NULL,
    boxes             float8 NOT NULL,
    teu               float8 NOT NULL,
    rehandles         float8 NOT NULL,
    dual_moves        float8 NOT NULL,
    estimated         float8 NOT NULL,
    failures          float8 NOT NULL,
    minor_stops       float8 NOT NULL,
    cycles            float8 NOT NULL,
    cycle_s           float8 NOT NULL,
    slow_s            float8 NOT NULL,
    turns             float8 NOT NULL,
    turn_s            float8 NOT NULL,
    connected_s       float8 NOT NULL,
    excursions        float8 NOT NULL,
    excursion_s       float8 NOT NULL,
    PRIMARY KEY (asset, shift_at)
);

-- The counter rules' memory at the beginning of an hour: from there a late sample is counted anew.
CREATE TABLE counter_memory (
    signal int4 NOT NULL,
    at     timestamptz NOT NULL,
    hash   text NOT NULL,  -- of the layout and the rules
    memory bytea NOT NULL,
    PRIMARY KEY (signal, at)
);

-- What a person has said of an interval. Never changed, never deleted: the later row stands above the earlier one.
CREATE TABLE reclassification (
    id     int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asset  text NOT NULL,
    span   tstzrange NOT NULL,
    was    jsonb NOT NULL,  -- seconds per element before
    reason text NOT NULL,
    who    text NOT NULL,
    why    text NOT NULL,
    at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX reclassification_asset ON reclassification (asset, id);
