"""The agent as a unit of systemd (Type=notify). In: the environment that systemd gives. Out: READY, STATUS, WATCHDOG.

The watchdog is fed by the event loop after the spool's thread has answered: when either hangs, systemd starts us anew.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from typing import Any

logger = logging.getLogger(__name__)

_STATUS_EVERY_S = 10.0
_FEEDS_PER_PERIOD = 3  # so that one that comes late does no harm


async def tell_systemd(
    alive: Callable[[], Awaitable[None]],
    status: Callable[[], str],
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Say that we are ready, then feed the watchdog until cancelled; returns at once when systemd does not listen.

    Args:
        alive: returns when the spool's thread works.
        status: one line for `systemctl status`.
        environment: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID.
    """
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    watchdog_s = _watchdog_s(environment)
    every_s = min(_STATUS_EVERY_S, watchdog_s / _FEEDS_PER_PERIOD) if watchdog_s else _STATUS_EVERY_S
    feed = "WATCHDOG=1\n" if watchdog_s else ""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as channel:
        channel.setblocking(False)
        to = address.replace("@", "\0", 1) if address.startswith("@") else address
        _send(channel, to, "READY=1")
        while True:
            await alive()
            _send(channel, to, f"{feed}STATUS={status()}")
            await asyncio.sleep(every_s)


def status_line(report: Mapping[str, Any]) -> str:
    """What of a health report stands in one line."""
    rate = sum(source["values_per_s"] for source in report["sources"])
    warnings = report["warnings"]
    more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
    trouble = f"; {warnings[0]}{more}" if warnings else ""
    return f"{rate:.0f} values/s, {report['backlog']['batches']} batches waiting{trouble}".replace("\n", " ")


def _watchdog_s(environment: Mapping[str, str]) -> float:
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    return int(environment.get("WATCHDOG_USEC") or 0) / 1e6


def _send(channel: socket.socket, to: str, text: str) -> None:
    try:
        channel.sendto(text.encode(), to)
    except OSError as error:
        logger.warning("systemd does not take %r: %s", text, error)
