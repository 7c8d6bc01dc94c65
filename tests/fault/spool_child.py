"""The victim of test_spool_kill: keeps readings as fast as it can and tells each keep that was acknowledged.

Arguments: path of the spool, byte cap, first source time. Writes one line ``<first> <count>`` per acknowledged keep.
"""

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

from edge.priority import Priority
from edge.spool import Spool, open_spool
from twin.wire.reading import Reading
from twin.wire.schema import NodeSchema, SchemaEntry

PRIORITIES = {handle: (Priority.LOW, Priority.HIGH)[handle % 2] for handle in range(20)}
SCHEMA = NodeSchema("victim", tuple(SchemaEntry(i, f"site/line/unit/s{i}", "measurement", "") for i in range(50)))


def readings(first: int, size: int) -> list[Reading]:
    return [
        Reading(at % 50, at, (at * at * 2654435761 % (1 << 32)) / 7.0, 0, 0, at) for at in range(first, first + size)
    ]


async def work(spool: Spool, begin: int, step: int) -> None:
    for turn in count():
        first, size = begin + turn * step, 1 + turn * 37 % 100
        await spool.keep(readings(first, size))
        os.write(1, f"{first} {size}\n".encode())
        if turn % 10 == 3:
            await spool.remember("victim", str(first).encode())
        if turn % 50 == 30:
            await spool.demote_backlog_to_history()


async def main(path: Path, max_bytes: int, first: int) -> None:
    async with (
        open_spool(path, schema=SCHEMA, max_bytes=max_bytes, linger_s=0.002, priorities=PRIORITIES) as spool,
        asyncio.TaskGroup() as group,
    ):
        for worker in range(8):
            group.create_task(work(spool, first + worker * 100, 800))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
