"""The only reasons for which a test may be skipped. Anything else that is skipped fails a run in CI."""

ALLOWED_SKIPS = {
    "TimescaleDB community": "FABRIQUAY_TEST_DSN names no PostgreSQL with TimescaleDB's community edition",
}
