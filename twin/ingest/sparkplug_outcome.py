"""What the messages of a Sparkplug edge node come to: values, holes, births and refusals by metric. Pure data.

In: `twin.ingest.sparkplug_session`. Out: to `twin.ingest.sparkplug_desk`.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from twin.ingest.sparkplug_samples import Refusal, Value
from twin.wire.reading import GapCause, Lane
from twin.wire.sparkplug_receipt import MetricGap


class Key(NamedTuple):
    """A metric within its node; device "" is the node itself."""

    device: str
    name: str


class Hole(NamedTuple):
    """[from_ns, to_ns) in which values of one metric may be missing."""

    key: Key
    from_ns: int
    to_ns: int
    cause: GapCause
    detail: str


class Birth(NamedTuple):
    """A metric that a birth names, since when."""

    key: Key
    unit: str
    time_ns: int
    first: bool  # not heard of before


class Numbered(NamedTuple):
    """One whole batch of a node that numbers them."""

    epoch: str
    number: int
    lane: Lane
    values: tuple[tuple[Key, Value], ...]
    gaps: tuple[MetricGap, ...]


@dataclass(slots=True)
class Outcome:
    """What one message, or the passing of time, comes to."""

    values: list[tuple[Key, Value]] = field(default_factory=list[tuple[Key, Value]])
    holes: list[Hole] = field(default_factory=list[Hole])
    births: list[Birth] = field(default_factory=list[Birth])
    refusals: list[tuple[Key, Refusal]] = field(default_factory=list[tuple[Key, Refusal]])
    batches: list[Numbered] = field(default_factory=list[Numbered])
    rebirth: str = ""  # why a Rebirth is wanted; "" = it is not
    changed: bool = False  # the node or a device came or went
