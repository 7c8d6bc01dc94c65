"""Hop *send*: what the handles of a node's batches mean. Retained, one topic per hash: old batches stay readable.

In: the agent's configuration. Out: JSON; and back, or `Rejected`.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from twin.errors import Rejected
from twin.wire.topic import NODE_NAME

FORMAT = 1
KINDS = frozenset({"measurement", "counter", "state", "text"})
MOST_BYTES = 16 << 20
MOST_HANDLE = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class SchemaEntry:
    """One signal of a node."""

    handle: int  # 0 … 2^31-1, unique within the schema
    path: str  # asset path / signal name
    kind: str  # measurement | counter | state | text
    unit: str  # "" = none


@dataclass(frozen=True)
class NodeSchema:
    """All signals of a node. Two schemas with the same content have the same hash, whatever their order was."""

    node: str
    entries: tuple[SchemaEntry, ...]

    @cached_property
    def hash(self) -> str:
        """16 hex digits over the content."""
        return hashlib.sha256(self.to_json()).hexdigest()[:16]

    def to_json(self) -> bytes:
        """Canonical: sorted by handle."""
        signals = [[entry.handle, entry.path, entry.kind, entry.unit] for entry in sorted(self.entries, key=_handle)]
        document = {"format": FORMAT, "node": self.node, "signals": signals}
        return json.dumps(document, separators=(",", ":")).encode("ascii")

    @classmethod
    def from_json(cls, data: bytes) -> "NodeSchema":
        """Read a schema.

        Raises:
            Rejected: 'malformed'.
        """
        if len(data) > MOST_BYTES:
            raise Rejected("malformed", f"a schema of {len(data)} bytes is not allowed")
        try:
            document: Any = json.loads(data)
            node, signals = document["node"], document["signals"]
            entries = tuple(_entry(*signal) for signal in signals)
            unique = len({entry.handle for entry in entries}) == len({entry.path for entry in entries}) == len(entries)
            if document["format"] != FORMAT or not unique or not NODE_NAME.fullmatch(node):
                raise ValueError("another format, a bad node name, or a handle or path that stands twice")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise Rejected("malformed", f"not a schema: {error!r}") from error
        return cls(cast("str", node), entries)


def _entry(handle: object, path: object, kind: object, unit: object) -> SchemaEntry:
    if type(handle) is not int or not 0 <= handle <= MOST_HANDLE or not isinstance(kind, str):
        raise TypeError(f"handle {handle!r} of kind {kind!r}")
    if not isinstance(path, str) or not isinstance(unit, str) or not (path + unit).isprintable() or not path:
        raise TypeError("path and unit must be texts")
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}")
    return SchemaEntry(handle, path, kind, unit)


def _handle(entry: SchemaEntry) -> int:
    return entry.handle
