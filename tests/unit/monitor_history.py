"""Hours of two machines with everything that happens: states, faults, bad quality, late and doubled samples."""

import numpy as np

from tests.unit.monitor_plant import SECOND, START_NS, make_ids, make_plant
from twin.wire.reading import Quality

IDS = make_ids(make_plant())
SAW = {name: IDS[f"factory/hall/saw/{name}"] for name in ("state", "count", "current", "order")}


def random_rows(seed, count, busy=0.02):
    """Rows for `monitor_plant.batch`; `busy`: how often a machine changes its state."""
    rng = np.random.default_rng(seed)
    signals = [IDS[f"factory/hall/{machine}/{name}"] for machine in ("saw", "press") for name in list(SAW)[:3]]
    rows, now, counted = [], START_NS, 0
    for _ in range(count):
        now += int(rng.integers(0, 3)) * SECOND if rng.random() < 0.999 else 4000 * SECOND
        signal = int(rng.choice(signals))
        time = now - (int(rng.integers(0, 40)) * SECOND if rng.random() < 0.02 else 0)
        if signal in {SAW["state"], signals[3]}:
            value = float(rng.choice([1, 1, 1, 1, 2, 4, 77])) if rng.random() < busy else 1.0
        elif signal in {SAW["count"], signals[4]}:
            counted = 0 if rng.random() < 0.005 else counted + int(rng.integers(0, 3))
            value = float(counted if rng.random() > 0.01 else 60_000)
        else:
            value = float(rng.standard_normal()) + (40.0 if ((now - START_NS) // (300 * SECOND)) % 9 == 8 else 0.0)
            value = 2000.0 if (now // (60 * SECOND)) % 11 == 7 or rng.random() < 0.01 else value
        quality = Quality.BAD if rng.random() < 0.01 else Quality.GOOD
        rows.append((signal, time, value if rng.random() > 0.005 else float("nan"), quality))
    return rows
