"""`twin edge discover`: what a server has → a proposed configuration. In: an address, wishes. Out: YAML, a table."""

import asyncio
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from edge.config import load_agent
from edge.discover import Proposal, Wish, agent_yaml, propose, rate
from edge.mapping_settings import Kind
from edge.sources.opcua_browse import Browser
from edge.sources.opcua_connect import open_channel
from edge.sources.opcua_library import ua
from edge.sources.opcua_limits import read_limits
from edge.sources.opcua_security import Security
from edge.sources.opcua_settings import OpcUaSettings
from edge.sources.opcua_variable import Progress, Survey, unseen
from edge.template import is_signal_path
from twin.errors import ConfigError

PASSWORD = "FABRIQUAY_OPCUA_PASSWORD"  # noqa: S105 - the name of the variable


@dataclass(frozen=True, slots=True)
class Discovery:
    """What `discover` was asked."""

    url: str | None
    config: Path | None = None
    source: str | None = None
    security: dict[str, Any] = field(default_factory=dict[str, Any])
    username: str | None = None
    start: str | None = None
    under: str = ""
    most_nodes: int = 10_000
    name: str = "edge-new"


@dataclass(frozen=True, slots=True)
class Discovered:
    """What came of it."""

    yaml: str
    lines: list[str]
    proposals: list[Proposal]
    complete: bool


def discover(asked: Discovery, wish: Wish) -> Discovered:
    """Browse a server and propose what to read.

    Raises:
        ConfigError: the address, the security or the wishes cannot be used.
        Retryable: the server does not answer.
    """
    if not is_signal_path(f"{wish.asset}/x"):
        raise ConfigError(f"{wish.asset!r} is not an asset path; use lower-case words like site/area")
    for kind in wish.kinds:
        if kind not in get_args(Kind):
            raise ConfigError(f"there is no kind {kind!r}; there are {', '.join(get_args(Kind))}")
    settings = _settings(asked)
    survey, server = asyncio.run(_survey(settings, asked))
    proposals, left = propose(survey.variables, wish)
    values_per_s, bytes_per_day = rate(proposals)
    lines = [
        f"{server or settings.url}",
        f"{survey.visited:,} nodes, {len(survey.variables):,} variables, {len(proposals):,} signals proposed",
        f"at most {values_per_s:,.0f} values/s, {bytes_per_day / 1e6:,.0f} MB a day",
    ]
    lines += [f"left out: {count:,} · {reason}" for reason, count in left.most_common()]
    if not survey.complete:
        lines.append(f"stopped after {asked.most_nodes:,} nodes: give --under <branch>, or a larger --most-nodes")
    return Discovered(agent_yaml(settings.url, server, proposals, wish, asked.name), lines, proposals, survey.complete)


def _settings(asked: Discovery) -> OpcUaSettings:
    if asked.config is not None:
        sources = [one for one in load_agent(asked.config).sources if isinstance(one, OpcUaSettings)]
        found = [one for one in sources if asked.source in (None, one.name)]
        if len(found) != 1:
            names = ", ".join(one.name for one in sources) or "none"
            raise ConfigError(f"{asked.config}: say with --source which OPC UA source is meant; there are {names}")
        return found[0]
    if asked.url is None:
        raise ConfigError("give the server's address, opc.tcp://<host>:<port>, or a configuration with --config")
    told: dict[str, Any] = {"kind": "opcua", "name": "discover", "url": asked.url, "security": asked.security}
    if asked.username is not None:
        told |= {"username": asked.username, "password": os.environ.get(PASSWORD, "")}
    try:
        return OpcUaSettings.model_validate({**told, "items": [{"node": "i=2258", "signal": "server/time"}]})
    except ValidationError as error:
        raise ConfigError([f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]) from None


async def _survey(settings: OpcUaSettings, asked: Discovery) -> tuple[Survey, str]:
    async with open_channel(settings, None, Security(settings, time.time_ns)) as channel:
        nodes = [ua.NodeId(ua.ObjectIds.Server_NamespaceArray)]
        (namespaces,) = await channel.read(nodes, "the server's namespaces")
        limits, build = await read_limits(channel, settings.profile)
        browser = Browser(channel, tuple(namespaces.Value.Value or ()), limits, _progress())
        under = tuple(part for part in asked.under.split("/") if part)
        try:
            survey = await browser.survey(start=asked.start, under=under, most_nodes=asked.most_nodes)
        except ValueError as error:
            raise ConfigError(f"--start {asked.start}: {error}") from None
        await channel.close()
        return survey, str(build)


def _progress() -> Progress:
    """A line on the terminal that tells how far it is; nothing where nobody looks."""
    if not sys.stderr.isatty():
        return unseen

    def show(what: str, done: int, of: int) -> None:
        bar = f"[{'#' * (30 * done // of):<30}] {done:,} of {of:,}" if of else f"{done:,} nodes"
        sys.stderr.write(f"\r\x1b[2K{what} {bar}" + ("\n" if of and done >= of else ""))
        sys.stderr.flush()

    return show
