"""The only reasons for which a test may be skipped. Anything else that is skipped fails a run in CI."""

ALLOWED_SKIPS = {
    "systemd-analyze": "systemd-analyze is not installed: the unit file is not verified",
    "TimescaleDB community": "FABRIQUAY_TEST_DSN names no PostgreSQL with TimescaleDB's community edition",
}
