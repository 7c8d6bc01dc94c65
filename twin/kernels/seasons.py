"""The hour of the week: a signal that follows the calendar is judged against what is usual in this hour.

In: a sample in another hour of its calendar's local week. Out: what was learnt in the last hour is put into the table
[hours of the week], the base of the new hour into the hot memory.
"""

import math

import numpy as np

from twin.kernels.compiled import compiled
from twin.kernels.layout import BASE, INV_SCALE, LAST, MEAN, Blocks, Float, Model
from twin.kernels.univariate import ZERO, F

SHARE = F(0.4)  # of the newest week in what is usual
OBSERVED_S = F(1800)  # an hour whose last half was silent teaches nothing

NOWHERE = 1 << 62


@compiled
def enter_hour(signal: int, at: np.uint64, time: int, dt_s: Float, blocks: Blocks, model: Model) -> None:
    """The seasonal signal's sample at `time` (ns UTC) is in another hour.

    at: its place in the hot memory; dt_s: seconds since the sample before.
    """
    exact_i, config_i, hot = blocks.exact[signal], model.config[signal], blocks.hot
    row, calendar = int(config_i["season"]), int(config_i["calendar"])
    low, high = int(model.hour_start[calendar]), int(model.hour_start[calendar + 1])
    end = high
    while low < high:  # the last hour that does not begin after `time`
        middle = (low + high) // 2
        if model.hours[middle] <= time:
            low = middle + 1
        else:
            high = middle
    if row < 0 or low == int(model.hour_start[calendar]):
        exact_i["slot_until"] = NOWHERE
        return
    slot = int(model.hour_slot[low - 1])
    exact_i["slot_until"] = int(model.hours[low]) if low < end else int(model.hours[low - 1]) + 3_600_000_000_000
    usual = blocks.seasons[row]
    old, base = int(exact_i["slot"]), hot[at + BASE]
    if old >= 0 and dt_s <= OBSERVED_S:
        seen = base + hot[at + MEAN] / hot[at + INV_SCALE]
        usual[old] = seen if math.isnan(usual[old]) else usual[old] + SHARE * (seen - usual[old])
    new = base if math.isnan(usual[slot]) else usual[slot]  # an hour that is not known goes on as the one before
    hot[at + LAST] += (base - new) * hot[at + INV_SCALE]
    if not math.isnan(usual[slot]):
        hot[at + MEAN] = ZERO  # what the last hour was off its base says nothing of this one
    hot[at + BASE] = new
    exact_i["slot"] = slot
