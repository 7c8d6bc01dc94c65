"""The live feed: which assets to publish now, and which a moment later.

In: names of assets that have changed, clock ticks. Out: state documents on retained topics. An asset that was quiet is
published at once; one that changes all the time at most once per interval, always with its latest state. At a tick an
asset is published only when something else than its age has changed.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import orjson

from twin.errors import Retryable
from twin.monitor.ports import Publish
from twin.plant.tree import Plant
from twin.state.document import document
from twin.state.model import AssetState
from twin.wire import topic

_log = logging.getLogger(__name__)

View = Callable[[str], Awaitable[AssetState]]


class Feed:
    """Conflates changes per asset; `run` publishes them."""

    def __init__(
        self,
        plant: Plant,
        look: View,
        publish: Publish,
        *,
        interval_s: float = 0.1,
        rollup_interval_s: float = 0.5,
    ) -> None:
        self._above = {asset.path: tuple(_above(plant, asset.path)) for asset in plant.assets}
        self._interval_s = {
            asset.path: rollup_interval_s if plant.children(asset.path) else interval_s for asset in plant.assets
        }
        self._look = look
        self._publish = publish
        self._due_s: dict[str, float] = {}  # changed assets → loop time from which they may be published
        self._last_s: dict[str, float] = {}
        self._shown: dict[str, bytes] = {}  # without the parts that change with every look
        self._wake = asyncio.Event()
        self._away = False

    def changed(self, paths: Iterable[str]) -> None:
        """These assets have changed, and so have the ones above them."""
        now_s = asyncio.get_running_loop().time()
        for path in paths:
            for one in (path, *self._above[path]):
                if one not in self._due_s:
                    self._due_s[one] = max(now_s, self._last_s.get(one, -math.inf) + self._interval_s[one])
        self._wake.set()

    async def look_again(self) -> None:
        """Publish what looks different although no sample came: a value has become old, a rate has fallen."""
        for path in self._above:
            if path not in self._due_s:
                written, timeless = await self._written(path)
                if self._shown.get(path) != timeless:
                    await self._show(path, written, timeless)

    async def run(self) -> None:
        """Publish changes as they become due; never returns."""
        loop = asyncio.get_running_loop()
        while True:
            now_s = loop.time()
            for path in [path for path, due_s in self._due_s.items() if due_s <= now_s]:
                del self._due_s[path]
                await self._show(path, *await self._written(path))
            next_s = min(self._due_s.values(), default=None)
            self._wake.clear()
            try:
                async with asyncio.timeout_at(next_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def send(self, to: str, payload: bytes) -> bool:
        """Publish; while the broker is away nothing is sent, and everything once when it is back."""
        try:
            await self._publish(to, payload)
        except Retryable as away:
            if not self._away:
                _log.warning("the live feed is interrupted: %s", away)
            self._away = True
            return False
        if self._away:
            self._away = False
            _log.info("the live feed goes on")
            self.changed(self._above)
        return True

    async def _written(self, path: str) -> tuple[dict[str, Any], bytes]:
        written = document(await self._look(path))
        timeless = {**written, "at": None, "seq": None, "freshness": {**written["freshness"], "age_s": None}}
        return written, orjson.dumps(timeless)

    async def _show(self, path: str, written: dict[str, Any], timeless: bytes) -> None:
        self._last_s[path] = asyncio.get_running_loop().time()
        if await self.send(topic.state(path), orjson.dumps(written)):
            self._shown[path] = timeless
        else:
            self._shown.pop(path, None)  # the next tick tries again


def _above(plant: Plant, path: str) -> Iterable[str]:
    parent = plant.asset(path).parent
    while parent is not None:
        yield parent
        parent = plant.asset(parent).parent
