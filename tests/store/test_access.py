"""Rights and audit as the database itself keeps them: the api's role, triggers, what nobody can change."""

import uuid

import psycopg
import pytest

from twin.access.grants import By, Grant, Role, parse_grants
from twin.access.secrets import new_key
from twin.state.alarm_model import ActionKind
from twin.store.accounts import Lock
from twin.store.actions import Order
from twin.store.audit import AuditFilter
from twin.store.connect import open_store

KIM = By("Kim", "session", "10.0.0.7", "r-1")
ORDER = Order(uuid.uuid4(), ActionKind.NEW_NORMAL, "factory", 1, "Kim", "repaired", {})


async def test_the_apis_role_reads_everything_writes_what_people_say_and_no_sample(dsn):
    async with open_store(dsn, role="fabriquay_api") as store:
        async with store.database.connection() as connection:
            ((user,),) = await (await connection.execute("SELECT current_user")).fetchall()
            tables = await (
                await connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            ).fetchall()
            for (table,) in tables:
                await connection.execute(f"SELECT count(*) FROM {table}")
            for forbidden in (
                "INSERT INTO sample (signal, time, value) VALUES (1, now(), 1)",
                "UPDATE sample SET value = 0",
                "DELETE FROM sample",
                "DELETE FROM alarm_transition",
                "DELETE FROM account",
                "UPDATE audit SET who = 'somebody else'",
                "CREATE TABLE own (a int)",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    await connection.execute(forbidden)
        assert user == "fabriquay_api"
        await store.actions.add(ORDER, KIM)
        assert await store.accounts.add("Kim", "hash", parse_grants(["engineer:factory"]), KIM)
        made = new_key()
        assert await store.keys.add(made.id, made.digest, "k", [Grant(Role.VIEWER)], 1, KIM)
        await store.sessions.add(b"digest", "Kim", "::1", 60)
        found = await store.sessions.find(b"digest", 60)
        assert found.grants == (Grant(Role.ENGINEER, "factory"),)
        await store.accounts.failed("Kim", Lock(1, 60))
        assert 58 < await store.accounts.locked_s("KIM") <= 60
        await store.accounts.succeeded("kim")
        assert await store.accounts.locked_s("Kim") == 0


async def test_every_change_stands_in_the_audit_with_whoever_made_it(dsn):
    async with open_store(dsn) as store:
        await store.accounts.add("Lee", "argon2 hash", parse_grants(["viewer"]), KIM)
        await store.accounts.change("Lee", KIM, disabled=True)
        await store.actions.add(ORDER)  # by whoever is at the database
        beside, changed, added = await store.audit.page(AuditFilter(), 10)
    assert (added.what, added.target, added.by) == ("user.added", "Lee", KIM)
    assert added.detail["password"] == "set"
    assert (changed.what, changed.detail["disabled"]) == ("user.changed", True)
    assert "password" not in changed.detail
    assert (beside.what, beside.by.how) == ("action.added", "database")
    assert beside.by.who


async def test_nobody_changes_or_deletes_what_stands_in_the_audit(dsn):
    async with open_store(dsn) as store:
        await store.audit.add(KIM, "session.opened", "Kim")
    with psycopg.connect(dsn, autocommit=True) as connection:
        for change in ("UPDATE audit SET who = 'Lee'", "DELETE FROM audit", "TRUNCATE audit"):
            with pytest.raises(psycopg.errors.RaiseException, match="kept for ever"):
                connection.execute(change)


async def test_a_change_that_is_undone_leaves_nothing_in_the_audit(dsn):
    async with open_store(dsn) as store:

        async def undone():
            async with store.database.transaction(KIM) as connection:
                await connection.execute(
                    "INSERT INTO account (name, password, grants, is_initial) VALUES ('x', 'y', '[]', true)"
                )
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await undone()
        assert await store.audit.page(AuditFilter(), 10) == []


async def test_a_session_ends_when_it_is_unused_too_old_or_its_user_is_disabled(dsn):
    async with open_store(dsn) as store:
        await store.accounts.add("Kim", "hash", parse_grants(["viewer"]), KIM)
        for digest in (b"one", b"two", b"three"):
            await store.sessions.add(digest, "Kim", "::1", 3600)
        async with store.database.connection() as connection:
            await connection.execute("UPDATE session SET used_at = now() - interval '2 h' WHERE digest = 'one'")
            await connection.execute("UPDATE session SET ends_at = now() WHERE digest = 'two'")
        assert [await store.sessions.find(one, 3600) is not None for one in (b"one", b"two", b"three")] == [
            False,
            False,
            True,
        ]
        await store.accounts.change("Kim", KIM, disabled=True)
        assert await store.sessions.find(b"three", 3600) is None
        await store.sessions.add(b"sso", "kim@example.com", "::1", 60, parse_grants(["planner"]))
        assert (await store.sessions.find(b"sso", 60)).grants == (Grant(Role.PLANNER),)


async def test_a_user_of_its_own_needs_no_more_than_the_role(dsn):
    """As docs/reference/access.md says: a login in the role, after the owner has migrated."""
    name = f"login_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret' IN ROLE fabriquay_api")
    try:
        own = psycopg.conninfo.make_conninfo(dsn, user=name, password="secret")
        async with open_store(own, role="fabriquay_api") as store:
            await store.actions.add(ORDER, KIM)
            assert await store.plants.signal_ids() == {}
    finally:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"DROP ROLE {name}")
