"""Tasks that belong together: when the first ends, all end, and its error is everybody's.

In: named coroutines. Out: nothing, or what they raised. A TaskGroup of Python 3.11 loses a cancellation that comes
while it ends because of an error; a loop around it that catches the error would then run for ever.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any


async def together(coroutines: Mapping[str, Coroutine[Any, Any, None]]) -> None:
    """Run until the first of them returns or raises, and the others are cancelled.

    Raises:
        Exception: the one that ended it; a group when several failed at once.
    """
    tasks = [asyncio.create_task(coroutine, name=name) for name, coroutine in coroutines.items()]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
    errors = [error for error in found if isinstance(error, Exception)]
    if len(errors) > 1:
        raise ExceptionGroup("several tasks failed at once", errors)
    for error in errors:
        raise error
