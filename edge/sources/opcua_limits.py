"""What a server takes in one call, one subscription and in all: as it declares it, and as its make is known for.

In: a channel, the table of profiles (`opcua_profiles.yaml`). Out: `Limits`, in which the smaller of the two counts.
"""

import re
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from edge.sources.opcua_channel import Channel, Refused
from edge.sources.opcua_library import TOO_MANY, Opaque, ua
from twin.errors import ConfigError

_PROFILES = Path(__file__).with_name("opcua_profiles.yaml")
GENERIC = "generic"
_OPERATION = "Server_ServerCapabilities_OperationLimits_"
_DECLARED = {
    "monitored_items": "Server_ServerCapabilities_MaxMonitoredItems",
    "items_per_subscription": "Server_ServerCapabilities_MaxMonitoredItemsPerSubscription",
    "queue": "Server_ServerCapabilities_MaxMonitoredItemsQueueSize",
    "items_per_call": _OPERATION + "MaxMonitoredItemsPerCall",
    "nodes_per_read": _OPERATION + "MaxNodesPerRead",
    "nodes_per_browse": _OPERATION + "MaxNodesPerBrowse",
    "nodes_per_history_read": _OPERATION + "MaxNodesPerHistoryReadData",
}
_BUILD = (
    "Server_ServerStatus_BuildInfo_ProductUri",
    "Server_ServerStatus_BuildInfo_ManufacturerName",
    "Server_ServerStatus_BuildInfo_ProductName",
    "Server_ServerStatus_BuildInfo_SoftwareVersion",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """0 stands for a limit that nobody knows."""

    profile: str = GENERIC
    monitored_items: int = 0
    items_per_subscription: int = 0
    queue: int = 0
    items_per_call: int = 0
    nodes_per_read: int = 0
    nodes_per_browse: int = 0
    nodes_per_history_read: int = 0
    publishes_in_flight: int = 0

    def known(self) -> dict[str, int]:
        """Those that are known, by name."""
        values = {one.name: getattr(self, one.name) for one in fields(self)[1:]}
        return {name: value for name, value in values.items() if value}


@dataclass(frozen=True, slots=True)
class Build:
    """Who made the server."""

    product_uri: str = ""
    manufacturer: str = ""
    product: str = ""
    version: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.manufacturer, self.product, self.version) if part)


@cache
def _table() -> dict[str, tuple[re.Pattern[str] | None, Limits]]:
    document: dict[str, dict[str, Any]] = yaml.safe_load(_PROFILES.read_text(encoding="utf-8"))
    table: dict[str, tuple[re.Pattern[str] | None, Limits]] = {}
    for name, entry in document.items():
        match = entry.pop("match", None)
        table[name] = (re.compile(match, re.IGNORECASE) if match else None, Limits(name, **entry))
    return table


def profile_of(build: Build, name: str | None = None) -> Limits:
    """The limits that a make of server is known for.

    Args:
        build: what the server says of itself.
        name: of the profile, where the configuration says it.

    Raises:
        ConfigError: there is no such profile.
    """
    table = _table()
    if name is not None and name not in table:
        raise ConfigError(f"there is no OPC UA profile {name!r}; there are {', '.join(table)}")
    if name is not None:
        return table[name][1]
    said = f"{build.product_uri}\n{build.manufacturer}\n{build.product}"
    found = [limits for match, limits in table.values() if match is not None and match.search(said)]
    return found[0] if found else table[GENERIC][1]


def together(declared: Limits, profile: Limits) -> Limits:
    """The smaller of what both say, where both say something; under the profile's name."""
    known = profile.known()
    for name, value in declared.known().items():
        known[name] = min(value, known.get(name, value))
    return replace(Limits(profile.profile), **known)


async def read_limits(channel: Channel, name: str | None) -> tuple[Limits, Build]:
    """Ask the server; what it does not answer is not known.

    Raises:
        ConfigError: there is no profile of that name.
        Retryable: the connection failed.
    """
    values = await _values(channel, [*_DECLARED.values(), *_BUILD])
    declared = {key: value for key, value in zip(_DECLARED, values, strict=False) if type(value) is int and value > 0}
    build = Build(*(value if isinstance(value, str) else "" for value in values[len(_DECLARED) :]))
    return together(replace(Limits(), **declared), profile_of(build, name)), build


async def _values(channel: Channel, names: list[str]) -> list[object]:
    nodes: list[Opaque] = [ua.NodeId(getattr(ua.ObjectIds, name)) for name in names]
    try:
        answers = await channel.read(nodes, "the server's limits")
    except Refused as error:
        if error.code not in TOO_MANY:
            raise
        answers = [(await channel.read([node], "the server's limits"))[0] for node in nodes]
    return [one.Value.Value if one.Value and one.StatusCode.is_good() else None for one in answers]
