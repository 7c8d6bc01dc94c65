"""Writes twin/store/sql/schema.sql from the migrations: python -m tests.store.write_schema."""

import asyncio

from tests import servers
from tests.store.test_migrate import SCHEMA, dump, migrate

if __name__ == "__main__":
    with servers.postgres() as server:
        asyncio.run(migrate(server.dsn))
        SCHEMA.write_text(dump(server.dsn))
