"""Brings a database's schema up to date: numbered forward migrations, each in its own transaction.

In: a connection. Out: the names that were applied. One advisory lock lets any number of processes start at once.
``NNNN_name.sql`` runs on every edition, ``NNNN_name.plain.sql`` or ``NNNN_name.timescale.sql`` on one dialect.
"""

import logging
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, LiteralString, cast

from psycopg import AsyncConnection

from twin.errors import ConfigError
from twin.store.edition import Edition

LOCK = 0x46425159  # "FBQY"
_log = logging.getLogger(__name__)

_JOURNAL = """
CREATE TABLE IF NOT EXISTS migration (
    number     int4 PRIMARY KEY,
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step forward."""

    number: int
    name: str
    sql: LiteralString


def migrations(edition: Edition) -> list[Migration]:
    """All steps of this edition in order."""
    found: list[Migration] = []
    for file in files("twin.store").joinpath("sql", "migrations").iterdir():
        stem, *dialect = file.name.removesuffix(".sql").split(".")
        if file.name.endswith(".sql") and (not dialect or dialect == [edition.dialect]):
            text = cast("LiteralString", file.read_text(encoding="utf-8"))
            found.append(Migration(int(stem.split("_", 1)[0]), stem, text))
    found.sort(key=lambda step: step.number)
    if [step.number for step in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"the migrations of {edition} are not numbered 1, 2, 3 …")
    return found


async def migrate(connection: AsyncConnection[Any], edition: Edition) -> list[str]:
    """Apply what is missing on an autocommit connection; nothing is written when nothing is missing.

    Raises:
        ConfigError: the database was written by a newer version of this program.
    """
    steps = migrations(edition)
    if await applied(connection) == len(steps):
        return []
    await connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    try:
        return await _apply(connection, steps)
    finally:
        if not connection.broken:
            await connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


async def _apply(connection: AsyncConnection[Any], steps: list[Migration]) -> list[str]:
    await connection.execute(_JOURNAL)
    done = await applied(connection)
    if done > len(steps):
        raise ConfigError(
            f"the database's schema has number {done}, this program knows {len(steps)}; install the newer program"
        )
    for step in steps[done:]:
        async with connection.transaction():
            await connection.execute(step.sql)
            await connection.execute("INSERT INTO migration (number, name) VALUES (%s, %s)", [step.number, step.name])
        _log.info("migrated the store: %s", step.name)
    return [step.name for step in steps[done:]]


async def applied(connection: AsyncConnection[Any]) -> int:
    """The number of the last migration that was applied."""
    ((there,),) = await (await connection.execute("SELECT to_regclass('migration') IS NOT NULL")).fetchall()
    if not there:
        return 0
    ((number,),) = await (await connection.execute("SELECT coalesce(max(number), 0) FROM migration")).fetchall()
    return number
