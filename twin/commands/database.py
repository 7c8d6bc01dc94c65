"""The embedded database as a process of its own: the demo's supervisor restarts it like any other part."""

import asyncio
from pathlib import Path

from twin.errors import Retryable
from twin.store.embedded import EmbeddedPostgres

_LOOK_EVERY_S = 1.0


async def keep_database(folder: Path) -> None:
    """Run PostgreSQL below `folder` until cancelled; ``folder/ready`` exists while it accepts connections.

    Raises:
        Retryable: the server has died; starting again recovers it.
    """
    server = EmbeddedPostgres(folder)
    ready = folder / "ready"
    await asyncio.to_thread(server.start)
    try:
        ready.touch()
        while await asyncio.to_thread(server.is_alive):  # noqa: ASYNC110 - a foreign process sets no event
            await asyncio.sleep(_LOOK_EVERY_S)
        raise Retryable(f"{folder}: PostgreSQL has died")
    finally:
        ready.unlink(missing_ok=True)
        server.stop()
