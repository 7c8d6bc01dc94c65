"""Processor time of this process and of the sessions it has in a database: others may use the machine meanwhile."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from twin.store.connect import Store

SESSIONS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"


async def cost_s(store: Store, work: Callable[[], Awaitable[object]]) -> float:
    """Processor seconds of the work, here and in every server process of this database."""
    return sum(await costs_s(store, work))


async def costs_s(store: Store, work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """The same told apart: (here, in the server). Sessions must be there before and after the work."""
    server_s, here_s = await _server_s(store), time.process_time()
    await work()
    here_s = time.process_time() - here_s
    return here_s, await _server_s(store) - server_s


async def _server_s(store: Store) -> float:
    async with store.database.connection() as connection:
        pids = [pid for (pid,) in await (await connection.execute(SESSIONS)).fetchall()]
    return sum(processor_s(pid) for pid in pids)


def processor_s(pid: int) -> float:
    """Seconds that a process has run, to the nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
