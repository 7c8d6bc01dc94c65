import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest
from websockets.asyncio.client import connect

from tests.contract.api_server import MILL, api_settings, gateway_document, running_api, state_document, until
from tests.contract.test_api_live import PATIENT, QUICK, frame, publisher, states
from tests.servers import Broker, amqtt
from twin.wire import topic

Event = dict[str, Any]  # id, and the frame


@pytest.fixture(scope="module")
def broker() -> Generator[Broker]:
    with amqtt() as running:
        yield running


@asynccontextmanager
async def events(http: httpx.AsyncClient, **asked: Any) -> AsyncGenerator[AsyncGenerator[Event]]:
    """The events of the feed, as a browser reads them."""
    headers = {"Last-Event-ID": asked.pop("last")} if "last" in asked else {}
    async with http.stream("GET", "/v1/live", params=asked, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")

        async def read() -> AsyncGenerator[Event]:
            fields: dict[str, str] = {}
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if line:
                    fields[name] = value
                elif "data" in fields:
                    yield {"id": fields.get("id"), **orjson.loads(fields["data"])}
                    fields = {}

        yield read()


async def next_states(found: AsyncGenerator[Event]) -> Event:
    async with asyncio.timeout(15):
        async for event in found:
            if event["type"] == "states":
                return event
    raise AssertionError("the answer has ended")


async def test_the_frames_come_as_events_too_and_a_client_that_comes_back_goes_on_where_it_was(broker: Broker) -> None:
    async with running_api(api_settings(broker_port=broker.port, live=PATIENT)) as api, publisher(broker) as publish:
        await api.connected()
        async with events(api.http) as found:
            assert (await next_states(found))["full"]
            await publish(topic.state(MILL), state_document(MILL, seq=7))
            first = await next_states(found)
            assert [one["seq"] for one in first["states"]] == [7]
            assert not first["full"]
        await publish(topic.state("terminal"), state_document("terminal", seq=1))
        async with events(api.http, last=first["id"]) as found:
            missed = await next_states(found)
            assert not missed["full"]
            assert [one["path"] for one in missed["states"]] == ["terminal"]
        async with connect(f"{api.live_url}?after={first['id']}") as socket:
            missed = await frame(socket, states)
            assert not missed["full"]
            assert [one["path"] for one in missed["states"]] == ["terminal"]
        async with events(api.http, last="ffffffff.1") as found:  # of another process: nothing is taken for known
            assert (await next_states(found))["full"]


async def test_only_the_kinds_that_were_asked_for_come(broker: Broker) -> None:
    async with running_api(api_settings(broker_port=broker.port, live=PATIENT)) as api, publisher(broker) as publish:
        await api.connected()
        async with events(api.http, under="factory", kinds="gateways") as found:
            await next_states(found)
            await publish(topic.state(MILL), state_document(MILL, seq=7))
            await publish(topic.gateway("edge-factory"), gateway_document("edge-factory"))
            event = await next_states(found)
            assert event["states"] == []
            assert [one["node"] for one in event["gateways"]] == ["edge-factory"]


async def test_a_frame_says_how_many_publications_it_merges(broker: Broker) -> None:
    async with running_api(api_settings(broker_port=broker.port, live=PATIENT)) as api, publisher(broker) as publish:
        await api.connected()
        async with events(api.http, interval_ms=60_000) as slow, events(api.http, interval_ms=50) as quick:
            await next_states(slow)
            start = await next_states(quick)
            for seq in range(1, 4):
                await publish(topic.state(MILL), state_document(MILL, seq=seq))
                event = await next_states(quick)
                assert (event["merged"], event["states"][0]["seq"]) == (1, seq)
        async with events(api.http, last=start["id"]) as late:
            event = await next_states(late)
            assert (event["merged"], [one["seq"] for one in event["states"]]) == (3, [3])


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"under": "factry"}, "factry"), ({"kinds": "state"}, "kinds"), ({"interval_ms": 1}, "interval")],
)
async def test_what_cannot_be_followed_is_refused_with_the_reason(broker: Broker, asked: Any, said: str) -> None:
    async with running_api(api_settings(broker_port=broker.port, live=QUICK)) as api:
        answer = await api.http.get("/v1/live", params=asked)
        assert answer.status_code == 422
        assert said in answer.text


async def test_an_event_stream_takes_a_place_and_gives_it_back(broker: Broker) -> None:
    async with running_api(api_settings(broker_port=broker.port, live=QUICK)) as api:  # two places
        async with events(api.http) as one, events(api.http) as other:
            await next_states(one)
            await next_states(other)
            answer = await api.http.get("/v1/live")
            assert answer.status_code == 503
            assert answer.headers["Retry-After"]
        await until(lambda: api.parts.metrics.clients._value.get() == 0, what="both places to be free")
