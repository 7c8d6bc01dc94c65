"""A real api on a real socket for the tests: in this loop, or as a process of its own; and what is published to it."""

import asyncio
import functools
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
from fastapi import FastAPI

from api.app import create_app
from api.deps import Parts
from api.serve import listen, serve
from api.settings import ApiSettings, LiveLimits, SeriesLimits
from tests.servers import CHECKOUT, free_port, wait_for
from twin.access.grants import By, parse_grants
from twin.access.secrets import hash_password, new_key
from twin.access.settings import AccessSettings
from twin.store.connect import Store, open_store
from twin.wire.mqtt import BrokerSettings

PLANT = CHECKOUT / "configs" / "plant.yaml"
MILL = "factory/machining/mill-1"
LOOK = AccessSettings(anonymous="viewer", requests_per_s=100_000, burst=1_000_000, sign_ins_per_min=10_000)
PASSWORD = "four words and a dot."
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"  # no database listens there


def api_settings(
    *,
    dsn: str = NOWHERE,
    broker_port: int = 1,
    live: LiveLimits | None = None,
    series: SeriesLimits | None = None,
    **more: Any,
) -> ApiSettings:
    more.setdefault("access", LOOK)
    return ApiSettings(
        dsn=dsn,
        broker=BrokerSettings(host="127.0.0.1", port=broker_port),
        plant=PLANT,
        port=0,
        live=live or LiveLimits(heartbeat_s=0.5),
        series=series or SeriesLimits(),
        **more,
    )


@dataclass
class Api:
    """A running api."""

    app: FastAPI
    port: int
    http: httpx.AsyncClient

    @property
    def live_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/live"

    @property
    def parts(self) -> Parts:
        return self.app.state.parts

    async def ready(self) -> None:
        """Wait until the store answers and the feed is connected."""

        async def ok() -> bool:
            return (await self.http.get("/readyz")).status_code == 200

        await until(ok, what="readiness")

    async def sign_in(self, name: str = "Kim", *roles: str) -> None:
        """From here on `http` is this person with these roles (an engineer), as a page would be."""
        await add_user(self.parts.link.store, name, *(roles or ("engineer",)))
        self.http.headers["Origin"] = str(self.http.base_url).rstrip("/")
        answer = await self.http.post("/v1/session", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text

    async def connected(self) -> None:
        """Wait until the feed is connected."""
        await until(lambda: self.parts.feed.connected, what="connection to the broker")


@asynccontextmanager
async def running_api(settings: ApiSettings) -> AsyncGenerator[Api]:
    """Serve in this loop until the block ends."""
    app = create_app(settings)
    listener = listen(settings)
    port = listener.getsockname()[1]
    serving = asyncio.create_task(serve(app, settings, listener))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        try:
            assert (await client.get("/healthz")).status_code == 200
            yield Api(app, port, client)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


async def add_user(store: Store, name: str, *roles: str) -> None:
    """A user who has chosen the password `PASSWORD`; one that is there already gets the roles."""
    grants, by = parse_grants(roles), By("test", "command line")
    if await store.accounts.add(name, _hashed(), grants, by, is_initial=False) is None:
        await store.accounts.change(name, by, grants=grants, disabled=False)


async def make_key(dsn: str, title: str, *roles: str, days: int = 1) -> str:
    """A machine's key."""
    made = new_key()
    async with open_store(dsn) as store:
        assert await store.keys.add(made.id, made.digest, title, parse_grants(roles), days, By("test", "command line"))
    return made.text


@functools.cache
def _hashed() -> str:
    return hash_password(PASSWORD)


_PROCESS = """
import asyncio, sys, uvloop
from api.serve import run_api
from api.settings import ApiSettings
settings = ApiSettings.model_validate_json(sys.stdin.read())
with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(run_api(settings))
"""


@contextmanager
def api_process(settings: ApiSettings, log: Path) -> Generator[tuple[int, "subprocess.Popen[bytes]"]]:
    """The api as a process of its own: its port and the process."""
    settings = settings.model_copy(update={"port": free_port()})
    with log.open("wb") as output:
        command = [sys.executable, "-c", _PROCESS]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=CHECKOUT, env=dict(os.environ)
        )
    assert process.stdin is not None
    with process.stdin as pipe:
        pipe.write(settings.model_dump_json().encode())
    try:

        def answers() -> bool:
            assert process.poll() is None, log.read_text()[-3000:]
            try:
                return httpx.get(f"http://127.0.0.1:{settings.port}/healthz").status_code == 200
            except httpx.TransportError:
                return False

        wait_for(answers, deadline_s=90, what="api")
        yield settings.port, process
    finally:
        process.kill()
        process.wait()


async def until(
    condition: Callable[[], bool | Awaitable[bool]], *, deadline_s: float = 20, what: str = "condition"
) -> None:
    """Return as soon as the condition holds; AssertionError when it does not within the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        holds = condition()
        if holds if isinstance(holds, bool) else await holds:
            return
        assert time.monotonic() < end, f"no {what} within {deadline_s} s"
        await asyncio.sleep(0.01)


def state_document(
    path: str, *, seq: int = 1, value: float | str = 12.3, at: datetime | None = None, **more: Any
) -> bytes:
    """A state as the monitor publishes it."""
    at = at or datetime.now(UTC)
    instant = at.isoformat().replace("+00:00", "Z")
    document: dict[str, Any] = {
        "format": 1,
        "path": path,
        "at": instant,
        "seq": seq,
        "machine_state": {"name": "running", "category": "Executing", "since": instant},
        "throughput": {
            "unit": "parts",
            "now_per_h": 42.1,
            "this_shift": 301,
            "shift": {"name": "early", "started_at": instant, "ends_at": (at + timedelta(hours=8)).isoformat()},
        },
        "health": "good",
        "freshness": {
            "newest_at": instant,
            "age_s": 0.1,
            "reason": "live",
            "explanation": "Values arrive as expected.",
        },
        "findings": [],
        "signals": {
            "spindle-current": {
                "value": value,
                "time": instant,
                "received_at": instant,
                "quality": "good",
                "fresh": True,
            }
        },
    }
    return orjson.dumps(document | more)


def gateway_document(node: str, status: str = "online") -> bytes:
    """A gateway as the twin publishes it."""
    return orjson.dumps({"format": 1, "node": node, "status": status, "at": "2026-03-02T10:00:00Z", "sources": []})
