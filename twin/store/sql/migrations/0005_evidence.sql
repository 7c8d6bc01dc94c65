-- Why a finding should be believed: probability, baseline, contributions, and the finding before it.
ALTER TABLE finding
    ADD COLUMN p float8,
    ADD COLUMN expected_per_day float8,
    ADD COLUMN centre float8,
    ADD COLUMN spread float8,
    ADD COLUMN contributions jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN regime text NOT NULL DEFAULT '',
    ADD COLUMN model text NOT NULL DEFAULT '',
    ADD COLUMN earlier uuid;
