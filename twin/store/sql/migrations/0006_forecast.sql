-- Issued forecasts, each with its origin; later the truth beside it.

CREATE TABLE forecast (
    asset         text NOT NULL,
    by            text NOT NULL CHECK (by IN ('hour', 'shift', 'day', 'week')),
    origin_at     timestamptz NOT NULL,
    start_at      timestamptz NOT NULL,
    end_at        timestamptz NOT NULL,
    name          text NOT NULL,
    unit          text NOT NULL,
    centre        float8 NOT NULL,
    quantiles     float8[] NOT NULL,  -- at twin.forecast.issued.LEVELS
    adjusted_mean float8 NOT NULL,    -- with the fault risk at the origin
    adjusted      float8[] NOT NULL,
    naive_error   float8,             -- what the seasonal naive was wrong by, on average
    maturity      text NOT NULL,
    actual        float8,             -- null until it is known
    PRIMARY KEY (asset, by, origin_at, start_at),
    CHECK (start_at < end_at)
);
CREATE INDEX forecast_due ON forecast (end_at) WHERE actual IS NULL;
CREATE INDEX forecast_ended ON forecast (by, end_at) WHERE actual IS NOT NULL;
