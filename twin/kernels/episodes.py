"""From samples to episodes: an alarm opens once, after it has lasted, and closes once, after it has been quiet.

In: the bits of `univariate.step` for one sample. Out: rows of `layout.REPORT`, only when something opens or closes.
"""

from twin.kernels.compiled import compiled
from twin.kernels.layout import CLOSED, DETECTORS, OPENED, Float, Record, Records
from twin.kernels.univariate import FREEZING, THAWED

# By detector: quality, range, spike, flatline, drift.
STREAK = (3, 3, 3, 1, 5)  # samples in a row
ON_NS = (10_000_000_000, 5_000_000_000, 5_000_000_000, 60_000_000_000, 10_000_000_000)  # and lasting so long
FREEZE_MAX_NS = 4 * 3_600_000_000_000  # after that the new level is learnt, the finding stays until it fits


@compiled
def advance(
    exact_i: Record,
    episodes: Records,
    exceeded: int,
    doubtful: int,
    scores: tuple[Float, Float, Float, Float, Float],
    time: int,
    off_ns: int,
    signal: int,
    value: float,
    centre: float,
    spread: float,
    reports: Records,
    used: int,
) -> int:
    """Advance the five episodes of one signal by one sample; returns how many `reports` are used now.

    exact_i: `layout.EXACT` record, its flags change; episodes: [DETECTORS] `layout.EPISODE`; scores in detector order;
    off_ns: this long without a bad sample ends an episode.
    """
    flags = int(exact_i["flags"])
    for k in range(DETECTORS):
        is_open = (flags >> k) & 1
        is_pending = (flags >> (k + 5)) & 1
        if ((exceeded >> k) & 1) == 0 and is_open == 0 and is_pending == 0:
            continue
        episode = episodes[k]
        what = 0
        if (exceeded >> k) & 1:
            score = scores[k]
            if is_open == 0 and is_pending == 0:
                episode["since"] = time
                episode["streak"] = 0
                episode["peak"] = score
                flags |= 1 << (k + 5)
            episode["last_bad"] = time
            episode["streak"] = min(int(episode["streak"]) + 1, 1_000_000_000)
            episode["peak"] = max(float(episode["peak"]), score)
            since = int(episode["since"])
            if is_open == 0 and int(episode["streak"]) >= STREAK[k] and time - since >= ON_NS[k]:
                flags = (flags | (1 << k)) & ~(1 << (k + 5))
                what = OPENED
            elif is_open == 1 and time - since >= FREEZE_MAX_NS:
                flags |= THAWED
        elif is_open == 1:
            if (doubtful >> k) & 1:
                episode["last_bad"] = time
            elif time - int(episode["last_bad"]) >= off_ns:
                flags &= ~(1 << k)
                what = CLOSED
        else:
            flags &= ~(1 << (k + 5))
        if what != 0:
            report = reports[used]
            report["what"] = what
            report["detector"] = k
            report["signal"] = signal
            report["time"] = time if what == OPENED else int(episode["last_bad"])
            report["since"] = episode["since"]
            report["score"] = float(episode["peak"])
            report["value"] = value
            report["centre"] = centre
            report["spread"] = spread
            used += 1
    if (flags & FREEZING) == 0:
        flags &= ~THAWED
    exact_i["flags"] = flags
    return used
