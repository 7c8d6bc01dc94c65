"""Notification through Apprise to a real SMTP server and a real webhook, from alarms in a real store."""

import asyncio
import email
import email.policy
import json
import time
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import pytest_asyncio

from tests.contract.alarm_samples import alarms
from tests.contract.api_server import PLANT, until
from twin.notify.door import Targets
from twin.notify.run import run_notify
from twin.notify.settings import NotifySettings
from twin.plant.load import load_plant
from twin.state.alarm_model import ActionKind
from twin.store.actions import Order
from twin.store.connect import open_store

MIN = 60 * 10**9


class Mailbox:
    """An SMTP server that keeps what it is given."""

    def __init__(self):
        self.messages = []

    async def serve(self, reader, writer):
        async def say(text):
            writer.write(text.encode() + b"\r\n")
            await writer.drain()

        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await say("220 mailbox")
            while command := (await reader.readline()).decode().strip():
                word = command.split()[0].upper()
                if word == "DATA":
                    await say("354 go on")
                    data = (await reader.readuntil(b"\r\n.\r\n"))[:-5]
                    self.messages.append(email.message_from_bytes(data, policy=email.policy.default))
                await say("221 bye" if word == "QUIT" else "250 ok")
                if word == "QUIT":
                    break
        writer.close()


class Webhook:
    """An HTTP server that keeps what is posted, once it is no longer out of order."""

    def __init__(self):
        self.posts, self.refused, self.broken = [], 0, False

    async def serve(self, reader, writer):
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(int(line.split(":")[1]) for line in head.lower().splitlines() if "content-length" in line)
            body = json.loads(await reader.readexactly(length))
            if self.broken:
                self.refused += 1
            else:
                self.posts.append(body)
            status = "503 Service Unavailable" if self.broken else "200 OK"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()


@asynccontextmanager
async def listening(what):
    server = await asyncio.start_server(what.serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest_asyncio.fixture
async def store(database):
    async with open_store(database.dsn) as opened:
        async with opened.database.connection() as connection:
            await connection.execute("SET session_replication_role = replica")
            await connection.execute("DELETE FROM notification; DELETE FROM alarm_transition; DELETE FROM alarm")
            await connection.execute("RESET session_replication_role")
        yield opened


@asynccontextmanager
async def notifying(store, settings, clock=time.time_ns):
    running = run_notify(load_plant(PLANT), settings, store.notifications, Targets(settings.targets), clock=clock)
    task = asyncio.create_task(running)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_an_alarm_reaches_a_mailbox_and_a_webhook_once(store):
    mailbox, hook = Mailbox(), Webhook()
    async with listening(mailbox) as smtp, listening(hook) as http:
        targets = {
            "mail": f"mailto://127.0.0.1:{smtp}/?smtp=127.0.0.1&mode=insecure&from=twin@example.com&to=kim@example.com",
            "hook": f"json://127.0.0.1:{http}/alarms",
        }
        settings = NotifySettings(targets=targets, routes=[{"to": ["mail", "hook"]}])
        async with notifying(store, settings):
            await alarms(store).gateway(time.time_ns() - 20 * 10**9)
            await until(lambda: bool(mailbox.messages and hook.posts), what="both messages")
            await all_noted(store, 2)  # what is told and not noted yet is told again
        async with notifying(store, settings):  # a new process knows what was told
            await alarms(store).anomaly(time.time_ns())  # of low priority
            await asyncio.wait([asyncio.ensure_future(all_noted(store, 2))], timeout=5)
    (message,), (post,) = mailbox.messages, hook.posts
    assert message["subject"] == "HIGH gateways/edge-factory: gateway edge-factory is offline"
    assert message["to"].endswith("kim@example.com")
    assert "where: gateways/edge-factory (gateway offline)" in message.get_body().get_content()
    assert post["title"] == message["subject"]
    assert [one.outcome for one in await store.notifications.newest()] == ["sent", "sent"]


async def all_noted(store, count):
    while len(await store.notifications.newest()) < count:
        await asyncio.sleep(0.02)


async def test_a_target_that_fails_is_tried_again_and_nobody_waits_for_it(store):
    hook, good = Webhook(), Webhook()
    hook.broken = True
    ahead = [0]
    async with listening(hook) as http, listening(good) as other:
        targets = {"bad": f"json://127.0.0.1:{http}/x", "good": f"json://127.0.0.1:{other}/x"}
        settings = NotifySettings(targets=targets, routes=[{"to": ["bad", "good"]}])
        async with notifying(store, settings, clock=lambda: time.time_ns() + ahead[0]):
            await alarms(store).gateway(time.time_ns() - 20 * 10**9)
            await until(lambda: bool(hook.refused and good.posts), what="a refusal beside a success")
            hook.broken = False
            ahead[0] += MIN
            await until(lambda: bool(hook.posts), what="the second try")
    assert len(good.posts) == 1


async def test_an_unacknowledged_alarm_escalates_and_an_acknowledged_one_does_not(store):
    hook, chief = Webhook(), Webhook()
    now = [time.time_ns()]
    plant = alarms(store)
    async with listening(hook) as http, listening(chief) as other:
        targets = {"shift": f"json://127.0.0.1:{http}/x", "chief": f"json://127.0.0.1:{other}/x"}
        routes = [{"to": ["shift"]}, {"to": ["chief"], "after_min": 15}]
        settings = NotifySettings(targets=targets, routes=routes)
        await plant.gateway(now[0] - 16 * 10**9, "edge-factory")
        seen = await plant.gateway(now[0] - 16 * 10**9, "edge-terminal")
        async with notifying(store, settings, clock=lambda: now[0]):
            await until(lambda: len(hook.posts) == 2, what="both at once")
            order = Order(uuid4(), ActionKind.ACKNOWLEDGE, str(seen), now[0], "Kim", "seen", {})
            await store.actions.add(order)
            now[0] += 16 * MIN
            await plant.obey()
            await until(lambda: bool(chief.posts), what="the escalation")
    (post,) = chief.posts
    assert post["title"].startswith("UNACKNOWLEDGED HIGH gateways/edge-factory")
    assert "nobody has acknowledged it for 16 min" in post["message"]


async def test_what_is_beyond_the_hourly_limit_is_withheld_and_noted(store):
    hook = Webhook()
    async with listening(hook) as http:
        targets = {"hook": f"json://127.0.0.1:{http}/x"}
        settings = NotifySettings(targets=targets, routes=[{"to": ["hook"]}], most_per_hour=2)
        plant = alarms(store)
        for node in ("a", "b", "c", "d"):
            await plant.gateway(time.time_ns() - 20 * 10**9, node)
        async with notifying(store, settings):
            async with asyncio.timeout(20):
                await all_noted(store, 4)
    outcomes = sorted(one.outcome for one in await store.notifications.newest())
    assert outcomes == ["sent", "sent", "withheld: more than 2 an hour", "withheld: more than 2 an hour"]
    assert len(hook.posts) == 2
