"""What contract tests share: Mosquitto (MQTT 5), amqtt (3.1.1 only) and a PostgreSQL, each a process of its own."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
import pytest
import pytest_asyncio

from tests import servers
from tests.servers import Broker, amqtt, mosquitto

if TYPE_CHECKING:
    from twin.store.connect import Store

TEMPLATE = "template_plant"


@dataclass(frozen=True)
class Database:
    """A database with the schema and the plant's signals in it."""

    dsn: str


@pytest.fixture(scope="package")
def mosquitto_broker() -> Iterator[Broker]:
    with mosquitto("allow_anonymous true\nmax_queued_messages 100000\nmax_inflight_messages 200") as broker:
        yield broker


@pytest.fixture(scope="package")
def amqtt_broker() -> Iterator[Broker]:
    with amqtt() as broker:
        yield broker


@pytest.fixture(params=["mosquitto", "amqtt"])
def broker(request: pytest.FixtureRequest) -> Broker:
    return request.getfixturevalue(f"{request.param}_broker")


@pytest.fixture(scope="package")
def postgres_dsn() -> Iterator[str]:
    """The address of a server with a database that is cloned for each module."""
    from tests.contract.api_samples import register  # the whole api: not for modules without a database

    with servers.postgres() as server:
        template = _named(server.dsn, TEMPLATE)
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {TEMPLATE}")
        asyncio.run(register(template))
        yield server.dsn


@pytest.fixture(scope="module")
def database(postgres_dsn: str) -> Database:
    """The module's own."""
    return _cloned(postgres_dsn)


@pytest_asyncio.fixture
async def store(database: Database) -> "AsyncGenerator[Store]":
    """The module's database, opened for the test."""
    from twin.store.connect import open_store

    async with open_store(database.dsn) as opened:
        yield opened


@pytest.fixture
def own_database(postgres_dsn: str) -> Database:
    """The test's own."""
    return _cloned(postgres_dsn)


def _cloned(postgres_dsn: str) -> Database:
    name = f"test_{uuid.uuid4().hex[:16]}"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    return Database(_named(postgres_dsn, name))


def _named(dsn: str, name: str) -> str:
    return psycopg.conninfo.make_conninfo(dsn, dbname=name)
