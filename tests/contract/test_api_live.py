import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.settings import LiveLimits
from tests.contract.api_server import MILL, Api, api_settings, gateway_document, running_api, state_document, until
from tests.servers import Broker, amqtt
from twin.wire import topic
from twin.wire.mqtt import BrokerSettings
from twin.wire.mqtt import connect as mqtt_connect

QUICK = LiveLimits(heartbeat_s=0.3, silent_after_s=1.0, send_timeout_s=1.0, max_clients=2)
PATIENT = LiveLimits(heartbeat_s=0.3, silent_after_s=60)


@pytest.fixture(scope="module")
def broker() -> Generator[Broker]:
    with amqtt() as running:
        yield running


Publish = Callable[[str, bytes], Any]


@asynccontextmanager
async def publisher(broker: Broker) -> AsyncGenerator[Publish]:
    """What `twin run` does with the live feed; leaves no retained document behind."""
    topics: set[str] = set()
    settings = BrokerSettings(host="127.0.0.1", port=broker.port)
    async with mqtt_connect(settings, client_id="publisher") as client:

        async def publish(name: str, payload: bytes) -> None:
            topics.add(name)
            await client.publish(name, payload, qos=1, retain=True)

        try:
            yield publish
        finally:
            for name in topics:
                with contextlib.suppress(Exception):
                    await client.publish(name, b"", qos=1, retain=True)


async def frame(socket: ClientConnection, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The next frame that is wanted."""
    async with asyncio.timeout(15):
        while True:
            found = orjson.loads(await socket.recv())
            if wanted(found):
                return found


def states(found: dict[str, Any]) -> bool:
    return found["type"] == "states"


def about(path: str, **fields: Any) -> Callable[[dict[str, Any]], bool]:
    def wanted(found: dict[str, Any]) -> bool:
        return states(found) and any(one["path"] == path and fields.items() <= one.items() for one in found["states"])

    return wanted


async def test_a_published_state_reaches_every_client_and_the_rest_api(broker: Broker) -> None:
    settings = api_settings(broker_port=broker.port, live=PATIENT)
    async with running_api(settings) as api, publisher(broker) as publish:
        await api.connected()
        async with connect(api.live_url) as one, connect(api.live_url) as other:
            for client in (one, other):
                assert (await frame(client, lambda _: True))["type"] == "hello"
                assert (await frame(client, states))["full"]
            payload = state_document(MILL, seq=7)
            await publish(topic.state(MILL), payload)
            for client in (one, other):
                found = await frame(client, about(MILL, seq=7))
                assert not found["full"]
                assert found["states"] == [orjson.loads(payload)]
        answer = await api.http.get(f"/v1/assets/{MILL}/state")
        assert answer.content == payload
        listed = (await api.http.get("/v1/states", params={"under": "factory", "signals": False})).json()
        assert [(one["path"], "signals" in one) for one in listed["states"]] == [(MILL, False)]
        assert (await api.http.get("/v1/states", params={"under": "terminal"})).json()["states"] == []


async def test_a_new_api_shows_what_was_retained_before_it_started(broker: Broker) -> None:
    async with publisher(broker) as publish:
        await publish(topic.state(MILL), state_document(MILL, seq=3))
        await publish(topic.gateway("edge-factory"), gateway_document("edge-factory"))
        async with (
            running_api(api_settings(broker_port=broker.port, live=PATIENT)) as api,
            connect(api.live_url) as client,
        ):
            found = await frame(client, about(MILL, seq=3))
            if not found["gateways"]:
                found = await frame(client, lambda found: states(found) and found["gateways"])
            assert found["gateways"][0]["node"] == "edge-factory"
            listed = (await api.http.get("/v1/gateways")).json()
            assert [one["node"] for one in listed["gateways"]] == ["edge-factory"]


async def test_a_subscription_filters_on_the_server_and_starts_with_a_full_frame(broker: Broker) -> None:
    async with running_api(api_settings(broker_port=broker.port, live=PATIENT)) as api, publisher(broker) as publish:
        await api.connected()
        async with connect(api.live_url) as client:
            await frame(client, states)
            await client.send(orjson.dumps({"subscribe": {"under": ["factory"], "signals": False}}).decode())
            assert (await frame(client, states))["full"]
            await publish(topic.state("terminal"), state_document("terminal", seq=1))
            await publish(topic.state(MILL), state_document(MILL, seq=2))
            found = await frame(client, states)
            assert [one["path"] for one in found["states"]] == [MILL]
            assert "signals" not in found["states"][0]


async def test_a_client_that_stops_reading_costs_the_others_nothing_and_is_dropped(broker: Broker) -> None:
    bulky = "x" * 200_000
    limits = QUICK.model_copy(update={"silent_after_s": 60.0})
    async with running_api(api_settings(broker_port=broker.port, live=limits)) as api, publisher(broker) as publish:
        await api.connected()
        # One frame waits here, the kernels hold a few more: the socket fills up soon.
        with socket.create_connection(("127.0.0.1", api.port)) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.sendall(
                b"GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            dropped = api.parts.metrics.dropped._value
            async with connect(api.live_url, max_size=None) as client:
                seq = 0
                while not dropped.get():
                    seq += 1
                    assert seq < 500, "the deaf client was never dropped"
                    await publish(topic.state(MILL), state_document(MILL, seq=seq, value=bulky))
                    await frame(client, about(MILL, seq=seq))
                await until(lambda: api.parts.metrics.clients._value.get() == 1, what="the place to be free")


async def test_a_foreign_page_may_not_open_the_feed_and_reads_why(broker: Broker) -> None:
    settings = api_settings(broker_port=broker.port, live=PATIENT, allowed_origins=("https://wall.example",))
    async with running_api(settings) as api:
        with pytest.raises(InvalidStatus) as caught:
            await connect(api.live_url, origin="https://evil.example").__aenter__()
        response = caught.value.response
        assert response.status_code == 403
        assert response.headers["Content-Type"] == "application/problem+json"
        assert orjson.loads(response.body)["type"].endswith(":foreign-origin")
        for origin in (f"http://127.0.0.1:{api.port}", "https://wall.example"):
            async with connect(api.live_url, origin=origin) as client:  # type: ignore[arg-type]
                assert (await frame(client, lambda _: True))["type"] == "hello"


async def test_a_client_too_many_is_told_to_come_back_later(broker: Broker) -> None:
    async with (
        running_api(api_settings(broker_port=broker.port, live=QUICK)) as api,
        connect(api.live_url) as one,
        connect(api.live_url) as other,
        connect(api.live_url) as late,
    ):
        with pytest.raises(ConnectionClosed) as caught:
            await late.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1013
        assert "places are taken" in caught.value.rcvd.reason
        await frame(one, states)
        await frame(other, states)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("{", "JSON"),
        ('{"subscribe":{"undr":["factory"]}}', "undr"),
        ('{"subscribe":{"under":["factry"]}}', "'factry'"),
        ('{"subscribe":{"interval_ms":1}}', "interval_ms"),
        (b"\x00", "JSON"),
    ],
)
async def test_a_message_that_cannot_be_used_ends_the_connection_with_the_reason(
    broker: Broker, message: str | bytes, reason: str
) -> None:
    async with running_api(api_settings(broker_port=broker.port, live=QUICK)) as api:
        async with connect(api.live_url) as client:
            await client.send(message)
            with pytest.raises(ConnectionClosed) as caught:
                await frame(client, lambda _: False)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1008
            assert reason in caught.value.rcvd.reason
        await until(lambda: api.parts.metrics.clients._value.get() == 0, what="the place to be free")


async def test_a_document_that_cannot_be_used_is_counted_and_the_feed_goes_on(broker: Broker) -> None:
    async with running_api(api_settings(broker_port=broker.port, live=PATIENT)) as api, publisher(broker) as publish:
        await api.connected()
        await publish(topic.state("factory"), b"{ nonsense")
        await publish(topic.state("factory"), state_document("terminal"))
        await publish(topic.state(MILL), state_document(MILL, seq=5))
        await until(lambda: api.parts.board.cursor > 0, what="the good document")
        text = (await api.http.get("/metrics")).text
        assert 'fabriquay_api_feed_documents_rejected_total{reason="malformed"} 1.0' in text
        assert 'fabriquay_api_feed_documents_rejected_total{reason="wrong-topic"} 1.0' in text
        assert (await api.http.get("/v1/assets/factory/state")).json()["freshness"]["reason"] == "never"


async def test_nothing_looks_live_once_the_twin_is_silent_and_a_new_document_ends_that(broker: Broker) -> None:
    async with running_api(api_settings(broker_port=broker.port, live=QUICK)) as api, publisher(broker) as publish:
        await api.connected()
        async with connect(api.live_url) as client:
            await publish(topic.state(MILL), state_document(MILL, seq=1))
            found = await frame(client, about(MILL))
            assert found["states"][0]["freshness"]["reason"] == "live"
            aged = (await frame(client, about(MILL)))["states"][0]
            assert aged["freshness"]["reason"] == "feed-silent"
            assert not aged["signals"]["spindle-current"]["fresh"]
            beat = await frame(client, lambda found: found["type"] == "heartbeat")
            assert beat["status"] == "silent"
            assert "twin run" in beat["explanation"]
            await publish(topic.state(MILL), state_document(MILL, seq=2))
            found = await frame(client, about(MILL, seq=2))
            assert found["states"][0]["freshness"]["reason"] == "live"


async def test_retained_documents_of_a_twin_that_is_long_gone_do_not_look_live(broker: Broker) -> None:
    async with publisher(broker) as publish:
        old = datetime(2026, 1, 1, tzinfo=UTC)
        await publish(topic.state(MILL), state_document(MILL, at=old))
        async with running_api(api_settings(broker_port=broker.port, live=QUICK)) as api:
            await api.connected()

            async def silent() -> bool:
                document = (await api.http.get(f"/v1/assets/{MILL}/state")).json()
                return document["freshness"]["reason"] == "feed-silent" and document["freshness"]["age_s"] > 3600

            await until(silent, deadline_s=60, what="aged state")
            assert (await api.http.get("/v1/states")).json()["feed"]["heard_at"].startswith("2026-01-01")


async def test_the_feed_comes_back_by_itself_after_the_broker_was_killed() -> None:
    with amqtt() as broker:
        async with running_api(api_settings(broker_port=broker.port, live=PATIENT)) as api:
            await api.connected()
            async with publisher(broker) as publish, connect(api.live_url) as client:
                await publish(topic.state(MILL), state_document(MILL, seq=1))
                await frame(client, about(MILL, seq=1))
                broker.kill()
                beat = await frame(client, lambda found: found.get("status") == "disconnected")
                assert "last known state" in beat["explanation"]
                assert (await api.http.get("/readyz")).status_code == 503
                await asyncio.to_thread(broker.start)
                await api.connected()
                async with publisher(broker) as publish_again:
                    await publish_again(topic.state(MILL), state_document(MILL, seq=2))
                    await frame(client, about(MILL, seq=2))


async def test_a_shutdown_tells_the_clients_to_connect_again(broker: Broker) -> None:
    async with running_api(api_settings(broker_port=broker.port, live=PATIENT)) as api:
        client = await connect(api.live_url).__aenter__()
        await frame(client, states)
    with pytest.raises(ConnectionClosed) as caught:
        await frame(client, lambda _: False)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1012


async def test_an_unused_connection_does_not_need_the_store(broker: Broker) -> None:
    async with running_api(api_settings(broker_port=broker.port)) as api:
        answer: httpx.Response = await api.http.get(f"/v1/signals/{MILL}/spindle-current/series")
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert _alive(api)


def _alive(api: Api) -> bool:
    return api.app.state.broken is not None and not api.app.state.broken.done()
