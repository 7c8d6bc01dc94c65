"""A database per test, cloned from a migrated template; every test runs on each edition."""

import asyncio
import os
import uuid
from contextlib import contextmanager

import psycopg
import pytest

from tests import servers
from twin.store.connect import open_store

TEMPLATE = "template_fabriquay"


def in_database(dsn, name):
    return psycopg.conninfo.make_conninfo(dsn, dbname=name)


@contextmanager
def administration(dsn):
    with psycopg.connect(in_database(dsn, "postgres"), autocommit=True) as connection:
        yield connection


async def _migrate(dsn):
    async with open_store(dsn):
        pass


@pytest.fixture(scope="session")
def plain_server():
    with servers.postgres() as server:
        yield server


@pytest.fixture(scope="session")
def apache_server():
    with servers.timescale() as server:
        yield server


EDITIONS = ["plain", "apache"] + ["community"] * ("FABRIQUAY_TEST_DSN" in os.environ)


@pytest.fixture(scope="session", params=EDITIONS)
def server_dsn(request):
    """The address of a server; databases `template_fabriquay` (migrated) and `postgres` are in it."""
    if request.param == "community":
        return os.environ["FABRIQUAY_TEST_DSN"]
    dsn = request.getfixturevalue(f"{request.param}_server").dsn
    with administration(dsn) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    asyncio.run(_migrate(in_database(dsn, TEMPLATE)))
    return dsn


@pytest.fixture
def edition(request, server_dsn):
    """plain, apache or community: what the server of this test is."""
    return request.node.callspec.params["server_dsn"]


@pytest.fixture
def empty_dsn(server_dsn):
    """A new database without any table."""
    yield from _database(server_dsn, "template1")


@pytest.fixture
def dsn(server_dsn, edition):
    """A new database with the schema in it (a community server's schedulers would hold a template: migrate there)."""
    yield from _database(server_dsn, "template1" if edition == "community" else TEMPLATE)


def _database(server_dsn, template):
    name = f"test_{uuid.uuid4().hex[:16]}"
    with administration(server_dsn) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield in_database(server_dsn, name)
    with administration(server_dsn) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def store(dsn):
    async with open_store(dsn) as opened:
        yield opened
