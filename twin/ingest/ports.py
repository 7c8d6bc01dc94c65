"""What ingest needs from its neighbours, and the counters that it offers them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from twin.ingest.admit import Admitted
from twin.samples import Committed, SampleBatch
from twin.wire.receipt import Receipt
from twin.wire.schema import NodeSchema

OnCommitted = Callable[[Sequence[Committed]], Awaitable[None]]  # only batches with a seq, in its order
OnHealth = Callable[[str, Mapping[str, Any]], Awaitable[None]]  # node, its newest report


class SampleStore(Protocol):
    """Where batches go."""

    async def commit(self, admitted: Sequence[Admitted]) -> list[Committed]:
        """All of them in one transaction, one `Committed` each in the same order; Retryable when the store is away."""
        ...

    def since(self, seq: int) -> AsyncIterator[tuple[int, SampleBatch]]:
        """The committed batches behind `seq`, in its order."""
        ...


class LastSample(Protocol):
    """The newest stored value of a signal, as far as ingest needs it."""

    @property
    def time_ns(self) -> int:
        """Its source time."""
        ...


class LastSamples(Protocol):
    """Until when signals are stored."""

    async def last(self, signal_ids: Sequence[int]) -> Mapping[int, LastSample]:
        """By signal id, without those that have none; Retryable when the store is away."""
        ...


class NodeStore(Protocol):
    """Schemas, for ever, so that a batch stays readable when the broker has forgotten them; and receipts."""

    async def schemas(self) -> list[NodeSchema]:
        """All of them."""
        ...

    async def save_schema(self, schema: NodeSchema) -> None:
        """Keep one; the same again changes nothing."""
        ...

    async def receipts(self) -> list[tuple[str, Receipt]]:
        """(node, receipt) of every epoch."""
        ...


class SamplesOfStore(SampleStore, LastSamples, Protocol):
    """Both."""


class IngestStore(Protocol):
    """The store as ingest sees it."""

    @property
    def samples(self) -> "SamplesOfStore":
        """Batches."""
        ...

    @property
    def nodes(self) -> NodeStore:
        """Schemas and receipts."""
        ...


@dataclass(slots=True)
class Counters:
    """What has passed since the start; written by ingest alone."""

    batches: int = 0  # committed, their numbers new
    repeated: int = 0  # batches whose number was there already
    rows: int = 0  # samples that entered
    texts: int = 0
    rejected: int = 0  # rejections recorded
    malformed: int = 0  # payloads that could not be read
    unknown_schema: int = 0  # batches that came before their schema
    commits: int = 0  # transactions
    commit_s: float = 0.0  # time spent in them
    store_failures: int = 0
    waiting_rows: int = 0  # admitted and not committed yet
    sparkplug_messages: int = 0
    sparkplug_ignored: int = 0  # values of metrics that are no signals of the plant model
    sparkplug_refused: int = 0  # values that came to nothing for another reason; named once per birth
    sparkplug_rebirths: int = 0  # asked for

    def to_json(self) -> dict[str, float]:
        """For the health document."""
        return asdict(self)
