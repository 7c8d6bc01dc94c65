"""A real lathe (NIST SMS test bed, Mazak03): time from its state changes against the counters of its own control.

Its counter of automatic time runs while a program is being executed, also while that is interrupted or held: production
and delay here. Its counter of cutting time is the narrower one.
"""

import numpy as np
import pandas as pd

from tests.benchmark.record import Result
from tests.benchmark.throughput_rig import rows_of
from twin.throughput.asked import Period

SUITE = "throughput"
CODES = {
    "UNAVAILABLE": 0, "NO_DATA": 0, "ACTIVE": 1, "READY": 2, "INTERRUPTED": 3, "FEED_HOLD": 4, "STOPPED": 5, "PROGRAM_STOPPED": 6,
}  # fmt: skip
PLANT = """\
states:
  execution: # MTConnect
    0: { name: unavailable, category: NotAvailable, element: unknown }
    1: { name: active, category: Executing }
    2: { name: ready, category: NotExecuting }
    3: { name: interrupted, category: NotExecuting, reason: held }
    4: { name: feed-hold, category: NotExecuting, reason: held }
    5: { name: stopped, category: NotExecuting }
    6: { name: program-stopped, category: NotExecuting, reason: held }
types:
  lathe:
    microstop_s: 0
    signals:
      state: { kind: state, states: execution, role: machine-state, stale_after_s: 86400 } # it reports by exception
sites:
  nist: { calendar: always, areas: { shop: { units: { mazak03: { type: lathe } } } } }
"""
HOUR_NS = 3_600_000_000_000


def measure(data):
    """Hours in which the machine ran at all, by itself or by the counter."""
    folder = data / "open" / "nist_sms"
    events = pd.read_csv(folder / "nist_Mazak03_events.csv.gz", usecols=["ts", "item", "value"])
    events = events[events["item"] == "execution"]
    time = (
        pd.to_datetime(events["ts"], utc=True).astype("datetime64[ns, UTC]").astype("int64").to_numpy() // 1000 * 1000
    )
    code = events["value"].map(CODES).to_numpy(np.float64)
    last = np.append(time[1:] != time[:-1], True)  # of several at one instant the last counts
    rows = rows_of(PLANT, {"nist/shop/mazak03/state": (time[last], code[last])}, Period.HOUR, int(time[-1]) + HOUR_NS)
    produced = {row.start_ns // HOUR_NS: row.sums.of("production_s") for row in rows}
    held = {row.start_ns // HOUR_NS: row.sums.of("delay_s") for row in rows}
    hourly = pd.read_csv(folder / "nist_Mazak03_hourly.csv.gz", usecols=["ts", "sec_active", "auto_time_s"]).dropna()
    hour = pd.to_datetime(hourly["ts"], utc=True).astype("datetime64[ns, UTC]").astype("int64").to_numpy() // HOUR_NS
    theirs = hourly["auto_time_s"].to_numpy()
    mine = np.array([produced.get(int(one), 0.0) for one in hour])
    program = mine + np.array([held.get(int(one), 0.0) for one in hour])
    some = (program > 0) | (theirs > 0)
    r = float(np.corrcoef(program[some], theirs[some])[0, 1])
    active = hourly["sec_active"].to_numpy()
    off = float(np.abs(mine - active).max())
    return [
        Result("Q9-nist-auto-time", f"lathe, time with a program running (production and delay) per hour against its own counter of automatic time, {int(some.sum())} hours", r, "r", "≥ .99", r >= 0.99),
        Result("Q9-nist-active-time", "largest difference of an hour's production from the recording's own seconds in ACTIVE", off, "s", "≤ 1 s", off <= 1.0),
    ]  # fmt: skip
