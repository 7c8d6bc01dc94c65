"""The publish requests that wait at the server. In: acknowledgements. Out: answers in the order of their arrival."""

import asyncio
from collections.abc import Callable

from asyncua.common.utils import Buffer

from edge.sources.opcua_channel import Channel, Refused, door, response_body
from edge.sources.opcua_library import ua

_AGAIN = frozenset((ua.StatusCodes.BadTimeout, ua.StatusCodes.BadRequestTimeout))


class PublishWindow:
    """Keeps some PublishRequests waiting at the server, so that an answer never waits for a request."""

    def __init__(self, channel: Channel, most: int, clock: Callable[[], int]) -> None:
        self.most: int = most
        self._channel: Channel = channel
        self._clock: Callable[[], int] = clock
        self._waiting: int = 0
        self._answers: asyncio.Queue[tuple[int, asyncio.Future[Buffer]]] = asyncio.Queue()  # bounded by `most`

    def fill(self, acknowledgements: list[tuple[int, int]]) -> None:
        """Send requests until enough of them wait; the first takes the acknowledgements along (and out of the list)."""
        while self._waiting < self.most:
            self._channel.publish(acknowledgements[:], self._arrived)
            acknowledgements.clear()
            self._waiting += 1

    def _arrived(self, answer: "asyncio.Future[Buffer]") -> None:
        if not answer.cancelled():
            answer.exception()  # seen, even when nobody asks for this answer any more
        self._answers.put_nowait((self._clock(), answer))

    async def next(self) -> tuple[int, bytes] | None:
        """When it came, and the body of the next PublishResponse; None when the server gave a request back unused.

        Raises:
            Refused: a status that ends this connection or subscription.
            Retryable: the connection is gone.
        """
        received_ns, answer = await self._answers.get()
        self._waiting -= 1
        try:
            with door("publish"):
                if answer.cancelled():
                    raise ConnectionError("the request was dropped")
                return received_ns, response_body(answer.result())
        except Refused as error:
            if error.code == ua.StatusCodes.BadTooManyPublishRequests:
                self.most = max(1, self.most - 1)
            elif error.code not in _AGAIN:
                raise
            return None
