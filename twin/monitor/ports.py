"""What the monitor needs from its neighbours: the store behind it and the live feed before it."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from twin.samples import SampleBatch
from twin.state.alarm_model import Action, AlarmRule, AlarmState, AlarmTransition
from twin.state.model import Finding, Transition

Publish = Callable[[str, bytes], Awaitable[None]]
"""Put a payload on a retained topic of the live feed."""


class CommittedBatch(Protocol):
    """A batch that is in the store; `seq` is its place in the order of commitment, the same live and in replay."""

    @property
    def seq(self) -> int: ...  # noqa: D102
    @property
    def batch(self) -> SampleBatch: ...  # noqa: D102


class Samples(Protocol):
    """Replay in the order of commitment."""

    def since(self, seq: int, limit_batches: int = 500) -> AsyncIterator[tuple[int, SampleBatch]]:
        """Every batch after `seq`, `limit_batches` at a time; the same columns in the same order as when committed."""
        ...


class Findings(Protocol):
    """Findings, transitions and the watermark up to which they are complete."""

    async def write(self, seq: int, findings: Sequence[Finding], transitions: Sequence[Transition], key: str) -> None:
        """One transaction; writing the same again changes nothing."""
        ...


class States(Protocol):
    """Snapshots of the engine."""

    async def save_snapshots(self, seq: int, states: Mapping[str, bytes]) -> None:
        """Replace the snapshot of each key, all of them or none."""
        ...

    async def load_snapshot(self, key: str) -> tuple[int, bytes] | None:
        """The last one, or None."""
        ...


class StoredModel(Protocol):
    """A version of a fitted model."""

    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def params(self) -> bytes: ...  # noqa: D102


class Models(Protocol):
    """Fitted models."""

    async def versions(self, kind: str) -> Mapping[str, int]:
        """The version in use of every subject."""
        ...

    async def champion(self, kind: str, subject: str) -> StoredModel | None:
        """The model in use of one subject."""
        ...


class KeptAlarms(Protocol):
    """What the last write of the alarms left."""

    @property
    def seq(self) -> int: ...  # noqa: D102
    @property
    def states(self) -> Sequence[AlarmState]: ...  # noqa: D102
    @property
    def rest(self) -> Mapping[str, Any] | None: ...  # noqa: D102


class AlarmStore(Protocol):
    """The alarms and up to which batch they are complete."""

    async def load(self) -> KeptAlarms:
        """Everything that the last write left."""
        ...

    async def write(
        self,
        seq: int,
        alarms: Iterable[tuple[AlarmRule, AlarmState]],
        transitions: Sequence[AlarmTransition],
        rest: Mapping[str, Any],
    ) -> None:
        """One transaction; writing the same again changes nothing."""
        ...


class OperatorActions(Protocol):
    """What operators do, in the order in which it takes effect."""

    def follow(self, identity: int) -> AsyncGenerator[Action]:
        """Every action behind an id, for ever, each as soon as it is kept; raises Retryable when the store goes."""
        ...


class MonitorStore(Protocol):
    """The parts of the store that the monitor uses."""

    @property
    def samples(self) -> Samples: ...  # noqa: D102
    @property
    def findings(self) -> Findings: ...  # noqa: D102
    @property
    def states(self) -> States: ...  # noqa: D102
    @property
    def models(self) -> Models: ...  # noqa: D102
    @property
    def alarms(self) -> AlarmStore: ...  # noqa: D102
    @property
    def actions(self) -> OperatorActions: ...  # noqa: D102
