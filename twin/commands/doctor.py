"""`twin doctor`: looks at a running installation and explains what it finds; changes nothing.

In: the configuration file. Out: checks of database, broker, api, gateways, certificates and this machine. Each part is
looked at by itself and has a time limit, so that one that is away does not hide the others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from twin.commands.diagnosis import Check, problem
from twin.commands.doctor_api import check_api
from twin.commands.doctor_broker import check_broker
from twin.commands.doctor_files import check_certificates, check_machine_code, check_spools
from twin.commands.doctor_store import check_store
from twin.commands.settings import TwinSettings
from twin.errors import ConfigError, Retryable

LIMIT_S = 20.0

Look = Callable[[], Awaitable[Iterable[Check]]]


async def diagnose(settings: TwinSettings, folder: Path) -> list[Check]:
    """Every check, in the order of a sample's way back: store, broker, api, then files."""
    looks: dict[str, tuple[Look, str]] = {
        "database": (lambda: check_store(settings), "start it, or correct database in the configuration"),
        "broker": (lambda: check_broker(settings), "start it, or correct broker in the configuration"),
        "api": (_thread(lambda: check_api(settings)), "look into its log"),
        "certificates": (_thread(lambda: check_certificates(settings)), "look at the files"),
        "machine code": (_thread(lambda: [check_machine_code()]), "look at the disk"),
        "spools": (_thread(lambda: check_spools(folder)), "look at the disk"),
    }
    found = await asyncio.gather(*(_bounded(part, look, do) for part, (look, do) in looks.items()))
    return [check for checks in found for check in checks]


def _thread(look: Callable[[], Iterable[Check]]) -> Look:
    async def beside() -> list[Check]:
        return await asyncio.to_thread(lambda: list(look()))

    return beside


async def _bounded(part: str, look: Look, do: str) -> Iterable[Check]:
    try:
        async with asyncio.timeout(LIMIT_S):
            return await look()
    except TimeoutError:
        return [problem(part, f"no answer within {LIMIT_S:g} s", do)]
    except ConfigError as error:
        return [problem(part, one, do) for one in error.problems]
    except Retryable as error:
        return [problem(part, str(error), do)]
