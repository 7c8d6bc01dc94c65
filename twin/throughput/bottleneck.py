"""Time lines of the machines of a line → sole and shifting bottleneck per machine, and where the arrows point.

Active is whatever is not waiting for another machine: production, setup, failure, every stop of its own. Inactive is
starved, blocked, planned stops, time outside the plan and time of which nothing is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.plant.elements import Element
from twin.plant.flow import Link
from twin.throughput.elements import NUMBER, TimeLine

ACTIVE = (Element.PRODUCTION, Element.SETUP, Element.FAILURE, Element.MINOR_STOP, Element.DELAY, Element.MAINTENANCE)


@dataclass(frozen=True, slots=True)
class Share:
    """How much of the window a machine was the bottleneck, and how much of it it waited for others."""

    asset: str
    sole: float  # share of the window
    shifting: float
    starved: float
    blocked: float


@dataclass(frozen=True, slots=True)
class Arrow:
    """Where the bottleneck lies, seen from a link: downstream when the source is blocked more than the target starves.

    Li and Meerkov, Production Systems Engineering, 2009, chapter 5: the machine that no arrow leaves is a bottleneck.
    """

    source: str
    target: str
    points_to: str


@dataclass(frozen=True, slots=True)
class Momentary:
    """One link of the chain: a machine is the bottleneck from start to end."""

    asset: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Bottlenecks:
    """What a window says."""

    shares: tuple[Share, ...]  # in the order of the line
    arrows: tuple[Arrow, ...]
    chain: tuple[Momentary, ...]

    @property
    def now(self) -> str | None:
        """The machine that was the bottleneck last, when its period reaches the end of the window."""
        return self.chain[-1].asset if self.chain else None


def bottlenecks(lines: Mapping[str, TimeLine], flow: Sequence[Link], start_ns: int, end_ns: int) -> Bottlenecks:
    """The bottlenecks among these units in [start, end); the lines may reach further."""
    from twin.kernels.periods import bottleneck_chain, bottleneck_shares  # the compiler is loaded by whoever needs it

    assets = list(lines)
    periods = [active_periods(line) for line in lines.values()]
    start = np.concatenate([one[0] for one in periods]) if periods else np.zeros(0, np.int64)
    stop = np.concatenate([one[1] for one in periods]) if periods else np.zeros(0, np.int64)
    counts = [len(one[0]) for one in periods]
    first = np.cumsum([0, *counts], dtype=np.int64)
    machine = np.repeat(np.arange(len(assets)), counts).astype(np.int64)
    chain = np.zeros(len(start) + 1, np.int64)
    found = bottleneck_chain(start, stop, first, start_ns, end_ns, chain)
    sole, shifting = np.zeros(len(assets), np.int64), np.zeros(len(assets), np.int64)
    bottleneck_shares(start, stop, machine, chain[:found], start_ns, end_ns, sole, shifting)
    span_ns = max(end_ns - start_ns, 1)
    waits = {asset: _waits(line, start_ns, end_ns) for asset, line in lines.items()}
    return Bottlenecks(
        tuple(
            Share(asset, int(sole[at]) / span_ns, int(shifting[at]) / span_ns, *waits[asset])
            for at, asset in enumerate(assets)
        ),
        tuple(_arrows(flow, waits)),
        tuple(
            Momentary(assets[int(machine[one])], max(int(start[one]), start_ns), min(int(stop[one]), end_ns))
            for one in chain[:found].tolist()
        ),
    )


def active_periods(line: TimeLine) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Start and stop of every uninterrupted active period, ns UTC."""
    active = np.isin(line.element, [NUMBER[one] for one in ACTIVE])
    edges = np.diff(np.concatenate([[0], active.astype(np.int8), [0]]))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    return line.start[begins], line.end[ends]


def _waits(line: TimeLine, start_ns: int, end_ns: int) -> tuple[float, float]:
    """Shares of the window that were starved and blocked."""
    inside = np.clip(line.end, start_ns, end_ns) - np.clip(line.start, start_ns, end_ns)
    span_ns = max(end_ns - start_ns, 1)

    def share(element: Element) -> float:
        return int(inside[line.element == NUMBER[element]].sum()) / span_ns

    return share(Element.STARVED), share(Element.BLOCKED)


def _arrows(flow: Sequence[Link], waits: Mapping[str, tuple[float, float]]) -> list[Arrow]:
    found: list[Arrow] = []
    for link in flow:
        if link.source in waits and link.target in waits:
            blocked, starved = waits[link.source][1], waits[link.target][0]
            if blocked != starved:
                found.append(Arrow(link.source, link.target, link.target if blocked > starved else link.source))
    return found
