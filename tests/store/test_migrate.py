"""Migrations: from nothing to schema.sql, once, whoever starts first."""

import asyncio
import re
import subprocess
from pathlib import Path

import psycopg
import pytest

from twin.errors import ConfigError
from twin.store.connect import open_store
from twin.store.edition import Edition
from twin.store.embedded_files import find_programs
from twin.store.migrate import migrations

SCHEMA = Path(__file__).parents[2] / "twin" / "store" / "sql" / "schema.sql"


def catalogue(dsn):
    """Columns, constraints and indexes as the database sees them, without partitions and chunks."""
    queries = (
        """SELECT table_name, column_name, data_type, is_nullable, column_default
             FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2""",
        """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
             FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
        """SELECT tablename, indexname, replace(indexdef, 'ONLY ', '')
             FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2""",
    )
    with psycopg.connect(dsn) as connection:
        return [connection.execute(query).fetchall() for query in queries]


async def migrate(dsn):
    async with open_store(dsn) as store:
        return store.edition


async def test_an_empty_database_becomes_the_edition_that_its_server_offers(empty_dsn, edition):
    assert await migrate(empty_dsn) == Edition(edition)


async def test_migrating_again_changes_nothing(empty_dsn):
    await migrate(empty_dsn)
    before = catalogue(empty_dsn)
    await migrate(empty_dsn)
    assert catalogue(empty_dsn) == before


async def test_processes_that_start_at_once_migrate_once(empty_dsn, edition):
    await asyncio.gather(*(migrate(empty_dsn) for _ in range(6)))
    with psycopg.connect(empty_dsn) as connection:
        found = connection.execute("SELECT name FROM migration ORDER BY number").fetchall()
    assert [name for (name,) in found] == [step.name for step in migrations(Edition(edition))]


async def test_every_edition_ends_with_the_same_tables(empty_dsn, plain_server):
    await migrate(empty_dsn)
    with psycopg.connect(plain_server.dsn, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS reference")
        connection.execute("CREATE DATABASE reference")
    reference = psycopg.conninfo.make_conninfo(plain_server.dsn, dbname="reference")
    await migrate(reference)
    for ours, theirs in zip(catalogue(empty_dsn), catalogue(reference), strict=True):
        # PostgreSQL 18 lists NOT NULL among the constraints, 17 does not
        assert _without_not_null(ours) == _without_not_null(theirs)


def _without_not_null(rows):
    return [row for row in rows if not str(row[-1]).startswith("NOT NULL")]


async def test_schema_sql_is_what_the_migrations_make(plain_server):
    name = "schema_sql"
    with psycopg.connect(plain_server.dsn, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(f"CREATE DATABASE {name}")
    dsn = psycopg.conninfo.make_conninfo(plain_server.dsn, dbname=name)
    await migrate(dsn)
    assert SCHEMA.read_text() == dump(dsn), "run: python -m tests.store.write_schema"


def dump(dsn):
    """pg_dump without what differs from one run or version to the next."""
    command = [find_programs() / "pg_dump", "--schema-only", "--no-owner", "--no-privileges", dsn]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line for line in text.splitlines() if not re.match(r"--|SET |SELECT pg_catalog|\\", line)]
    body = re.sub(r"\n{2,}", "\n\n", "\n".join(lines)).strip()
    return f"-- What the migrations make on the plain edition; written by tests/store/write_schema.py.\n\n{body}\n"


async def test_a_database_of_a_newer_program_is_refused(dsn):
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO migration (number, name) VALUES (9999, '9999_future')")
    with pytest.raises(ConfigError, match="install the newer program"):
        await migrate(dsn)
