"""Sparkplug's topics, ``spBv1.0/<group>/<kind>/<node>[/<device>]`` and ``spBv1.0/STATE/<host>``, and the STATE message.

In: names. Out: topics and JSON; and back, or None / `Rejected`.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from twin.errors import Rejected

NAMESPACE = "spBv1.0"
MOST_STATE_BYTES = 4096
_MOST_MS = (1 << 63) - 1


class Kind(StrEnum):
    """What a message tells, and of whom: N of a node, D of a device."""

    NBIRTH = "NBIRTH"
    NDEATH = "NDEATH"
    NDATA = "NDATA"
    NCMD = "NCMD"
    DBIRTH = "DBIRTH"
    DDEATH = "DDEATH"
    DDATA = "DDATA"
    DCMD = "DCMD"


_KINDS = frozenset(Kind)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message belongs."""

    group: str
    kind: Kind
    node: str
    device: str = ""  # "" = the node itself

    @property
    def topic(self) -> str:
        """As MQTT wants it."""
        device = f"/{self.device}" if self.device else ""
        return f"{NAMESPACE}/{self.group}/{self.kind}/{self.node}{device}"


def address(topic: str) -> Address | None:
    """Read a topic; None when it is none of a node or a device."""
    parts = topic.split("/")
    if not 4 <= len(parts) <= 5 or parts[0] != NAMESPACE or parts[2] not in _KINDS or not all(parts):
        return None
    kind = Kind(parts[2])
    if kind.startswith("D") != (len(parts) == 5):
        return None
    return Address(parts[1], kind, *parts[3:])


def is_name(text: str) -> bool:
    """Whether it can name a group, a node, a device or a host."""
    return bool(text) and not set(text) & set("/+#\0") and text != "STATE"


def state(host: str) -> str:
    """Whether a host application is online, retained."""
    return f"{NAMESPACE}/STATE/{host}"


@dataclass(frozen=True, slots=True)
class HostState:
    """The STATE message."""

    online: bool
    timestamp_ms: int  # of the connection that it belongs to: its birth and its will bear the same

    def to_json(self) -> bytes:
        """The message."""
        return json.dumps({"online": self.online, "timestamp": self.timestamp_ms}).encode("ascii")

    @classmethod
    def from_json(cls, data: bytes) -> "HostState":
        """Read the message.

        Raises:
            Rejected: 'malformed'.
        """
        if len(data) > MOST_STATE_BYTES:
            raise Rejected("malformed", f"a STATE message of {len(data)} bytes is not allowed")
        try:
            document: Any = json.loads(data)
            online, timestamp_ms = document["online"], document["timestamp"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise Rejected("malformed", f"not a STATE message of Sparkplug 3.0: {error!r}") from error
        if type(online) is not bool or type(timestamp_ms) is not int or not 0 <= timestamp_ms <= _MOST_MS:
            raise Rejected("malformed", "a STATE message whose online or timestamp is none")
        return cls(online, timestamp_ms)
