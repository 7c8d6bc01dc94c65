"""The live endpoint against whatever a client may send: it answers with frames or a close code, and serves the others."""

import asyncio
import contextlib
from collections.abc import Generator

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.contract.api_server import MILL, api_process, api_settings

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
PATHS = st.sampled_from(["", "factory", MILL, "gateways", "../factory", "factory//", "\0", "ä" * 600])
SUBSCRIPTION = st.fixed_dictionaries(
    {},
    optional={
        "under": st.lists(PATHS, max_size=120) | JSON,
        "signals": JSON,
        "interval_ms": st.integers(-1, 70_000) | JSON,
        "more": JSON,
    },
)
MESSAGE = (
    st.builds(lambda body: orjson.dumps({"subscribe": body}).decode(), SUBSCRIPTION.filter(lambda body: _can(body)))
    | JSON.filter(lambda body: _can(body)).map(lambda body: orjson.dumps(body).decode())
    | st.text(max_size=200).filter(lambda text: _encodes(text))
    | st.binary(max_size=200)
    | st.sampled_from(["", "{", "[" * 4_000, "x" * 5_000, '{"subscribe":' * 300])
)


def _can(body: object) -> bool:
    try:
        orjson.dumps(body)
    except TypeError:
        return False
    return True


def _encodes(text: str) -> bool:
    return text.encode(errors="replace").decode() == text


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Generator[int]:
    log = tmp_path_factory.mktemp("fuzz") / "api.log"
    with api_process(api_settings(), log) as (running, process):
        yield running
        assert process.poll() is None
        assert "Traceback" not in log.read_text(), log.read_text()[-5_000:]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(messages=st.lists(MESSAGE, min_size=1, max_size=4))
def test_whatever_is_sent_is_answered_by_frames_or_a_close_code_with_a_reason(
    port: int, messages: list[str | bytes]
) -> None:
    with connect(f"ws://127.0.0.1:{port}/v1/live", max_size=None) as client:
        with contextlib.suppress(TimeoutError, ConnectionClosed):
            for message in messages:
                client.send(message)
            while True:
                assert orjson.loads(client.recv(timeout=0.02))["type"] in ("hello", "states", "heartbeat")
        end = client.protocol.close_rcvd
    assert end is None or end.code == 1000 or (end.code in (1007, 1008, 1009) and (end.reason or end.code == 1007))


def test_afterwards_it_serves_and_no_place_is_taken(port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}/v1/live") as client:
        assert orjson.loads(client.recv(timeout=10))["type"] == "hello"

    async def free() -> None:
        async with httpx.AsyncClient() as http, asyncio.timeout(20):
            while "fabriquay_api_live_clients 0.0" not in (await http.get(f"http://127.0.0.1:{port}/metrics")).text:
                await asyncio.sleep(0.05)

    asyncio.run(free())
