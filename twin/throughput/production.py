"""What a counter has produced: the rate now and the total of this shift.

In: one `layout.COUNT` record and the present instant. Out: parts per hour, parts.
"""

import numpy as np

from twin.kernels.layout import RECENT, Record

WINDOW_NS = 600_000_000_000  # the rate now is that of the last ten minutes
HOUR_NS = 3_600_000_000_000


def rate_per_h(counter: Record, now_ns: int) -> float | None:
    """Parts per hour over the increments of the last ten minutes; None before there were two, 0 when all are older.

    The first increment in the window only starts the clock. While the next increment is not overdue the rate is that
    of the increments; from then on it falls with every moment that none comes.
    """
    head = int(counter["head"])
    if head < 2:
        return None
    order = np.arange(max(0, head - RECENT), head) % RECENT
    times, parts = counter["recent_time"][order], counter["recent_count"][order]
    recent = times > now_ns - WINDOW_NS
    times, parts = times[recent], parts[recent]
    if len(times) < 2:
        return 0.0 if len(times) == 0 else float(parts[0]) * HOUR_NS / WINDOW_NS
    span = int(times[-1] - times[0])
    overdue = now_ns - int(times[-1]) - span // (len(times) - 1)
    return float(parts[1:].sum()) * HOUR_NS / (span + max(0, overdue))


def in_shift(counter: Record, shift_start_ns: int) -> tuple[int, int]:
    """Parts made since the shift began, and how many of them were counted across a gap."""
    if int(counter["shift_start"]) != shift_start_ns:
        return 0, 0
    return int(counter["shift_total"]), int(counter["shift_estimated"])
