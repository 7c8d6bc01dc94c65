"""One sample of one measurement: spike, flatline and drift against the baseline of the present machine state.

Shared by the dense and the event entry (`twin.kernels.entry`). All in float32 relative to the signal's origin, no
exponentials: the weight of a sample after dt seconds is dt/(tau+dt), the implicit Euler form of 1-exp(-dt/tau).
Sources: Huber clipping of the exponentially weighted moments; two-sided CUSUM (Page 1954,
doi:10.1093/biomet/41.1-2.100) of residuals whitened by an AR(1) model, because on autocorrelated data a plain
CUSUM alarms thousands of times a day.
"""

import numpy as np

from twin.kernels.compiled import compiled, inlined
from twin.kernels.layout import DRIFT, FLATLINE, RANGE, SPIKE, UNKNOWN_REGIME, Float, Record, Records

F = np.float32
ZERO, ONE, TWO, HALF, EIGHT = F(0), F(1), F(2), F(0.5), F(8)  # a plain literal would widen the arithmetic

TAU_S = F(3600)  # memory of mean and variance
SLOW = F(0.1)  # the slow mean moves this much slower
WARM_N = 100  # samples and
WARM_S = F(600)  # seconds of learning in this machine state before a spike or flatline is judged
DRIFT_WARM_S = F(1800)
CLIP = F(4)  # standard deviations; beyond it a sample teaches no more than this
Z_OPEN = F(6)
Z_QUIET = F(4) / F(6)  # of the limit
CEILING_FACTOR = F(1.5)  # the limit stands this much above what was normal while learning
CUSUM_SLACK = F(0.5)
CUSUM_LIMIT = F(25)
PHI_MAX = F(0.98)
FLAT_MIN = 60  # samples
FLAT_FACTOR = 3
SETTLE_NS = 5_000_000_000
AGE_MAX_S = F(1.0e7)
N_MAX = 1_000_000_000

SPIKE_BIT, RANGE_BIT, FLATLINE_BIT, DRIFT_BIT = 1 << SPIKE, 1 << RANGE, 1 << FLATLINE, 1 << DRIFT
FREEZING = SPIKE_BIT | RANGE_BIT | FLATLINE_BIT | DRIFT_BIT  # never learn while one of these is open
PENDING = 31 << 5
THAWED = 1 << 14


@inlined
def clip(value: Float, most: Float) -> Float:
    """`value` within ± `most`."""
    return min(max(value, -most), most)


@inlined
def step(  # noqa: C901 – one pass over one record; every split reloads it from memory
    hot: Record, low: float, high: float, gap_s: Float, origin: float, value: float, same: bool, dt_s: Float
) -> tuple[int, int, Float, Float]:
    """Judge `value` and learn from it, unless it is flagged.

    hot: one `layout.HOT` record, changed in place; low, high, origin, value in the signal's unit (value is finite);
    same: equal to the value before; dt_s: seconds since that value.

    Returns:
        exceeded: bits of the detectors that speak against this sample;
        doubtful: bits of those that are not quiet (hysteresis; includes the exceeded ones);
        z: [standard deviations]; cusum: [standard deviations of the whitened residual].
    """
    if value < low or value > high:
        return RANGE_BIT, RANGE_BIT, ZERO, ZERO
    x = (F(value - origin) - hot["base"]) * hot["inv_scale"]
    n = int(hot["n"])
    if n == 0:
        hot["mean"] = x
        hot["slow_mean"] = x
        hot["last"] = x
        hot["n"] = 1
        return 0, 0, ZERO, ZERO
    mean, var, cov1 = hot["mean"], hot["var"], hot["cov1"]
    last, age_s, resolution = hot["last"], hot["age_s"], hot["step"]
    flags = int(hot["flags"])
    exceeded, doubtful = 0, 0
    broken = dt_s > gap_s
    if dt_s > TAU_S:  # the baseline has grown old: prove it again before judging by it
        n = min(n, WARM_N // 2)
        age_s = min(age_s, HALF * WARM_S)
    grown = n >= WARM_N
    warm = grown and age_s >= WARM_S

    # a quantised sensor is never surer than its smallest step
    change = abs(x - last)
    if change > ZERO and (resolution == ZERO or change < resolution):
        resolution = change
        hot["step"] = change
    s2 = max(var, resolution * resolution)
    sd = np.sqrt(s2)
    inv_sd = ONE / sd if s2 > ZERO else ZERO
    deviation = x - mean
    before = last - mean
    z = deviation * inv_sd

    size = abs(z)
    if warm:
        limit = max(Z_OPEN, CEILING_FACTOR / EIGHT * F(hot["z_ceiling"]))
        if size >= limit * Z_QUIET:
            doubtful |= SPIKE_BIT
            if size >= limit:
                exceeded |= SPIKE_BIT
    elif grown:
        hot["z_ceiling"] = max(int(hot["z_ceiling"]), int(min(F(127), size * EIGHT)))

    run = int(hot["run"])
    if same and not broken:
        run = min(run + 1, N_MAX)
        ceiling = int(hot["run_ceiling"])
        if not warm:
            hot["run_ceiling"] = max(ceiling, run)
        elif run > max(FLAT_MIN, FLAT_FACTOR * ceiling) and resolution > ZERO:
            exceeded |= FLATLINE_BIT
            doubtful |= FLATLINE_BIT
        hot["run"] = run
    elif run != 0:
        ceiling = int(hot["run_ceiling"])
        if ceiling < run <= max(FLAT_MIN, FLAT_FACTOR * ceiling):
            hot["run_ceiling"] = run
        hot["run"] = 0

    up, down, cusum = ZERO, ZERO, ZERO
    if broken:
        before = ZERO
    elif (exceeded | flags) & SPIKE_BIT:
        cusum = ZERO  # one cause, one finding; the sums begin anew after a spike
    elif same:  # a repeated value is no new evidence
        up, down = hot["cusum_up"], hot["cusum_down"]
        cusum = max(up, down)
        if (flags & DRIFT_BIT) != 0:
            doubtful |= DRIFT_BIT
    else:  # CUSUM of what the last value does not explain
        phi = min(max(cov1 * inv_sd * inv_sd, ZERO), PHI_MAX)
        residual = clip((z - phi * before * inv_sd) / np.sqrt(ONE - phi * phi), CLIP)
        highest = hot["cusum_ceiling"]
        most = max(CUSUM_LIMIT, CEILING_FACTOR * highest)
        up = min(max(hot["cusum_up"] + residual - CUSUM_SLACK, ZERO), TWO * most)
        down = min(max(hot["cusum_down"] - residual - CUSUM_SLACK, ZERO), TWO * most)
        cusum = max(up, down)
        if age_s >= DRIFT_WARM_S:
            if cusum > HALF * most:
                doubtful |= DRIFT_BIT
                if cusum > most:
                    exceeded |= DRIFT_BIT
        elif grown and cusum > highest:
            hot["cusum_ceiling"] = cusum
    hot["cusum_up"] = up
    hot["cusum_down"] = down
    hot["last"] = x

    if (flags & FREEZING) == 0 or (flags & THAWED) != 0:
        if grown:
            deviation = clip(deviation, CLIP * sd)
            before = clip(before, CLIP * sd)
        fresh = TAU_S + dt_s
        aged = dt_s * F(n + 1) > fresh  # until then the plain mean of all samples
        a = (dt_s if aged else ONE) / (fresh if aged else F(n + 1))
        kept = ONE - a
        gained = a * deviation
        slow = SLOW * a if grown else a
        hot["mean"] = mean + gained
        hot["slow_mean"] += slow * (mean + deviation - hot["slow_mean"])
        hot["var"] = kept * (var + gained * deviation)
        hot["cov1"] = kept * (cov1 + gained * before)
        hot["n"] = min(n + 1, N_MAX)
        hot["age_s"] = min(age_s + min(dt_s, gap_s), AGE_MAX_S)
    return exceeded, doubtful, z, cusum


@compiled
def enter_regime(hot: Record, regimes: Records, code: int) -> None:
    """Put the present baseline away and take out the one of machine state `code`.

    hot: one `layout.HOT` record; regimes: [REGIMES] `layout.REGIME` of the same signal.
    """
    old = regimes[int(hot["regime"])]
    old["mean"] = hot["mean"]
    old["var"] = hot["var"]
    old["cov1"] = hot["cov1"]
    old["slow_mean"] = hot["slow_mean"]
    old["step"] = hot["step"]
    old["cusum_ceiling"] = hot["cusum_ceiling"]
    old["age_s"] = hot["age_s"]
    old["run_ceiling"] = hot["run_ceiling"]
    old["n"] = hot["n"]
    old["z_ceiling"] = hot["z_ceiling"]
    number = code if 0 <= code < UNKNOWN_REGIME else UNKNOWN_REGIME
    new = regimes[number]
    hot["regime"] = number
    hot["mean"] = new["mean"]
    hot["var"] = new["var"]
    hot["cov1"] = new["cov1"]
    hot["slow_mean"] = new["slow_mean"]
    hot["step"] = new["step"]
    hot["cusum_ceiling"] = new["cusum_ceiling"]
    hot["age_s"] = new["age_s"]
    hot["run_ceiling"] = new["run_ceiling"]
    hot["n"] = new["n"]
    hot["z_ceiling"] = new["z_ceiling"]
    hot["cusum_up"] = ZERO
    hot["cusum_down"] = ZERO
    hot["run"] = 0
    hot["flags"] = int(hot["flags"]) & ~PENDING
