"""What the database can do: community, apache or plain. Found once at start-up and logged.

community  TimescaleDB with everything (columnstore, continuous aggregates, policies)
apache     TimescaleDB's hypertables and time_bucket
plain      PostgreSQL with native partitions by day
"""

import logging
from enum import StrEnum
from typing import Any

from psycopg import AsyncConnection

LOCK = 0x46425145  # "FBQE"
_log = logging.getLogger(__name__)

_FIND = """
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') AS installed,
       EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
           AND EXISTS (SELECT FROM pg_settings  -- which leaves out what this user may not read
                       WHERE name = 'shared_preload_libraries'
                         AND 'timescaledb' = ANY (string_to_array(replace(setting, ' ', ''), ',')))
           AS offered,
       (SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass('sample')) AS partitioned,
       current_setting('server_version') AS server
"""


class Edition(StrEnum):
    """Which database this is."""

    COMMUNITY = "community"
    APACHE = "apache"
    PLAIN = "plain"

    @property
    def dialect(self) -> str:
        """The suffix of SQL files that differ: ``timescale`` or ``plain``."""
        return "plain" if self is Edition.PLAIN else "timescale"


async def find_edition(connection: AsyncConnection[Any]) -> Edition:
    """Look once. Tables that exist decide; a new database takes TimescaleDB when its server has it loaded."""
    ((installed, offered, partitioned, server),) = await (await connection.execute(_FIND)).fetchall()
    edition = Edition.PLAIN
    if not partitioned and (installed or offered):
        if not installed:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
                await connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        # The setting is there once the extension is.
        ((license_name,),) = await (await connection.execute("SHOW timescaledb.license")).fetchall()
        edition = Edition.APACHE if license_name == "apache" else Edition.COMMUNITY
    _log.info("the store is PostgreSQL %s, edition %s", server, edition)
    return edition
