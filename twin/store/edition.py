"""What the database can do: community, apache or plain. Found once at start-up and logged.

community  TimescaleDB with everything (columnstore, continuous aggregates, policies)
apache     TimescaleDB's hypertables and time_bucket
plain      PostgreSQL with native partitions by day
"""

import logging
from enum import StrEnum
from typing import Any

from psycopg import AsyncConnection

_log = logging.getLogger(__name__)

_FIND = """
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') AS installed,
       EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
           AND 'timescaledb' = ANY (string_to_array(replace(current_setting('shared_preload_libraries'), ' ', ''), ','))
           AS offered,
       (SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass('sample')) AS partitioned,
       current_setting('timescaledb.license', true) AS license,
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
    """Look once. Tables that exist decide; a new database takes TimescaleDB when the server has it loaded."""
    ((installed, offered, partitioned, license_name, server),) = await (await connection.execute(_FIND)).fetchall()
    if partitioned or not (installed or offered):
        edition = Edition.PLAIN
    else:
        edition = Edition.APACHE if license_name == "apache" else Edition.COMMUNITY
    _log.info("the store is PostgreSQL %s, edition %s", server, edition)
    return edition
