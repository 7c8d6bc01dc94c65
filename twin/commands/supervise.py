"""A supervisor for the processes of one machine: start in order, restart what dies, stop in reverse, leave nothing.

Used by `twin demo`. Every child leads its own process group (Ctrl-C reaches the supervisor alone) and is told by the
kernel to stop when the supervisor itself is killed.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_STOP_WAIT_S = 10.0
_RESTART_DELAYS_S = (0.5, 1.0, 2.0, 5.0, 10.0)
_STABLE_AFTER_S = 30.0


class ProcessState(StrEnum):
    """Where a supervised process is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass(slots=True)
class Child:
    """One process: its command, its readiness test and what became of it."""

    name: str
    title: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    ready: Callable[[], Awaitable[bool]] | None = None
    state: ProcessState = ProcessState.WAITING
    restarts: int = 0
    detail: str = ""
    process: asyncio.subprocess.Process | None = None


def _die_with_parent() -> None:
    """Runs in the child before exec."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervisor:
    """Keeps children alive until `stop`."""

    def __init__(self, on_change: Callable[[Child], None]) -> None:
        self.children: list[Child] = []
        self._on_change = on_change
        self._watchers: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self, child: Child, *, timeout_s: float = 120) -> None:
        """Start `child` and wait until it is ready; from then on it is restarted whenever it ends.

        Raises:
            TimeoutError: when it is not ready in time; the message names the log file.
        """
        self.children.append(child)
        await self._spawn(child)
        self._watchers.append(asyncio.create_task(self._watch(child), name=f"watch {child.name}"))
        deadline = time.monotonic() + timeout_s
        while child.ready and not await child.ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{child.title} is not ready after {timeout_s:.0f} s; see {child.log}")
            await asyncio.sleep(0.05)
        self._set(child, ProcessState.RUNNING)

    async def stop(self) -> None:
        """Stop every child, the last started first; kill what does not end in time."""
        self._stopping = True
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        for child in reversed(self.children):
            await self._end(child)
            self._set(child, ProcessState.STOPPED)

    async def _spawn(self, child: Child) -> None:
        self._set(child, ProcessState.STARTING)
        with child.log.open("ab") as log:
            child.process = await asyncio.create_subprocess_exec(
                *child.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **child.environment},
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    async def _watch(self, child: Child) -> None:
        while child.process is not None:
            started = time.monotonic()
            status = await child.process.wait()
            if time.monotonic() - started > _STABLE_AFTER_S:
                child.restarts = 0
            delay_s = _RESTART_DELAYS_S[min(child.restarts, len(_RESTART_DELAYS_S) - 1)]
            child.restarts += 1
            child.detail = f"ended with status {status}; see {child.log}"
            self._set(child, ProcessState.RESTARTING)
            await asyncio.sleep(delay_s)
            await self._spawn(child)
            self._set(child, ProcessState.RUNNING)

    async def _end(self, child: Child) -> None:
        process = child.process
        if process is None:
            return
        for number, wait_s in ((signal.SIGTERM, _STOP_WAIT_S), (signal.SIGKILL, _STOP_WAIT_S)):
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), wait_s)
                return

    def _set(self, child: Child, state: ProcessState) -> None:
        if child.state is not state:
            child.state = state
            self._on_change(child)
