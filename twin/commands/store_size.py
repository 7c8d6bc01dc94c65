"""`twin store size`: what a year takes on disk, what is kept in the end. In: plant model, settings, store. Out: lines.

The plant model says how many samples there are at most: one each `period_s`. What a row takes is measured where a
table holds enough rows, else it is what was measured on PostgreSQL 18.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from twin.commands.reading_words import size_words, table
from twin.commands.settings import TwinSettings
from twin.learn.store_settings import Retention
from twin.plant.load import load_plant
from twin.plant.tree import Kind, Plant
from twin.store.connect import Store, open_store
from twin.store.sizes import Brought, TableSize

_DAY_S, _YEAR = 86_400, 365
_ENOUGH = 100_000  # rows that a measurement needs
_ROW_BYTES = {"sample": 118.0, "sample_text": 130.0, "rollup_minute": 135.0, "rollup_hour": 135.0, "rollup_day": 135.0}
_LATELY_DAYS = 7


@dataclass(frozen=True, slots=True)
class Tier:
    """What one kind of rows takes."""

    name: str
    table: str
    rows_per_day: float
    days: int | None  # None: for ever
    row_bytes: float
    is_measured: bool

    @property
    def year_bytes(self) -> float:
        """What a year of them takes."""
        return self.rows_per_day * _YEAR * self.row_bytes

    @property
    def kept_bytes(self) -> float:
        """What is kept in the end; of what is kept for ever, ten years."""
        return self.rows_per_day * (self.days or 10 * _YEAR) * self.row_bytes


def tiers(plant: Plant, retention: Retention, measured: Mapping[str, TableSize]) -> list[Tier]:
    """Samples by kind, then roll-ups."""
    names = {kind: f"{kind.value} samples" for kind in Kind}
    rates = dict.fromkeys(Kind, 0.0)
    for signal in plant.signals:
        rates[signal.kind] += _DAY_S / signal.period_s
    found = [
        _tier(names[kind], "sample_text" if kind is Kind.TEXT else "sample", rate, retention.by_kind[kind], measured)
        for kind, rate in rates.items()
    ]
    numbers = [signal for signal in plant.signals if signal.kind is not Kind.TEXT]
    for name, per_day, days in (("minute", 1_440, retention.minutes), ("hour", 24, None), ("day", 1, None)):
        found.append(_tier(f"{name}s of roll-ups", f"rollup_{name}", per_day * len(numbers), days, measured))
    return found


def _tier(name: str, table: str, rate: float, days: int | None, measured: Mapping[str, TableSize]) -> Tier:
    size = measured.get(table, TableSize(0, 0))
    enough = size.rows >= _ENOUGH
    return Tier(name, table, rate, days, size.bytes / size.rows if enough else _ROW_BYTES[table], enough)


async def store_size(settings: TwinSettings) -> list[str]:
    """Everything as lines for people."""
    plant, retention = load_plant(settings.plant), settings.store.retention
    now_ns = time.time_ns()
    async with open_store(settings.database) as store:
        measured = await store.sizes.tables()
        brought = await store.sizes.brought(now_ns - _LATELY_DAYS * _DAY_S * 10**9)
        database_bytes = await store.sizes.database_bytes()
        found = tiers(plant, retention, measured)
        return [
            f"{store.database.name}, {store.edition} edition: {size_words(database_bytes)} now",
            *table(_rows(found)),
            *_sums(found),
            _growth(found, brought, now_ns),
        ]


def _rows(found: list[Tier]) -> list[tuple[str, ...]]:
    head = ("rows", "at most a day", "bytes each", "a year", "kept", "takes then")
    return [head, *(_row(one) for one in found)]


def _row(one: Tier) -> tuple[str, ...]:
    kept = "for ever" if one.days is None else f"{one.days} days"
    then = size_words(one.kept_bytes) + ("" if one.days else " in ten years")
    row_bytes = f"{one.row_bytes:.0f}{'' if one.is_measured else ' (estimate)'}"
    return (one.name, f"{one.rows_per_day:,.0f}", row_bytes, size_words(one.year_bytes), kept, then)


def _sums(found: list[Tier]) -> list[str]:
    year, kept = sum(one.year_bytes for one in found), sum(one.kept_bytes for one in found)
    return [f"at most {size_words(year)} in the first year, {size_words(kept)} in the end"]


async def growth_bytes_per_day(settings: TwinSettings, store: Store, now_ns: int) -> float | None:
    """What samples took lately; None: none came."""
    found = tiers(load_plant(settings.plant), settings.store.retention, await store.sizes.tables())
    per_day = _per_day(await store.sizes.brought(now_ns - _LATELY_DAYS * _DAY_S * 10**9), now_ns)
    return None if per_day is None else per_day * _sample_bytes(found)


def _per_day(brought: Brought, now_ns: int) -> float | None:
    if brought.first_ns is None:
        return None
    days = max((now_ns - brought.first_ns) / 1e9 / _DAY_S, 1 / 24)
    return (brought.samples + brought.texts) / days


def _sample_bytes(found: list[Tier]) -> float:
    return next(one.row_bytes for one in found if one.table == "sample")


def _growth(found: list[Tier], brought: Brought, now_ns: int) -> str:
    per_day = _per_day(brought, now_ns)
    if per_day is None:
        return f"nothing came within the last {_LATELY_DAYS} days"
    most = sum(one.rows_per_day for one in found if one.table.startswith("sample"))
    share = f"{per_day / most:.0%} of what the plant model allows, " if most else ""
    return f"lately {per_day:,.0f} samples a day came, {share}{size_words(per_day * _sample_bytes(found))} a day"
