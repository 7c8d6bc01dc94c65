"""A device that speaks MQTT: messages wait in a bounded queue until the broker has acknowledged them.

In: messages. Out: QoS 1 publishes with a window; what was not acknowledged when the connection broke is sent again, in
order, on the next one. A full queue refuses the newest message, and says which samples it carried.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from twin.demo.dialects import DeviceMessage
from twin.errors import Retryable
from twin.wire.backoff import Backoff
from twin.wire.mqtt import BrokerSettings, Client, connect

log = logging.getLogger(__name__)

_WINDOW = 200  # messages on their way


class _InFlight(NamedTuple):
    message: DeviceMessage
    answer: asyncio.Future[None]


class MqttDevice:
    """One device, or the gateway of several; `run` never returns."""

    def __init__(self, name: str, broker: BrokerSettings, *, most_queued: int) -> None:
        self.name: str = name
        self._broker: BrokerSettings = broker
        self._most_queued: int = most_queued
        self._queue: deque[DeviceMessage] = deque()
        self._in_flight: deque[_InFlight] = deque()
        self._news: asyncio.Event = asyncio.Event()
        self._up: bool = True

    def put(self, messages: Sequence[DeviceMessage]) -> list[int]:
        """Queue messages; the ids of the samples for which there was no room."""
        room = max(0, self._most_queued - len(self._queue) - len(self._in_flight))
        self._queue.extend(messages[:room])
        self._news.set()
        return [one for message in messages[room:] for one in message.ids]

    def oldest_pending(self) -> int | None:
        """The lowest id that the broker has not acknowledged yet."""
        if self._in_flight:
            return min(self._in_flight[0].message.ids)
        return min(self._queue[0].ids) if self._queue else None

    async def run(self) -> None:
        """Connect, send, and connect again."""
        backoff = Backoff(first_s=0.1, most_s=5.0)
        while True:
            try:
                async with connect(self._broker, client_id=f"device-{self.name}") as client:
                    if not self._up:
                        log.info("device %s is connected again", self.name)
                    self._up = True
                    backoff.reset()
                    await self._send(client)
            except Retryable as error:
                if self._up:
                    log.warning("device %s has lost the broker: %s", self.name, error)
                self._up = False
            finally:
                self._take_back()
            await backoff.wait()

    async def _send(self, client: Client) -> None:
        while True:
            while self._queue and len(self._in_flight) < _WINDOW:
                message = self._queue.popleft()
                answer = client.publish_nowait(message.topic, message.payload, qos=1)
                answer.add_done_callback(self._wake)
                self._in_flight.append(_InFlight(message, answer))
            self._news.clear()
            while self._in_flight and self._in_flight[0].answer.done():
                self._in_flight[0].answer.result()  # raises Retryable when the connection broke
                self._in_flight.popleft()
            if not self._queue or len(self._in_flight) >= _WINDOW:
                await self._news.wait()

    def _wake(self, _answer: asyncio.Future[None]) -> None:
        self._news.set()

    def _take_back(self) -> None:
        """What was not acknowledged goes to the front of the queue, in its old order."""
        lost = [one.message for one in self._in_flight if not (one.answer.done() and _succeeded(one.answer))]
        self._queue.extendleft(reversed(lost))
        self._in_flight.clear()


def _succeeded(answer: asyncio.Future[None]) -> bool:
    return not answer.cancelled() and answer.exception() is None
