"""From samples to episodes: an alarm opens once, after it has lasted, and closes once, after it has been quiet.

In: the bits of `univariate.step` for one sample. Out: rows of `layout.REPORT`, only when something opens, becomes
clearly worse, or closes.
"""

from twin.kernels.blocks import chance, end_episode, tail_row
from twin.kernels.compiled import compiled, inlined
from twin.kernels.layout import (
    CLOSED,
    DETECTORS,
    DRIFT,
    FIRST_SCORED,
    OPENED,
    RAISED,
    SPIKE,
    Blocks,
    Float,
    Record,
    Records,
)
from twin.kernels.regimes import place
from twin.kernels.univariate import FREEZING, THAWED

# By detector: quality, range, flatline, spike, drift, jump, creep, noise.
STREAK = (3, 3, 1, 3, 5, 2, 5, 5)  # samples in a row
ON_NS = tuple(int(on_s * 1e9) for on_s in (10, 5, 60, 5, 10, 0, 60, 30))  # and lasting so long
FREEZE_MAX_NS = 4 * 3_600_000_000_000  # after that the new level is learnt, the finding stays until it fits
WORSE = 1.25  # times the score that was told
FREEZES = 0.01  # of the p-value at which an episode may begin: from there on it is not learnt from

Scores = tuple[Float, Float, Float, Float, Float, Float, Float, Float]


@inlined
def freeze(flags: int, what: int, k: int, odd: bool) -> int:
    """Whether the baseline stands still from now on; flags of the signal, `odd` as this episode of detector k is.

    One that merely may be told goes on being learnt from: on noise these are a hundred times as many as are told, and a
    baseline that stands still beside a signal that does not makes a fault of each.
    """
    if what == OPENED and (odd or k < FIRST_SCORED):
        return flags & ~THAWED
    if what == OPENED and (flags & FREEZING & ~(1 << k)) == 0:
        return flags | THAWED
    return flags & ~THAWED if what == RAISED and odd else flags


@compiled
def advance(  # noqa: C901 - one state machine
    exact_i: Record,
    config_i: Record,
    blocks: Blocks,
    exceeded: int,
    doubtful: int,
    scores: Scores,
    signal: int,
    side: tuple[int, int, int, int, int],
    baseline: tuple[float, float],
    rising_ns: int,
    reports: Records,
    used: int,
) -> int:
    """Advance the episodes of one signal by one sample; returns how many `reports` are used now.

    exact_i: `layout.EXACT` record, its flags change; scores in detector order; side of the scored ones;
    baseline: centre and spread in the signal's unit; rising_ns: how long the CUSUM has been off zero.
    """
    episodes = blocks.episodes[signal]
    time = int(exact_i["time"])
    off_ns = int(config_i["gap_ns"])  # this long without a bad sample ends an episode
    flags = int(exact_i["flags"])
    for k in range(DETECTORS):
        is_open = (flags >> k) & 1
        is_pending = (flags >> (k + DETECTORS)) & 1
        if ((exceeded >> k) & 1) == 0 and is_open == 0 and is_pending == 0:
            continue
        episode = episodes[k]
        what = 0
        if (exceeded >> k) & 1:
            score = float(scores[k])
            if is_open == 0 and is_pending == 0:
                episode["since"] = time - rising_ns if k == DRIFT else time
                episode["streak"] = 0
                episode["peak"] = score
                flags |= 1 << (k + DETECTORS)
                episode["began"] = time
            lasting_ns = time - int(episode["began"])
            episode["last_bad"] = time
            episode["streak"] = min(int(episode["streak"]) + 1, 1_000_000_000)
            episode["peak"] = max(float(episode["peak"]), score)
            if is_open == 0 and int(episode["streak"]) >= STREAK[k] and lasting_ns >= ON_NS[k]:
                flags = (flags | (1 << k)) & ~(1 << (k + DETECTORS))
                what = OPENED
            elif is_open == 1:
                if lasting_ns >= FREEZE_MAX_NS:
                    flags |= THAWED
                if float(episode["peak"]) >= WORSE * float(episode["told"]) and k >= SPIKE:
                    what = RAISED
        elif is_open == 1:
            if (doubtful >> k) & 1:
                episode["last_bad"] = time
            elif time - int(episode["last_bad"]) >= off_ns:
                flags &= ~(1 << k)
                what = CLOSED
                if k >= FIRST_SCORED and (flags & THAWED) == 0:
                    tail = blocks.tails[tail_row(exact_i, config_i)][k - FIRST_SCORED]
                    end_episode(blocks.hot, place(signal), tail, k - FIRST_SCORED, float(episode["peak"]))
        else:
            flags &= ~(1 << (k + DETECTORS))
        if what != 0:
            episode["told"] = episode["peak"]
            report = reports[used]
            report["what"] = what
            report["detector"] = k
            report["signal"] = signal
            report["time"] = int(episode["last_bad"]) if what == CLOSED else time
            report["since"] = episode["since"]
            report["score"] = float(episode["peak"])
            report["value"] = exact_i["value"]
            report["centre"] = baseline[0]
            report["spread"] = baseline[1]
            p = chance(blocks, exact_i, config_i, k, float(episode["peak"]))
            report["p"] = p
            odd = p <= FREEZES * float(config_i["level"]) or p >= 1.0
            flags = freeze(flags, what, k, odd and time - int(episode["began"]) < FREEZE_MAX_NS)
            report["side"] = side[max(k - FIRST_SCORED, 0)]
            report["regime"] = exact_i["regime"]
            used += 1
    if (flags & FREEZING) == 0:
        flags &= ~THAWED
    exact_i["flags"] = flags
    return used
