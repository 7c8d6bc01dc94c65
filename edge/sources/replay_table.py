"""Hop *name*, replay (pure): a row's cells → its time and values. In: cells. Out: `Named`, or `Rejected`."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.leaves import Convert, converter
from edge.sources.replay_settings import ReplaySettings
from edge.steps import plain_text
from edge.timestamps import timestamp_ns, zone_named
from twin.errors import ConfigError, Rejected
from twin.wire.reading import Quality

_Value = tuple[int, float | str, int]  # handle, value, quality


@dataclass(slots=True)
class Named:
    """What one row says."""

    time_ns: int
    values: list[_Value] = field(default_factory=list[_Value])
    rejected: list[Rejected] = field(default_factory=list[Rejected])


@dataclass(frozen=True, slots=True)
class _Target:
    handle: int
    path: str
    place: int  # of its column
    convert: Convert
    missing: float | str
    comma: bool  # stands for the decimal point


class Table:
    """The columns of one file, by the settings; made anew for each file.

    Raises:
        ConfigError: a column is missing or stands twice.
    """

    def __init__(self, settings: ReplaySettings, handles: Mapping[str, int], header: Sequence[str], path: Path) -> None:
        self._header = header
        self._path = path
        self._time = tuple(self._place(name) for name in settings.time_column)
        self._format = settings.time_format
        self._zone = zone_named(settings.timezone)
        self.others = 0  # rows of signals that nobody asks for
        if settings.long is None:
            self._targets = tuple(self._target(settings, path, name, handles) for path, name in settings.feeds())
            self._values: Callable[[Sequence[object], Named], None] = self._wide
        else:
            self._signal = self._place(settings.long.signal_column)
            self._by_word = {
                settings.signals[name].called or name: self._target(settings, path, name, handles)
                for path, name in settings.feeds()
            }
            self._values = self._long

    def read(self, cells: Sequence[object]) -> Named:
        """The time and the values of one row; what cannot be a value is listed beside the rest.

        Raises:
            Rejected: the row has no time.
        """
        named = Named(self._time_ns(cells))
        self._values(cells, named)
        return named

    def _time_ns(self, cells: Sequence[object]) -> int:
        if len(self._time) == 1:
            found = cells[self._time[0]]
            said = found.strip() if isinstance(found, str) else found
        else:
            said = " ".join((plain_text(cells[place]) or "").strip() for place in self._time)
        return timestamp_ns(said, self._format, self._zone)

    def _wide(self, cells: Sequence[object], named: Named) -> None:
        for target in self._targets:
            cell = cells[target.place]
            if cell is not None and cell != "":
                _convert(target, cell, named)

    def _long(self, cells: Sequence[object], named: Named) -> None:
        target = self._by_word.get((plain_text(cells[self._signal]) or "").strip())
        if target is None:
            self.others += 1
        else:
            _convert(target, cells[target.place], named)

    def _target(self, settings: ReplaySettings, path: str, name: str, handles: Mapping[str, int]) -> _Target:
        signal = settings.signals[name]
        column = settings.long.value_column if settings.long else signal.called or name
        is_text = signal.kind == "text"
        convert = converter(signal.mapped, frozenset(settings.unavailable), {})
        missing = "" if is_text else math.nan
        return _Target(
            handles[path], path, self._place(column), convert, missing, not is_text and settings.decimal == ","
        )

    def _place(self, name: str) -> int:
        count = self._header.count(name)
        if count == 1:
            return self._header.index(name)
        what = "stands twice in its header" if count else "is not a column of it"
        listed = ", ".join(self._header[:50]) or "nothing"
        raise ConfigError(f"{self._path}: {name!r} {what}; it has {listed}")


def _convert(target: _Target, cell: object, named: Named) -> None:
    if isinstance(cell, float) and math.isnan(cell):
        named.values.append((target.handle, target.missing, Quality.BAD))
        return
    if target.comma and isinstance(cell, str):
        cell = cell.replace(",", ".")
    try:
        value, quality = target.convert(cell, "")
    except Rejected as error:
        named.rejected.append(Rejected(error.reason, f"{target.path}: {error}"))
    else:
        named.values.append((target.handle, value, quality))
