"""One sample of one counter → parts made, whatever the controller does to its counter.

A value that follows from the last one is believed at once; any other waits for a second sample that follows from it.
Then it was a rollover (the modulus is learnt), a reset, or a preset; if the old series goes on, it was a glitch.
Parts counted across a gap are exact in number and estimated in time.
"""

import math

import numpy as np
from numpy.typing import NDArray

from twin.kernels.compiled import compiled
from twin.kernels.layout import NEVER_NS, RECENT, Record

ALWAYS_ALLOWED = 10  # parts between two samples, whatever the rate
RATE_SLACK = 1.5
RATE_KEEP = 0.99  # the learnt greatest rate forgets by this, per increment
FAST_STREAK = 4  # samples of a rising series that is faster than believed before it is believed
MODULI = (1_000, 10_000, 1 << 15, 1 << 16, 100_000, 1_000_000, 1 << 31, 1 << 32)
MOST_UNSURE = 2_000_000_000
EXACT_MAX = 9_007_199_254_740_992.0  # 2**53


@compiled
def allowed(max_rate: float, elapsed_ns: int) -> float:
    """Parts that can have been made in that time."""
    return max(float(ALWAYS_ALLOWED), RATE_SLACK * max_rate * (elapsed_ns * 1e-9))


@compiled
def enter_shift(counter: Record, time: int, bounds: NDArray[np.int64], first: int, end: int) -> None:
    """Begin a new shift total when `time` lies in another interval of `bounds[first:end]` (ns, sorted)."""
    if int(counter["shift_start"]) <= time < int(counter["shift_end"]):
        return
    low = first
    high = end
    while low < high:
        middle = (low + high) // 2
        if bounds[middle] <= time:
            low = middle + 1
        else:
            high = middle
    counter["shift_start"] = bounds[low - 1] if low > first else NEVER_NS + 1
    counter["shift_end"] = bounds[low] if low < end else np.int64(9_223_372_036_854_775_807)
    counter["shift_total"] = 0
    counter["shift_estimated"] = 0


@compiled
def credit(counter: Record, parts: int, since: int, time: int, gap_ns: int) -> None:
    """Add `parts` made in (since, time]; of a gap that began before this shift only its share is counted in it."""
    if parts <= 0:
        return
    counter["total"] = int(counter["total"]) + parts
    estimated = time - since > gap_ns and parts > 1
    share = parts
    start = int(counter["shift_start"])
    if estimated and since < start:
        share = parts - math.floor(parts * ((start - since) * 1e-9) / ((time - since) * 1e-9))
    counter["shift_total"] = int(counter["shift_total"]) + share
    head = int(counter["head"])
    if head > 0:
        elapsed_s = (time - counter["recent_time"][(head - 1) % RECENT]) * 1e-9
        rate = parts / max(elapsed_s, 1.0)
        counter["max_rate"] = max(rate, RATE_KEEP * float(counter["max_rate"]))
    if estimated:
        counter["estimated"] = int(counter["estimated"]) + parts
        counter["shift_estimated"] = int(counter["shift_estimated"]) + share
        head = 0  # the present rate begins anew after a gap
    counter["recent_time"][head % RECENT] = time
    counter["recent_count"][head % RECENT] = parts
    counter["head"] = head + 1


@compiled
def settle_jump(counter: Record, fast: bool) -> int:
    """Parts between `last` and `held_first`, now that a second sample has confirmed that the series goes on there.

    What was made between the last sample and a reset is never shown; `unsure` grows by as much as that can have been.
    """
    last = int(counter["last"])
    target = int(counter["held_first"])
    possible = allowed(float(counter["max_rate"]), int(counter["held_first_time"]) - int(counter["last_time"]))
    if target >= last:
        if fast:
            return target - last
        counter["unsure"] = min(int(counter["unsure"]) + math.floor(possible), MOST_UNSURE)
        counter["resets"] = int(counter["resets"]) + 1  # somebody has preset it; how much of it was made is unknown
        return 0
    modulus = int(counter["modulus"])
    if modulus > 0:
        if target + modulus - last <= possible:
            counter["rollovers"] = int(counter["rollovers"]) + 1
            return target + modulus - last
    else:
        for candidate in MODULI:
            if candidate > int(counter["highest"]) and target + candidate - last <= possible:
                counter["modulus"] = candidate
                counter["rollovers"] = int(counter["rollovers"]) + 1
                return target + candidate - last
    counter["resets"] = int(counter["resets"]) + 1
    since_reset = target if target <= possible else 0
    counter["unsure"] = min(int(counter["unsure"]) + math.floor(possible) - since_reset, MOST_UNSURE)
    return since_reset


@compiled
def hold(counter: Record, value: int, time: int) -> None:
    """`value` follows from nothing: wait for a second witness."""
    if int(counter["held_streak"]) > 0:
        counter["glitches"] = int(counter["glitches"]) + 1
    counter["held_first"] = value
    counter["held_first_time"] = time
    counter["held"] = value
    counter["held_time"] = time
    counter["held_streak"] = 1


@compiled
def believe(counter: Record, value: int, time: int) -> None:
    """`value` is the counter's value now; one that a modulus cannot show refutes the modulus."""
    if int(counter["modulus"]) <= value:
        counter["modulus"] = 0
    counter["last"] = value
    counter["last_time"] = time
    counter["held_streak"] = 0
    counter["highest"] = max(int(counter["highest"]), value)
    counter["samples"] = min(int(counter["samples"]) + 1, 1_000_000_000)


@compiled
def count(
    counter: Record, time: int, reading: float, gap_ns: int, bounds: NDArray[np.int64], first: int, end: int
) -> None:
    """Advance one `layout.COUNT` record by one good sample, later than all before it.

    time: ns UTC; reading: parts; gap_ns: longer silence makes the time of the parts an estimate;
    bounds[first:end]: where the shifts of the asset's calendar begin and end, ns UTC, sorted.
    """
    enter_shift(counter, time, bounds, first, end)
    if reading < 0.0 or reading > EXACT_MAX:
        counter["glitches"] = int(counter["glitches"]) + 1
        return
    value = math.floor(reading + 0.5)
    if int(counter["samples"]) == 0:
        believe(counter, value, time)
        return
    since = int(counter["last_time"])
    max_rate = float(counter["max_rate"])
    parts = value - int(counter["last"])
    if 0 <= parts <= allowed(max_rate, time - since):
        if int(counter["held_streak"]) > 0:
            counter["glitches"] = int(counter["glitches"]) + 1
        credit(counter, parts, since, time, gap_ns)
        believe(counter, value, time)
        return
    streak = int(counter["held_streak"])
    further = value - int(counter["held"])
    if streak == 0 or further < 0:
        hold(counter, value, time)
        return
    follows = further <= allowed(max_rate, time - int(counter["held_time"]))
    if follows or streak + 1 >= FAST_STREAK:
        parts = settle_jump(counter, not follows) + value - int(counter["held_first"])
        credit(counter, parts, since, time, gap_ns)
        believe(counter, value, time)
        return
    counter["held"] = value
    counter["held_time"] = time
    counter["held_streak"] = streak + 1


@compiled
def increments(
    counter: Record,
    time: NDArray[np.int64],
    reading: NDArray[np.float64],
    good: NDArray[np.bool_],
    gap_ns: int,
    since: NDArray[np.int64],
    parts: NDArray[np.int64],
    estimated: NDArray[np.bool_],
) -> None:
    """Advance one `layout.COUNT` record by a whole series: sample e brought `parts[e]`, made in (since[e], time[e]].

    time: [n] ns UTC, ascending; reading: [n] parts; good: [n], the others are passed over;
    out, all [n]: since in ns UTC; estimated: counted across a gap, so exact in number only.
    """
    nowhere = np.zeros(0, np.int64)
    for e in range(time.shape[0]):
        total_before = int(counter["total"])
        estimated_before = int(counter["estimated"])
        since[e] = counter["last_time"]
        if good[e]:
            count(counter, time[e], reading[e], gap_ns, nowhere, 0, 0)
        parts[e] = int(counter["total"]) - total_before
        estimated[e] = int(counter["estimated"]) > estimated_before
