"""The live feed: at once when it was quiet, conflated when not, always the latest, whole again after an outage."""

import asyncio
from contextlib import asynccontextmanager

import orjson
import pytest

from tests.unit.monitor_plant import SECOND, START_NS, batch, make_ids, make_plant
from twin.errors import Retryable
from twin.monitor.engine import Engine
from twin.monitor.feed import Feed
from twin.state.view import view
from twin.wire import topic

PLANT = make_plant()
IDS = make_ids(PLANT)
SAW = "factory/hall/saw"
COUNT = IDS[f"{SAW}/count"]


class Page:
    """What a subscriber of the retained topics sees."""

    def __init__(self) -> None:
        self.engine = Engine(PLANT, IDS)
        self.now_ns = START_NS
        self.away = False
        self.seen: list[tuple[str, dict]] = []
        self._news = asyncio.Event()

    async def publish(self, to: str, payload: bytes) -> None:
        if self.away:
            raise Retryable("the broker is away")
        self.seen.append((to, orjson.loads(payload)))
        self._news.set()

    async def look(self, path: str):
        return view(self.engine.state, path, self.now_ns, {})

    def count(self, value: int) -> None:
        self.now_ns += SECOND
        self.engine.push(batch([(COUNT, self.now_ns, float(value), 0)]))

    def values(self, path: str = SAW) -> list[int]:
        shown = [document for to, document in self.seen if to == topic.state(path)]
        return [document["signals"]["count"]["value"] for document in shown if document["signals"]]

    async def until(self, condition) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def running(page, interval_s):
    feed = Feed(PLANT, page.look, page.publish, interval_s=interval_s, rollup_interval_s=interval_s)
    task = asyncio.create_task(feed.run())
    yield feed
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_change_after_quiet_is_published_at_once_with_the_assets_above():
    page = Page()
    async with running(page, interval_s=3600.0) as feed:
        page.count(1)
        feed.changed([SAW])
        await page.until(lambda: len(page.seen) == 3)
    assert {to for to, _ in page.seen} == {topic.state(path) for path in (SAW, "factory/hall", "factory")}


async def test_many_changes_in_one_interval_are_two_publications_and_the_last_one_has_the_latest():
    page = Page()
    async with running(page, interval_s=0.2) as feed:
        for value in range(50):
            page.count(value)
            feed.changed([SAW])
            await asyncio.sleep(0)
        await page.until(lambda: page.values()[-1:] == [49])
    assert len(page.values()) == 2


async def test_a_tick_publishes_only_what_looks_different():
    page = Page()
    async with running(page, interval_s=0.001) as feed:
        page.count(1)
        feed.changed(asset.path for asset in PLANT.assets)
        await page.until(lambda: len(page.seen) == 4)
        await feed.look_again()
        page.now_ns += SECOND  # older, but still live
        await feed.look_again()
        assert len(page.seen) == 4
        page.now_ns += 60 * SECOND
        await feed.look_again()
    later = page.seen[4:]
    assert {to for to, _ in later} >= {topic.state(SAW)}
    assert topic.state("factory/hall/press") not in {to for to, _ in later}  # never spoke, looks the same
    assert dict(later)[topic.state(SAW)]["freshness"]["reason"] == "stale"


async def test_after_the_broker_was_away_everything_is_published_again():
    page = Page()
    async with running(page, interval_s=0.001) as feed:
        feed.changed(asset.path for asset in PLANT.assets)
        await page.until(lambda: len(page.seen) == 4)
        page.away = True
        page.count(1)
        await feed.look_again()
        page.away = False
        page.count(2)
        feed.changed([SAW])
        await page.until(lambda: len({to for to, _ in page.seen[4:]}) == 4)
    assert page.values()[-1] == 2
