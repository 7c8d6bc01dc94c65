import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from api.board import Board, Noun
from api.hub import Client, Hub, NoPlaceError
from api.metrics import Metrics
from api.settings import LiveLimits
from api.view import View

QUICK = LiveLimits(tick_ms=10, heartbeat_s=60, max_clients=3)


def state(path: str, seq: int = 0) -> bytes:
    return orjson.dumps({"format": 1, "path": path, "seq": seq, "signals": {"s": {"value": seq}}})


class Peer:
    """The far end of one client; `gate` holds back what is sent, as a full socket does."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.texts: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.news = asyncio.Event()

    async def send(self, text: str) -> None:
        await self.gate.wait()
        self.texts.append(text)
        self.frames.append(orjson.loads(text))
        self.news.set()

    async def until(self, condition: Callable[["Peer"], bool], deadline_s: float = 5) -> None:
        async with asyncio.timeout(deadline_s):
            while not condition(self):
                self.news.clear()
                await self.news.wait()

    def states(self) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["type"] == "states"]

    def seqs(self, path: str) -> list[int]:
        return [one["seq"] for frame in self.states() for one in frame["states"] if one["path"] == path]


class Feed:
    def __init__(self) -> None:
        self.word = "live"

    def status(self) -> str:
        return self.word

    def describe(self) -> dict[str, Any]:
        return {"status": self.word}


class Room:
    def __init__(self, limits: LiveLimits = QUICK) -> None:
        self.board = Board()
        self.feed = Feed()
        self.metrics = Metrics()
        self.hub = Hub(self.board, self.feed, limits, self.metrics, "revision")

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["Room"]:
        async with asyncio.TaskGroup() as tasks:
            ticker = tasks.create_task(self.hub.run())
            yield self
            ticker.cancel()

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[tuple[Peer, Client]]:
        peer = Peer()
        with self.hub.join(peer.send) as client:
            task = asyncio.create_task(self.hub.serve(client))
            await peer.until(lambda peer: bool(peer.states()))
            yield peer, client
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_hello_comes_first_then_everything_then_only_what_changed() -> None:
    async with Room().open() as room:
        room.board.put(Noun.ASSET, "a", state("a"))
        room.board.put(Noun.ASSET, "b", state("b"))
        async with room.client() as (peer, _):
            await peer.until(lambda peer: bool(peer.seqs("b")))
            assert peer.frames[0]["type"] == "hello"
            assert peer.states()[0]["full"]
            room.board.put(Noun.ASSET, "b", state("b", 7))
            await peer.until(lambda peer: 7 in peer.seqs("b"))
            assert not peer.states()[-1]["full"]
            assert [one["path"] for one in peer.states()[-1]["states"]] == ["b"]


async def test_a_client_without_a_plant_state_still_gets_a_full_empty_frame() -> None:
    async with Room().open() as room, room.client() as (peer, _):
        empty = {"states": [], "gateways": [], "alarms": [], "removed": []}
        assert peer.states() == [
            {"type": "states", "id": f"{room.hub.origin}.0", "full": True, "merged": None, **empty}
        ]


async def test_a_slow_client_gets_the_latest_state_and_never_a_queue() -> None:
    async with Room().open() as room, room.client() as (slow, _), room.client() as (fast, _):
        slow.gate.clear()
        for seq in range(1, 51):
            room.board.put(Noun.ASSET, "a", state("a", seq))
            await fast.until(lambda fast, seq=seq: seq in fast.seqs("a"))
        assert slow.seqs("a") == []
        slow.gate.set()
        await slow.until(lambda slow: 50 in slow.seqs("a"))
        assert len(slow.seqs("a")) <= 2  # the one that was stuck, and the latest
        assert len(fast.seqs("a")) == 50


async def test_clients_with_equal_views_share_one_serialised_frame() -> None:
    async with Room().open() as room, room.client() as (one, _), room.client() as (other, _):
        room.board.put(Noun.ASSET, "a", state("a", 1))
        await one.until(lambda peer: 1 in peer.seqs("a"))
        await other.until(lambda peer: 1 in peer.seqs("a"))
        assert one.texts[-1] is other.texts[-1]


async def test_a_view_leaves_out_other_subtrees_and_signals() -> None:
    async with Room().open() as room, room.client() as (peer, client):
        client.subscribe(View(("factory",), signals=False), 10)
        await peer.until(lambda peer: len(peer.states()) == 2)
        for path in ("factory/mill", "factory", "factory-2", "terminal/crane"):
            room.board.put(Noun.ASSET, path, state(path, 1))
        await peer.until(lambda peer: 1 in peer.seqs("factory") and 1 in peer.seqs("factory/mill"))
        seen = [one for frame in peer.states() for one in frame["states"]]
        assert {one["path"] for one in seen} == {"factory", "factory/mill"}
        assert all("signals" not in one for one in seen)


async def test_a_client_with_a_long_interval_gets_fewer_frames_with_the_latest_state() -> None:
    async with Room().open() as room, room.client() as (calm, client), room.client() as (eager, quick):
        client.subscribe(View(), 400)
        quick.subscribe(View(), 10)
        await calm.until(lambda peer: len(peer.states()) == 2)
        for seq in range(1, 41):
            room.board.put(Noun.ASSET, "a", state("a", seq))
            await eager.until(lambda peer, seq=seq: seq in peer.seqs("a"))
        await calm.until(lambda peer: 40 in peer.seqs("a"))
        assert len(calm.seqs("a")) * 4 < len(eager.seqs("a"))


async def test_a_withdrawn_asset_is_named_as_removed() -> None:
    async with Room().open() as room:
        room.board.put(Noun.ASSET, "a", state("a"))
        async with room.client() as (peer, _):
            await peer.until(lambda peer: bool(peer.seqs("a")))
            room.board.put(Noun.ASSET, "a", b"")
            await peer.until(lambda peer: peer.states()[-1]["removed"] == ["asset/a"])


async def test_a_change_of_the_feed_is_told_at_once() -> None:
    async with Room().open() as room, room.client() as (peer, _):
        room.feed.word = "silent"
        await peer.until(lambda peer: peer.frames[-1].get("status") == "silent")
        assert peer.frames[-1]["type"] == "heartbeat"


async def test_a_client_that_reads_nothing_is_dropped_and_the_others_stay() -> None:
    limits = QUICK.model_copy(update={"send_timeout_s": 0.2, "heartbeat_s": 0.05})
    async with Room(limits).open() as room, room.client() as (other, _):
        peer = Peer()
        with room.hub.join(peer.send) as client:
            serving = asyncio.create_task(room.hub.serve(client))
            await peer.until(lambda peer: bool(peer.states()))
            peer.gate.clear()
            room.board.put(Noun.ASSET, "a", state("a", 1))
            async with asyncio.timeout(5):
                await serving
        assert client.dropped
        room.board.put(Noun.ASSET, "a", state("a", 2))
        await other.until(lambda other: 2 in other.seqs("a"))


async def test_no_more_clients_than_places() -> None:
    async with Room().open() as room, room.client(), room.client(), room.client():
        with pytest.raises(NoPlaceError, match="3"), room.hub.join(Peer().send):
            pass


async def test_a_place_is_free_again_once_its_client_has_left() -> None:
    async with Room().open() as room:
        for _ in range(5):
            async with room.client() as (peer, _):
                assert peer.frames
        assert room.metrics.clients._value.get() == 0


async def test_alarms_of_an_area_reach_whoever_sees_something_of_it() -> None:
    board = Board()
    board.put(Noun.ALARMS, "factory/machining", b'{"format":1,"path":"factory/machining","alarms":[]}')
    board.put(Noun.ALARMS, "gateways", b'{"format":1,"path":"gateways","alarms":[]}')

    def seen(*under: str) -> list[str]:
        hub = Hub(board, Feed(), LiveLimits(), Metrics(), "r1")
        frame = orjson.loads(hub.frame(View(under), -1) or "{}")
        return sorted(one["path"] for one in frame["alarms"])

    assert seen() == ["factory/machining", "gateways"]
    assert seen("factory") == seen("factory/machining/mill-1") == ["factory/machining"]
    assert seen("factory/printing") == []
