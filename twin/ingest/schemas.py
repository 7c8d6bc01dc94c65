"""Hop *receive*: which schemas are known, what they mean to this store, and the batches that came before theirs.

In: schemas, and batches whose schema is not known yet. Out: registries, and those batches again. Bounded: what does not
fit is left to the node, which sends it again.
"""

from collections.abc import Mapping

from twin.ingest.admit import Expected, Registry, registry
from twin.ingest.decode import Received
from twin.wire.schema import NodeSchema

MOST_PARKED_BYTES = 16 << 20  # of payloads

_Key = tuple[str, str]  # node, hash


class Schemas:
    """The schemas of all nodes."""

    def __init__(self, signal_ids: Mapping[str, int], plant: Mapping[str, Expected]) -> None:
        self._signal_ids: Mapping[str, int] = signal_ids
        self._plant: Mapping[str, Expected] = plant
        self._schemas: dict[_Key, NodeSchema] = {}
        self._registries: dict[_Key, Registry] = {}
        self._parked: dict[_Key, list[Received]] = {}
        self._parked_bytes: dict[_Key, int] = {}

    def add(self, schema: NodeSchema) -> bool:
        """Remember a schema; False when it is known."""
        key = (schema.node, schema.hash)
        if key in self._schemas:
            return False
        self._schemas[key] = schema
        return True

    def registry(self, node: str, schema_hash: str) -> Registry | None:
        """What the handles of a batch mean; None when its schema is not known."""
        key = (node, schema_hash)
        if key not in self._registries:
            schema = self._schemas.get(key)
            if schema is None:
                return None
            self._registries[key] = registry(schema, self._signal_ids, self._plant)
        return self._registries[key]

    def park(self, received: Received, size: int) -> None:
        """Keep a batch until its schema comes, as long as there is room."""
        key = (received.batch.node, received.schema_hash)
        if sum(self._parked_bytes.values()) + size > MOST_PARKED_BYTES:
            return
        self._parked.setdefault(key, []).append(received)
        self._parked_bytes[key] = self._parked_bytes.get(key, 0) + size

    def unpark(self, node: str, schema_hash: str) -> list[Received]:
        """The batches that waited for this schema, oldest first."""
        self._parked_bytes.pop((node, schema_hash), None)
        return self._parked.pop((node, schema_hash), [])
