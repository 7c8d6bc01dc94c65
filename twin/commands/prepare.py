"""`twin prepare`: the machine code of the models, made before anybody waits for it.

In: nothing but the program itself. Out: machine code on disk, per release and kind of processor; where it is there
already, nothing is done. `twin run`, the api and the simulator make what is missing when they first need it.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from twin.plant.load import load_plant
from twin.plant.tree import Plant


class Prepared(NamedTuple):
    """One part that is ready."""

    part: str
    took_s: float


def prepare(plant: Path) -> Iterator[Prepared]:
    """Compile, part by part; yields each when it is ready.

    Raises:
        ConfigError: the plant model is wrong.
    """
    model = load_plant(plant)
    parts: dict[str, Callable[[Plant], None]] = {"live models": _live, "simulator": simulator}
    for part, make in parts.items():
        began = time.perf_counter()
        make(model)
        yield Prepared(part, time.perf_counter() - began)


def _live(plant: Plant) -> None:
    from twin.monitor.engine import Engine

    Engine(plant, {signal.path: number for number, signal in enumerate(plant.signals, start=1)}).warm_up()


def simulator(_plant: Plant) -> None:
    """Both engines, by a line of two machines, whose details come from the event calendar."""
    from twin.whatif.model import fixed, serial_line
    from twin.whatif.simulate import Plan, simulate

    simulate(serial_line((fixed(1.0), fixed(1.0)), (1,)), Plan(horizon_s=60.0, replications=1, buckets=1))
