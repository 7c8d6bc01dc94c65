"""One sample of one measurement: spike, flatline and drift against the baseline of the present machine state.

Shared by the dense and the event entry (`twin.kernels.entry`). All in float32 relative to the signal's origin, no
exponentials: the weight of a sample after dt seconds is dt/(tau+dt), the implicit Euler form of 1-exp(-dt/tau).
Sources: Huber clipping of the exponentially weighted moments; two-sided CUSUM (Page 1954,
doi:10.1093/biomet/41.1-2.100) of residuals whitened by an AR(1) model, because on autocorrelated data a plain
CUSUM alarms thousands of times a day.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from twin.kernels.compiled import compiled, inlined
from twin.kernels.layout import (
    AGE_S,
    COV1,
    CUSUM_CEILING,
    CUSUM_DOWN,
    CUSUM_UP,
    DRIFT,
    FLATLINE,
    LAST,
    MEAN,
    RANGE,
    RUN,
    RUN_CEILING,
    SLOW_MEAN,
    SPIKE,
    STEP,
    VAR,
    Z_CEILING,
    Float,
    N,
)

F = np.float32
ZERO, ONE, TWO, HALF, EIGHT = F(0), F(1), F(2), F(0.5), F(8)  # a plain literal would widen the arithmetic

TAU_S = F(3600)  # memory of mean and variance
SLOW = F(0.1)  # the slow mean moves this much slower
WARM_N = F(100)  # samples and
WARM_S = F(600)  # seconds of learning in this machine state before a spike or flatline is judged
DRIFT_WARM_S = F(1800)
CLIP = F(4)  # standard deviations; beyond it a sample teaches no more than this
Z_OPEN = F(6)
Z_QUIET = F(4) / F(6)  # of the limit
Z_CEILING_MAX = F(127)  # eighths
CEILING_FACTOR = F(1.5)  # the limit stands this much above what was normal while learning
CUSUM_SLACK = F(0.5)
CUSUM_LIMIT = F(25)
PHI_MAX = F(0.98)
FLAT_MIN = F(60)  # samples
FLAT_FACTOR = F(3)
SETTLE_NS = 5_000_000_000
AGE_MAX_S = F(1.0e7)
N_MAX = F(1.0e7)  # a float32 counts exactly that far

SPIKE_BIT, RANGE_BIT, FLATLINE_BIT, DRIFT_BIT = 1 << SPIKE, 1 << RANGE, 1 << FLATLINE, 1 << DRIFT
SPIKE_F, FLATLINE_F, DRIFT_F = F(SPIKE_BIT), F(FLATLINE_BIT), F(DRIFT_BIT)
FREEZING = SPIKE_BIT | RANGE_BIT | FLATLINE_BIT | DRIFT_BIT  # never learn while one of these is open
PENDING = 31 << 5
THAWED = 1 << 14

Hot: TypeAlias = NDArray[np.float32]

Inferred: TypeAlias = tuple[Float, ...]


@inlined
def clip(value: Float, most: Float) -> Float:
    """`value` within ± `most`."""
    return min(max(value, -most), most)


@inlined
def infer(
    mean: Float,
    var: Float,
    cov1: Float,
    slow_mean: Float,
    cusum_up: Float,
    cusum_down: Float,
    last: Float,
    resolution: Float,
    cusum_ceiling: Float,
    run_ceiling: Float,
    run: Float,
    n: Float,
    age_s: Float,
    z_ceiling: Float,
    x: Float,
    same: bool,
    dt_s: Float,
    gap_s: Float,
    frozen: bool,
    spiking: bool,
) -> Inferred:
    """The rule itself, on float32 scalars and without branches, so that sixteen signals fit into one register.

    The first fourteen are rows of the hot memory (`layout.ROWS`); x: the value relative to the signal's origin;
    same: equal to the value before; dt_s: seconds since that value; frozen: learn nothing; spiking: a spike is open.

    Returns:
        exceeded, doubtful (sums of bits), z, cusum, then the fields as they are now, in the same order without `last`.
    """
    known = n > ZERO
    old = dt_s > TAU_S  # the baseline has grown old: prove it again before judging by it
    n0 = min(n, HALF * WARM_N) if old else n
    age0_s = min(age_s, HALF * WARM_S) if old else age_s
    broken = dt_s > gap_s
    grown = n0 >= WARM_N
    warm = grown & (age0_s >= WARM_S)
    learning = grown & (age0_s < WARM_S)

    # a quantised sensor is never surer than its smallest step
    change = abs(x - last)
    finer = known & (change > ZERO) & ((resolution == ZERO) | (change < resolution))
    resolution = change if finer else resolution
    s2 = max(var, resolution * resolution)
    certain = s2 <= ZERO
    sd = np.sqrt(s2)
    inv_sd = ONE / (ONE if certain else sd)
    inv_sd = ZERO if certain else inv_sd
    deviation = x - mean
    before = ZERO if broken else last - mean
    z = deviation * inv_sd

    size = abs(z)
    z_limit = max(Z_OPEN, CEILING_FACTOR / EIGHT * z_ceiling)
    spikes = warm & (size >= z_limit)
    nearly = warm & (size >= z_limit * Z_QUIET)
    z_seen = max(z_ceiling, F(np.int32(min(Z_CEILING_MAX, size * EIGHT))))
    z_ceiling = z_seen if learning else z_ceiling

    runs = known & same & (dt_s <= gap_s)
    longer = min(run + ONE, N_MAX)
    run_limit = max(FLAT_MIN, FLAT_FACTOR * run_ceiling)
    flat = runs & warm & (longer > run_limit) & (resolution > ZERO)
    risen = run_ceiling if warm else max(run_ceiling, longer)
    ended = max(run_ceiling, run) if run <= run_limit else run_ceiling
    run_ceiling = risen if runs else ended
    run = longer if runs else ZERO

    # CUSUM of what the last value does not explain; one cause, one finding: it begins anew after a spike
    phi = min(max(cov1 * inv_sd * inv_sd, ZERO), PHI_MAX)
    residual = clip((z - phi * before * inv_sd) / np.sqrt(ONE - phi * phi), CLIP)
    most = max(CUSUM_LIMIT, CEILING_FACTOR * cusum_ceiling)
    up = min(max(cusum_up + residual - CUSUM_SLACK, ZERO), TWO * most)
    down = min(max(cusum_down - residual - CUSUM_SLACK, ZERO), TWO * most)
    up = cusum_up if same else up  # a repeated value is no new evidence
    down = cusum_down if same else down
    anew = broken | spikes | spiking
    up = up if known else ZERO
    down = down if known else ZERO
    up = ZERO if anew else up
    down = ZERO if anew else down
    cusum = max(up, down)
    judged = (cusum > ZERO) & (age0_s >= DRIFT_WARM_S)
    moves = same == False  # noqa: E712 – `not` would branch
    drifts = judged & (cusum > most) & moves
    wavers = judged & (cusum > HALF * most)
    higher = grown & moves & (age0_s < DRIFT_WARM_S) & (cusum > cusum_ceiling)
    cusum_ceiling = cusum if higher else cusum_ceiling

    # learn, at first the plain mean of all samples
    bound = CLIP * sd
    bounded = clip(deviation, bound)
    deviation = bounded if grown else deviation
    bounded = clip(before, bound)
    before = bounded if grown else before
    n1 = n0 + ONE
    memory_s = TAU_S + dt_s
    forgets = dt_s * n1 > memory_s
    a = (dt_s if forgets else ONE) / (memory_s if forgets else n1)
    kept = ONE - a
    gained = a * deviation
    slow_gained = (SLOW * a if grown else a) * (mean + deviation - slow_mean)
    aged_s = min(age0_s + (min(dt_s, gap_s) if known else ZERO), AGE_MAX_S)
    still = frozen & known
    return (
        (SPIKE_F if spikes else ZERO) + (FLATLINE_F if flat else ZERO) + (DRIFT_F if drifts else ZERO),
        (SPIKE_F if nearly else ZERO) + (FLATLINE_F if flat else ZERO) + (DRIFT_F if wavers else ZERO),
        z,
        cusum,
        mean if still else mean + gained,
        var if still else kept * (var + gained * deviation),
        cov1 if still else kept * (cov1 + gained * before),
        slow_mean if still else slow_mean + slow_gained,
        up,
        down,
        resolution,
        cusum_ceiling,
        run_ceiling,
        run,
        n if still else min(n1, N_MAX),
        age_s if still else aged_s,
        z_ceiling,
    )


@compiled
def step(
    hot: Hot, at: np.uint64, flags: int, x: Float, same: bool, dt_s: Float, gap_s: Float
) -> tuple[int, int, Float, Float]:
    """Judge `x` and learn from it, unless the signal is flagged.

    hot: the hot memory, at: place of the signal in it, changed in place; flags: of its episodes; the rest as `infer`.

    Returns:
        exceeded: bits of the detectors that speak against this sample;
        doubtful: bits of those that are not quiet (hysteresis; includes the exceeded ones);
        z: [standard deviations]; cusum: [standard deviations of the whitened residual].
    """
    frozen = (flags & FREEZING) != 0 and (flags & THAWED) == 0
    spiking = (flags & SPIKE_BIT) != 0
    (
        exceeded,
        doubtful,
        z,
        cusum,
        hot[at + MEAN],
        hot[at + VAR],
        hot[at + COV1],
        hot[at + SLOW_MEAN],
        hot[at + CUSUM_UP],
        hot[at + CUSUM_DOWN],
        hot[at + STEP],
        hot[at + CUSUM_CEILING],
        hot[at + RUN_CEILING],
        hot[at + RUN],
        hot[at + N],
        hot[at + AGE_S],
        hot[at + Z_CEILING],
    ) = infer(
        hot[at + MEAN],
        hot[at + VAR],
        hot[at + COV1],
        hot[at + SLOW_MEAN],
        hot[at + CUSUM_UP],
        hot[at + CUSUM_DOWN],
        hot[at + LAST],
        hot[at + STEP],
        hot[at + CUSUM_CEILING],
        hot[at + RUN_CEILING],
        hot[at + RUN],
        hot[at + N],
        hot[at + AGE_S],
        hot[at + Z_CEILING],
        x,
        same,
        dt_s,
        gap_s,
        frozen,
        spiking,
    )
    hot[at + LAST] = x
    return int(exceeded), int(doubtful), z, cusum
