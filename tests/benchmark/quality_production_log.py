"""A machine shop's reports (Jan-Feb 2012): what its counters would have shown gives back exactly what was reported."""

import numpy as np
import pandas as pd

from tests.benchmark.record import Result
from tests.benchmark.throughput_rig import rows_of
from twin.throughput.asked import Period

SUITE = "throughput"
MODULUS = 10_000  # the counters of these machines roll over
TYPES = """\
types:
  machine:
    signals:
      good: { kind: counter, unit: parts, role: good-count, period_s: 60 }
      bad: { kind: counter, unit: parts, role: scrap-count, period_s: 60 }
sites:
  shop:
    calendar: always
    areas:
      hall:
        units:
"""


def measure(data):
    """Totals per machine and per machine and day."""
    log = pd.read_csv(data / "restricted" / "production_log" / "machine_shop_log.csv.gz")
    log = log.dropna(subset=["end"]).fillna({"qty_completed": 0, "qty_rejected": 0})
    log["ns"] = pd.to_datetime(log["end"], utc=True).astype("datetime64[ns, UTC]").astype("int64")
    names = {resource: f"m{number}" for number, resource in enumerate(sorted(log["resource"].unique()))}
    samples, truth = {}, {}
    for resource, name in names.items():
        own = log[log["resource"] == resource].groupby("ns")[["qty_completed", "qty_rejected"]].sum().sort_index()
        for column, signal, quantity in (("qty_completed", "good", "good"), ("qty_rejected", "bad", "scrap")):
            time, parts = _shown(own.index.to_numpy(np.int64), own[column].to_numpy(np.int64))
            samples[f"shop/hall/{name}/{signal}"] = time, parts
            for at, made in own[column].items():
                key = f"shop/hall/{name}", quantity, int(at) // (86_400 * 10**9)
                truth[key] = truth.get(key, 0) + int(made)
    plant = TYPES + "".join(f"          {name}: {{ type: machine }}\n" for name in names.values())
    rows = rows_of(plant, samples, Period.DAY, int(log["ns"].max()) + 3_600_000_000_000)
    found: dict[tuple[str, str, int], int] = {}
    for row in rows:
        for quantity in ("good", "scrap"):
            key = row.asset, quantity, row.start_ns // (86_400 * 10**9)
            found[key] = found.get(key, 0) + round(row.sums.of(quantity))
    wrong = sum(found.get(key, 0) != made for key, made in truth.items())
    total = sum(truth.values())
    apart = abs(sum(found.values()) - total)
    days = f"{len(names)} machines, {len(truth)} machine days, {total:,} parts"
    return [
        Result("Q9-shop-total", f"machine shop, difference of all quantities from the reports ({days})", apart, "parts", "0", apart == 0),
        Result("Q9-shop-days", "machine days whose quantities differ from the reports", wrong, "machine days", "0", wrong == 0),
    ]  # fmt: skip


def _shown(time: np.ndarray, made: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the counter shows: read once a minute while it counts a report's parts, and before and after it."""
    instants, values, level = [], [], 0
    for at, parts in zip(time.tolist(), made.tolist(), strict=True):
        minutes = max(1, -(-parts // 100))
        for minute in range(minutes + 1):
            instants.append(at - (minutes - minute) * 60 * 10**9)
            values.append((level + parts * minute // minutes) % MODULUS)
        level += parts
    order = np.argsort(np.array(instants), kind="stable")
    return _unique(np.array(instants)[order], np.array(values, np.float64)[order])


def _unique(time, value):
    last = np.append(time[1:] != time[:-1], True)
    return time[last], value[last]
