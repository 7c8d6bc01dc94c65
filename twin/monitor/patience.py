"""Wait for the store: a call that fails because the store is away is made again until it succeeds."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from twin.errors import Retryable
from twin.wire.backoff import Backoff

_log = logging.getLogger(__name__)

Answer = TypeVar("Answer")


async def patiently(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer, however long it takes. Only for calls that may safely be made twice."""
    away, backoff = False, Backoff(most_s=5.0)
    while True:
        try:
            answer = await ask()
        except Retryable as error:
            if not away:
                _log.warning("the store is away: %s", error)
            away = True
            await backoff.wait()
            continue
        if away:
            _log.info("the store is back")
        return answer
