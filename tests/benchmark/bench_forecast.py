"""S8: 414 hourly series of the length of M4's, trained and forecast for 48 hours, against AutoETS in processor time.

The series are made here (daily and weekly profile, trend, noise), so that no recording is needed; AutoETS (statsforecast)
forecasts a few of them, because it takes about half a second for each.
"""

import time
import warnings

import numpy as np
from numpy.typing import NDArray
from statsforecast.models import AutoETS

from tests.benchmark.record import Result
from twin.forecast.issue import issue
from twin.forecast.panel import ragged

SUITE = "forecast"
SERIES, HOURS, AHEAD, PEERS = 414, 960, 48, 12


def measure() -> list[Result]:
    """One thread; both in the same run."""
    series = _series()
    started = time.process_time()
    issue(ragged(series, AHEAD, (24, 168)))
    ours_s = time.process_time() - started
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in series[:: SERIES // PEERS][:PEERS]:
            AutoETS(season_length=24).forecast(y=one, h=AHEAD)
    theirs_per_s = PEERS / (time.process_time() - started)
    faster = SERIES / ours_s / theirs_per_s
    what = f"{SERIES} hourly series of {HOURS} h trained and forecast {AHEAD} h ahead with intervals, processor time"
    return [
        Result("S8-hourly", what, ours_s, "s", "≤ 10 s", ours_s <= 10),
        Result("S8-hourly-ratio", f"series per second against AutoETS on {PEERS} of them", faster, "×", "≥ 20 × AutoETS",
               faster >= 20, "AutoETS, statsforecast", faster),
    ]  # fmt: skip


def _series() -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(8)
    hour = np.arange(HOURS)
    found = []
    for _ in range(SERIES):
        day, week = rng.gamma(4.0, 25.0, 24), rng.uniform(0.6, 1.3, 7)
        trend = 1.0 + rng.normal(0, 2e-4) * hour
        noise = np.exp(rng.normal(0, 0.08, HOURS))
        found.append(day[hour % 24] * week[hour // 24 % 7] * trend * noise)
    return found
