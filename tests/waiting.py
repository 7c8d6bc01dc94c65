"""Waiting for what other tasks bring about, with a deadline."""

import asyncio
from collections.abc import Callable


async def until(
    condition: Callable[[], object], what: str | Callable[[], str] = "the condition", deadline_s: float = 60.0
) -> None:
    """Return as soon as `condition` is true; fail with `what` (as it is then) when that does not happen in time."""
    try:
        async with asyncio.timeout(deadline_s):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        said = what if isinstance(what, str) else what()
        raise AssertionError(f"not within {deadline_s} s: {said}") from None
