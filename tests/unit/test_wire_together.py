"""Tasks that belong together: one error ends all, and a cancellation is never lost."""

import asyncio

import pytest

from twin.errors import Retryable
from twin.wire.together import together


async def fail() -> None:
    raise Retryable("away")


async def test_an_error_of_one_ends_the_others_and_is_raised() -> None:
    ended = asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(Retryable, match="away"):
        await together({"wait": wait(), "fail": fail()})
    assert ended.is_set()


async def test_errors_that_come_at_once_are_all_raised() -> None:
    with pytest.raises(ExceptionGroup) as group:
        await together({"one": fail(), "other": fail()})
    assert [type(error) for error in group.value.exceptions] == [Retryable, Retryable]


async def test_one_that_returns_ends_the_others() -> None:
    async with asyncio.timeout(5):
        await together({"wait": asyncio.sleep(60), "return": asyncio.sleep(0)})


async def test_a_cancellation_that_comes_while_a_task_fails_is_not_lost() -> None:
    failing, cleaned = asyncio.Event(), asyncio.Event()

    async def fail_loudly() -> None:
        failing.set()
        await fail()

    async def clean_up_slowly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await cleaned.wait()

    async def stay_connected() -> None:
        while True:
            try:
                await together({"slow": clean_up_slowly(), "fail": fail_loudly()})
            except* Retryable:
                pass
            await asyncio.sleep(0.01)

    task = asyncio.create_task(stay_connected())
    await failing.wait()
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.sleep(0.01)
    cleaned.set()
    await asyncio.wait({task}, timeout=5)
    assert task.cancelled()
