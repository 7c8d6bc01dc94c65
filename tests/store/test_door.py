"""The door to the database: which error is whose."""

import psycopg
import pytest

from tests import servers
from twin.errors import ConfigError, Retryable
from twin.store.connect import open_store
from twin.store.database import open_database


async def opened(dsn):
    async with open_store(dsn, wait_s=1) as store:
        await store.ping()


@pytest.mark.parametrize(
    ("change", "problem"),
    [({"password": "wrong"}, "password authentication failed"), ({"dbname": "nowhere"}, "does not exist")],
)
async def test_what_a_person_must_mend_is_a_config_error_without_the_password(plain_server, change, problem):
    with pytest.raises(ConfigError, match=problem) as caught:
        await opened(psycopg.conninfo.make_conninfo(plain_server.dsn, **change))
    assert "wrong" not in str(caught.value)


async def test_a_server_that_is_away_is_retryable():
    with pytest.raises(Retryable, match="is away"):
        await opened(f"postgresql://x@127.0.0.1:{servers.free_port()}/x")


async def test_nonsense_is_no_address():
    with pytest.raises(ConfigError, match="not a database address"):
        await opened("what=is this")


async def test_a_user_without_rights_is_told_so(dsn):
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS guest")
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    with pytest.raises(ConfigError, match="denies access"):
        await opened(psycopg.conninfo.make_conninfo(dsn, user="guest", password="guest"))


async def test_a_statement_that_takes_too_long_is_retryable(dsn):
    async with open_database(dsn, statement_timeout_s=0.05) as database:
        with pytest.raises(Retryable, match="statement timeout"):
            await slow(database)


async def slow(database):
    async with database.connection() as connection:
        await connection.execute("SELECT pg_sleep(5)")


async def test_a_mistake_in_a_query_is_a_bug_and_stays_one(store):
    with pytest.raises(psycopg.errors.SyntaxError):
        async with store.database.connection() as connection:
            await connection.execute("SELEC")
