"""A plant of two machines in a row, small enough to read, with every kind of signal; and batches for it."""

import numpy as np

from twin.plant.calendar import Calendar, Hours, ShiftPattern
from twin.plant.flow import Link
from twin.plant.tree import Asset, Category, Kind, Level, MachineState, Plant, Signal
from twin.samples import SampleBatch, TextColumns
from twin.wire.reading import Lane

SECOND = 1_000_000_000
START_NS = 1_795_000_000 * SECOND  # 2026-11-18 11:06:40 UTC, in the early shift
STATES = {
    0: MachineState("off", Category.NOT_AVAILABLE),
    1: MachineState("running", Category.EXECUTING),
    2: MachineState("starved", Category.NOT_EXECUTING),
    4: MachineState("fault", Category.OUT_OF_SERVICE),
}


def _signal(asset, name, kind, *, low=None, high=None, role=None, unit="", states=None, period_s=1.0):
    return Signal(
        path=f"{asset}/{name}",
        asset=asset,
        name=name,
        title=name.capitalize(),
        kind=kind,
        unit=unit,
        low=low,
        high=high,
        role=role,
        period_s=period_s,
        stale_after_s=10.0,
        states=states or {},
        resolution=None,
    )


def machine_signals(asset):
    return (
        _signal(asset, "state", Kind.STATE, role="machine-state", states=STATES),
        _signal(asset, "count", Kind.COUNTER, role="good-count"),
        _signal(asset, "current", Kind.MEASUREMENT, low=-1000.0, high=1000.0, unit="A"),
        _signal(asset, "order", Kind.TEXT, role="order"),
    )


def make_plant(*, extra_signal: bool = False) -> Plant:
    levels = [("factory", Level.SITE), ("factory/hall", Level.AREA)]
    signals, assets = [], []
    for path, level in levels:
        parent = path.rpartition("/")[0] or None
        assets.append(Asset(path, path.rpartition("/")[2], path, level, level.value, parent, (), "shifts"))
    for name in ("saw", "press"):
        path = f"factory/hall/{name}"
        own = list(machine_signals(path))
        if extra_signal and name == "saw":
            own.insert(0, _signal(path, "added", Kind.MEASUREMENT, unit="V"))
        signals += own
        paths = tuple(signal.path for signal in own)
        assets.append(Asset(path, name, name.capitalize(), Level.UNIT, "machine", "factory/hall", paths, "shifts"))
    everyday = frozenset(range(7))
    patterns = (
        ShiftPattern("early", Hours(6 * 60, 14 * 60), everyday),
        ShiftPattern("late", Hours(14 * 60, 22 * 60), everyday),
    )
    return Plant(
        enterprise="test",
        title="Test",
        revision="1",
        assets=tuple(assets),
        signals=tuple(signals),
        flow=(Link("factory/hall/saw", "factory/hall/press", None),),
        buffers={},
        calendars={"shifts": Calendar("shifts", "UTC", patterns, frozenset(), ())},
    )


def make_ids(plant: Plant) -> dict[str, int]:
    """Ids in the order of the plant, the added signal last, as a store gives them."""
    paths = sorted((signal.path for signal in plant.signals), key=lambda path: path.endswith("added"))
    return {path: number for number, path in enumerate(paths, start=1)}


def batch(rows, *, texts=(), node="edge-1", number=1) -> SampleBatch:
    """rows: (signal id, time ns, value, quality); texts: (signal id, time ns, text)."""
    signal, time, value, quality = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    text_signal, text_time, text = (list(column) for column in zip(*texts, strict=True)) if texts else ([], [], [])
    zeros = np.zeros(len(text_signal), np.int64)
    return SampleBatch(
        node=node,
        epoch="0" * 32,
        number=number,
        lane=Lane.LIVE,
        signal=np.array(signal, np.int32),
        time=np.array(time, np.int64),
        value=np.array(value, np.float64),
        quality=np.array(quality, np.uint8),
        server=np.zeros(len(signal), np.int64),
        received=np.array(time, np.int64),
        texts=TextColumns(
            np.array(text_signal, np.int32),
            np.array(text_time, np.int64),
            tuple(text),
            zeros.astype(np.uint8),
            zeros,
            zeros,
        ),
    )
