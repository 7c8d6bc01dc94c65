"""Hop *admit*: what may enter the store, and why the rest may not. Pure.

In: a decoded batch and the registry of its schema. Out: `Admitted`: rows with the store's signal ids, sorted, unique,
in whole microseconds; gaps by signal; rejections with reasons. Of two rows with one key the later in the batch stays.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.ingest.decode import Received
from twin.plant.units import is_same_unit
from twin.samples import SampleBatch, TextColumns
from twin.wire.reading import Lane, Quality
from twin.wire.schema import NodeSchema, SchemaEntry

EARLIEST_NS = 946_684_800_000_000_000  # 2000-01-01: below it a clock has lost its battery
AHEAD_NS = 86_400_000_000_000  # of its reception a sample cannot be
MOST_PER_REASON = 20  # rejections of one signal for one reason in one batch; the rest are told in one more
MOST_REJECTIONS = 1000  # of one batch, likewise
MOST_TEXT = 65_536  # characters
_US = 1000
_INT32 = (1 << 31) - 1

Rows = NDArray[np.intp]


class Expected(NamedTuple):
    """What the plant model says of a signal."""

    kind: str
    unit: str


@dataclass(frozen=True, slots=True)
class Registry:
    """What the handles of one schema mean to this store; arrays sorted by handle."""

    handle: NDArray[np.int32]
    signal: NDArray[np.int32]  # the store's id, -1 where it knows no such signal
    text: NDArray[np.bool_]  # the signal's values are texts
    paths: tuple[str, ...]
    units: tuple[str, ...]  # where the node's unit is another one than the plant model's: both, in words; else ""

    @property
    def wrong_unit(self) -> NDArray[np.bool_]:
        """Which of them have a unit that would falsify their values."""
        return np.array([bool(words) for words in self.units], np.bool_)

    def rows(self, handles: NDArray[np.int32]) -> Rows:
        """The place of each handle here, -1 where the schema has none."""
        if not len(self.handle):
            return np.full(len(handles), -1, np.intp)
        found = np.minimum(np.searchsorted(self.handle, handles), len(self.handle) - 1)
        found[self.handle[found] != handles] = -1
        return found


@dataclass(frozen=True, slots=True)
class Rejection:
    """One input that did not enter the store."""

    reason: (
        str  # malformed | wrong-node | unknown-signal | wrong-type | wrong-unit | out-of-time | not-finite | bad-text
    )
    detail: str
    signal_path: str | None = None
    time_ns: int | None = None
    value_text: str | None = None


@dataclass(frozen=True, slots=True)
class SignalGap:
    """An interval [from_ns, to_ns) in which readings of one signal may be missing."""

    signal_id: int
    from_ns: int
    to_ns: int
    cause: str
    detail: str
    state: str = "lost"  # open | backfilled | lost


@dataclass(frozen=True, slots=True)
class Admitted:
    """What the store commits of one batch."""

    batch: SampleBatch
    gaps: tuple[SignalGap, ...]
    rejections: tuple[Rejection, ...]


def registry(schema: NodeSchema, signal_ids: Mapping[str, int], plant: Mapping[str, Expected]) -> Registry:
    """Join a node's schema with what the plant model (by path) and the store (path → id) know."""
    entries = sorted(schema.entries, key=lambda entry: entry.handle)
    known = [signal_ids.get(entry.path, -1) if entry.path in plant else -1 for entry in entries]
    return Registry(
        np.array([entry.handle for entry in entries], np.int32),
        np.array(known, np.int32),
        np.array([entry.path in plant and plant[entry.path].kind == "text" for entry in entries], np.bool_),
        tuple(entry.path for entry in entries),
        tuple(_unit_mismatch(entry, plant.get(entry.path)) for entry in entries),
    )


def _unit_mismatch(entry: SchemaEntry, plant: Expected | None) -> str:
    """In words; a node that names no unit is taken at the plant model's."""
    if plant is None or not entry.unit or is_same_unit(entry.unit, plant.unit):
        return ""
    return f"the node says {entry.unit!r}, the plant model {plant.unit!r}"


def admit(received: Received, known: Registry) -> Admitted:
    """Sort the rows into those that enter and those that do not."""
    batch, rejections = received.batch, list[Rejection]()
    numbers = _Rows(batch.signal, batch.time, batch.received, known, received.created_ns)
    bad = numbers.wrong(~np.isfinite(batch.value) & (batch.quality & Quality.SEVERITY != Quality.BAD), "not-finite")
    rejections += _explain(numbers, bad, known, lambda row: repr(float(batch.value[row])))
    texts = _Rows(batch.texts.signal, batch.texts.time, batch.texts.received, known, received.created_ns, text=True)
    unfit = np.array([not _storable(text) for text in batch.texts.text], np.bool_)
    bad = texts.wrong(unfit, "bad-text")
    rejections += _explain(texts, bad, known, lambda row: ascii(batch.texts.text[row][:200])[1:-1])
    gaps, unknown = _gaps(received, known)
    rest = _take_texts(batch.texts, texts.kept(), texts.signal)
    return Admitted(_take(batch, numbers.kept(), numbers.signal, rest), gaps, _bounded([*rejections, *unknown]))


def refused(node: str, rejection: Rejection, *, epoch: str = "", number: int = 0, lane: Lane = Lane.LIVE) -> Admitted:
    """No rows, but a reason, and the number that the node's spool may forget."""
    none = np.empty(0, np.int64)
    texts = TextColumns(none.astype(np.int32), none, (), none.astype(np.uint8), none, none)
    batch = SampleBatch(
        node, epoch, number, lane, texts.signal, none, none.astype(np.float64), texts.quality, none, none, texts
    )
    return Admitted(batch, (), (rejection,))


class _Rows:
    """Numeric or text rows on their way through the checks; a row keeps the first reason that hits it."""

    def __init__(
        self,
        handle: NDArray[np.int32],
        time: NDArray[np.int64],
        received: NDArray[np.int64],
        known: Registry,
        created_ns: int,
        *,
        text: bool = False,
    ) -> None:
        place = known.rows(handle)
        there = place >= 0
        self.handle: NDArray[np.int32] = handle
        self.time: NDArray[np.int64] = time
        self.place: Rows = place
        self.signal: NDArray[np.int32] = np.full(len(handle), -1, np.int32)
        self.signal[there] = known.signal[place[there]]
        self._reason: NDArray[np.int8] = np.zeros(len(handle), np.int8)
        self._reasons: list[str] = [""]
        self.wrong(self.signal < 0, "unknown-signal")
        mismatch = np.zeros(len(handle), np.bool_)
        mismatch[there] = known.text[place[there]] != text
        self.wrong(mismatch, "wrong-type")
        mismatch[there] = known.wrong_unit[place[there]]
        self.wrong(mismatch, "wrong-unit")
        seen = np.where(received > EARLIEST_NS, received, created_ns)
        limit = np.where(seen > np.iinfo(np.int64).max - AHEAD_NS, seen, seen + AHEAD_NS)
        self.wrong((time < EARLIEST_NS) | (time > limit), "out-of-time")

    def wrong(self, which: NDArray[np.bool_], reason: str) -> "list[tuple[str, Rows]]":
        """Mark rows; gives all marked rows so far, by reason."""
        self._reasons.append(reason)
        if which.any():
            self._reason[which & (self._reason == 0)] = len(self._reasons) - 1
        if not self._reason.any():
            return []
        marked = [(name, np.flatnonzero(self._reason == code)) for code, name in enumerate(self._reasons) if code]
        return [(name, rows) for name, rows in marked if len(rows)]

    def kept(self) -> Rows:
        """The rows that enter, sorted by (signal, time), the last of each key."""
        good = np.flatnonzero(self._reason == 0)
        signal, time = self.signal[good], self.time[good] // _US
        if not _ascending(signal, time):
            order = np.lexsort((time, signal))  # stable: of one key the later row comes last
            good, signal, time = good[order], signal[order], time[order]
            last = np.ones(len(good), np.bool_)
            last[:-1] = (signal[1:] != signal[:-1]) | (time[1:] != time[:-1])
            good = good[last]
        return good


def _ascending(signal: NDArray[np.int32], time: NDArray[np.int64]) -> bool:
    same = signal[1:] == signal[:-1]
    return bool(np.all((signal[1:] > signal[:-1]) | (same & (time[1:] > time[:-1]))))


def _take(batch: SampleBatch, rows: Rows, signal: NDArray[np.int32], texts: TextColumns) -> SampleBatch:
    return replace(
        batch,
        signal=signal[rows],
        time=_whole(batch.time[rows]),
        value=batch.value[rows],
        quality=batch.quality[rows],
        server=_whole(batch.server[rows]),
        received=_whole(batch.received[rows]),
        texts=texts,
    )


def _take_texts(texts: TextColumns, rows: Rows, signal: NDArray[np.int32]) -> TextColumns:
    return TextColumns(
        signal[rows],
        _whole(texts.time[rows]),
        tuple(texts.text[int(row)] for row in rows),
        texts.quality[rows],
        _whole(texts.server[rows]),
        _whole(texts.received[rows]),
    )


def _whole(time: NDArray[np.int64]) -> NDArray[np.int64]:
    return time - time % _US


def _storable(text: str) -> bool:
    return len(text) <= MOST_TEXT and "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)


_DETAILS = {
    "unknown-signal": "the plant model has no such signal",
    "wrong-type": "a number where the plant model has text, or text where it has numbers",
    "wrong-unit": "",  # told of each signal in its own words
    "out-of-time": "measured before the year 2000 or more than a day after its reception",
    "not-finite": "a value that is no number, without a bad quality that says so",
    "bad-text": "a text that is too long or holds signs that no database keeps",
}


def _explain(
    rows: _Rows, wrong: "list[tuple[str, Rows]]", known: Registry, value: Callable[[int], str]
) -> Iterator[Rejection]:
    """One rejection per row, and one for all that a signal has beyond `MOST_PER_REASON`."""
    for reason, which in wrong:
        for handle in np.unique(rows.handle[which]).tolist():
            hit = which[rows.handle[which] == handle].tolist()
            place = int(rows.place[hit[0]])
            path = _path(known, place)
            detail = _DETAILS[reason] or known.units[place] if path else f"the node's schema has no handle {handle}"
            for row in hit[:MOST_PER_REASON]:
                yield Rejection(reason, detail, path, int(rows.time[row]), value(row))
            if len(hit) > MOST_PER_REASON:
                yield Rejection(reason, f"{detail}; {len(hit) - MOST_PER_REASON} more of this batch", path)


def _bounded(rejections: list[Rejection]) -> tuple[Rejection, ...]:
    if len(rejections) <= MOST_REJECTIONS:
        return tuple(rejections)
    rest = len(rejections) - MOST_REJECTIONS
    return (*rejections[:MOST_REJECTIONS], Rejection("too-many", f"{rest} more rejections of this batch"))


def _path(known: Registry, place: int) -> str | None:
    return known.paths[place] if place >= 0 else None


def _gaps(received: Received, known: Registry) -> tuple[tuple[SignalGap, ...], list[Rejection]]:
    found: list[SignalGap] = []
    unknown: list[Rejection] = []
    for gap in received.gaps:
        if gap.from_ns >= gap.to_ns:
            unknown.append(
                Rejection("malformed", f"a gap ({gap.cause}) that ends before it begins: {gap.detail[:200]}")
            )
            continue
        handles = np.array([handle for handle in gap.handles if 0 <= handle <= _INT32], np.int32)
        place = known.rows(handles)
        signals = known.signal[place[place >= 0]]
        signals = np.unique(signals[signals >= 0])
        found += [SignalGap(signal, *gap[1:]) for signal in signals.tolist()]
        if len(signals) < len(set(gap.handles)):
            missing = len(set(gap.handles)) - len(signals)
            unknown.append(Rejection("unknown-signal", f"a gap ({gap.cause}) of {missing} signals nobody knows"))
    return tuple(found), unknown
