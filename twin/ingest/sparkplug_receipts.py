"""Hop *commit*, the way back to Sparkplug nodes: the newest receipt of each, and which of them are to be told.

In: receipts after COMMIT, births of nodes. Out: receipts to `twin.ingest.sparkplug`, which writes them to the nodes.
"""

import asyncio
from collections.abc import Iterable

from twin.wire.receipt import Receipt


class Receipts:
    """The newest receipt of every epoch of Sparkplug nodes, and which of them are to be told."""

    def __init__(self, known: Iterable[tuple[str, Receipt]] = ()) -> None:
        self._newest = {(node, receipt.epoch): receipt for node, receipt in known}
        self._news: dict[tuple[str, str], None] = {}
        self._come = asyncio.Event()

    def add(self, node: str, receipt: Receipt) -> None:
        """After COMMIT."""
        self._newest[node, receipt.epoch] = receipt
        self.want(node, receipt.epoch)

    def want(self, node: str, epoch: str) -> None:
        """A birth: the node is told where it stands."""
        self._news[node, epoch] = None
        self._come.set()

    async def news(self) -> list[tuple[str, Receipt]]:
        """What is to be told; waits for something."""
        await self._come.wait()
        self._come.clear()
        news, self._news = self._news, {}
        return [(node, self._newest.get((node, epoch), Receipt(epoch, 0))) for node, epoch in news]
