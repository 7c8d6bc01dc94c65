"""Is a new configuration as good as the one before (pure)? In: what the sources counted. Out: why not, in words.

A source that was connected has to be connected at the end; the sources that there still are have to bring their share
of the values per second that they brought before.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pydantic import Field

from edge.sources.source import SourceState, SourceStatus
from twin.settings import Settings

_LEAST_VALUES = 20  # fewer before the change say nothing about a rate


class Look(NamedTuple):
    """The sources at one instant."""

    at_s: float
    connected: frozenset[str]
    values: Mapping[str, int]  # since the agent's start
    details: Mapping[str, str]


class Before(Settings):
    """What the configuration before brought."""

    connected: tuple[str, ...] = ()
    values_per_s: dict[str, float] = Field(
        default_factory=dict[str, float]
    )  # of the sources whose rate is known well enough
    least_share: float = 0.5


def look(statuses: Iterable[SourceStatus], at_s: float) -> Look:
    """Take down how the sources are now."""
    listed = list(statuses)
    return Look(
        at_s,
        frozenset(one.name for one in listed if one.state is SourceState.CONNECTED),
        {one.name: one.values for one in listed},
        {one.name: one.detail for one in listed},
    )


def before(looks: Sequence[Look], least_share: float) -> Before:
    """Sum up the looks of the configuration that is about to go."""
    if not looks:
        return Before(least_share=least_share)
    first, last = looks[0], looks[-1]
    counted = {name for name in last.values if _grown(first, last, name) >= _LEAST_VALUES}
    return Before(
        connected=tuple(sorted(last.connected)),
        values_per_s={name: rate for name, rate in _rates(looks).items() if name in counted},
        least_share=least_share,
    )


def complaint(then: Before, looks: Sequence[Look]) -> str:
    """What is worse than before; empty when nothing is.

    looks: of the later part of the probation, when all has had time to connect.
    """
    last = looks[-1]
    lost = [name for name in then.connected if name in last.values and name not in last.connected]
    if lost:
        name = lost[0]
        detail = f" ({last.details[name]})" if last.details[name] else ""
        return f"source {name} was connected before and is not now{detail}"
    rates = _rates(looks)
    common = [name for name in then.values_per_s if name in last.values]
    expected = sum(then.values_per_s[name] for name in common)
    found = sum(rates.get(name, 0.0) for name in common)
    if common and found < then.least_share * expected:
        return f"{found:.1f} values/s come from {', '.join(common)}, {expected:.1f} came before"
    return ""


def _rates(looks: Sequence[Look]) -> dict[str, float]:
    first, last = looks[0], looks[-1]
    over_s = last.at_s - first.at_s
    return {name: _grown(first, last, name) / over_s for name in last.values} if over_s > 0 else {}


def _grown(first: Look, last: Look, name: str) -> int:
    return last.values[name] - first.values.get(name, 0)
