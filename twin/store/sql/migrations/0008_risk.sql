-- Maintenance that people or other systems tell of, and what the risk of a fault was said to be.

CREATE TABLE maintenance_event (
    id          uuid PRIMARY KEY,
    asset       text NOT NULL,
    at          timestamptz NOT NULL,
    until_at    timestamptz CHECK (until_at >= at),
    kind        text NOT NULL CHECK (kind IN ('failure', 'repair', 'preventive', 'inspection')),
    component   text NOT NULL,
    comment     text NOT NULL,
    source      text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (asset, at, kind, component)
);
CREATE INDEX maintenance_event_at ON maintenance_event (at);

-- Without enough data there is a row, and no number in it.
CREATE TABLE risk (
    asset     text NOT NULL,
    at        timestamptz NOT NULL,
    horizon_h float8 NOT NULL CHECK (horizon_h > 0),
    p         float8 CHECK (p BETWEEN 0 AND 1),
    low       float8 CHECK (low <= p),
    high      float8 CHECK (high >= p),
    basis     text NOT NULL CHECK (basis IN ('calibrated', 'uncalibrated prior', 'insufficient data', 'out of service')),
    failures  int4 NOT NULL,
    reasons   jsonb NOT NULL,
    model     int4,  -- version of the risk model of the asset's type
    PRIMARY KEY (asset, at, horizon_h),
    CHECK ((p IS NULL) = (basis IN ('insufficient data', 'out of service')) AND (p IS NULL) = (low IS NULL) AND (p IS NULL) = (high IS NULL))
);

CREATE INDEX risk_at ON risk (at);

CREATE TABLE remaining_life (
    asset    text NOT NULL,
    at       timestamptz NOT NULL,
    hours    float8 NOT NULL,
    low      float8 NOT NULL CHECK (low <= hours),
    high     float8 NOT NULL CHECK (high >= hours),
    cap      float8 NOT NULL,
    failures int4 NOT NULL,
    model    int4 NOT NULL,
    PRIMARY KEY (asset, at)
);
CREATE INDEX remaining_life_at ON remaining_life (at);
