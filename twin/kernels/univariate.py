"""One sample of one measurement: spike, flatline and drift against the baseline of the present machine state.

Shared by the dense and the event entry (`twin.kernels.entry`). Arithmetic in float64, memory in float32
(`layout.HOT`), no exponentials: the weight of a sample after dt seconds is dt/(tau+dt), the implicit Euler form
of 1-exp(-dt/tau). Sources: Huber clipping of the exponentially weighted moments; two-sided CUSUM (Page 1954,
doi:10.1093/biomet/41.1-2.100) of residuals whitened by an AR(1) model, because on autocorrelated data a plain
CUSUM alarms thousands of times a day.
"""

import math

from twin.kernels.compiled import compiled
from twin.kernels.layout import DRIFT, FLATLINE, RANGE, SPIKE, UNKNOWN_REGIME, Record, Records

TAU_S = 3600.0  # memory of mean and variance
SLOW = 0.1  # the slow mean forgets this much slower
WARM_N = 100  # samples and
WARM_S = 600.0  # seconds of learning in this machine state before a spike or flatline is judged
DRIFT_WARM_S = 1800.0
CLIP = 4.0  # standard deviations; beyond it a sample teaches no more than this
Z_OPEN = 6.0
Z_QUIET = 4.0
CEILING_FACTOR = 1.5  # the limit stands this much above what was normal while learning
CUSUM_SLACK = 0.5
CUSUM_LIMIT = 25.0
PHI_MAX = 0.98
FLAT_MIN = 60  # samples
FLAT_FACTOR = 3
SETTLE_NS = 5_000_000_000
AGE_MAX_S = 1.0e7
N_MAX = 1_000_000_000

FREEZING = (1 << SPIKE) | (1 << RANGE) | (1 << FLATLINE) | (1 << DRIFT)  # never learn while one of these is open
PENDING = 31 << 5
THAWED = 1 << 14


@compiled
def flatline(hot: Record, same: bool, broken: bool, warm: bool) -> int:
    """The bit of flatline when the run is longer than any that was normal; a signal that never changed is not."""
    run = int(hot["run"])
    ceiling = int(hot["run_ceiling"])
    limit = max(FLAT_MIN, FLAT_FACTOR * ceiling)
    if same and not broken:
        hot["run"] = min(run + 1, N_MAX)
        if not warm:
            hot["run_ceiling"] = max(ceiling, run + 1)
        elif run + 1 > limit and float(hot["step"]) > 0.0:
            return 1 << FLATLINE
        return 0
    if ceiling < run <= limit:
        hot["run_ceiling"] = run
    hot["run"] = 0
    return 0


@compiled
def drift(hot: Record, residual: float, n: int, age_s: float) -> tuple[int, int, float]:
    """CUSUM of the whitened residual [standard deviations]: bits exceeded, bits doubtful, the greater sum."""
    e = min(max(residual, -CLIP), CLIP)
    ceiling = float(hot["cusum_ceiling"])
    limit = max(CUSUM_LIMIT, CEILING_FACTOR * ceiling)
    up = min(max(float(hot["cusum_up"]) + e - CUSUM_SLACK, 0.0), 2.0 * limit)
    down = min(max(float(hot["cusum_down"]) - e - CUSUM_SLACK, 0.0), 2.0 * limit)
    hot["cusum_up"] = up
    hot["cusum_down"] = down
    cusum = max(up, down)
    if age_s < DRIFT_WARM_S:
        if n >= WARM_N and cusum > ceiling:
            hot["cusum_ceiling"] = cusum
        return 0, 0, cusum
    if cusum > limit:
        return 1 << DRIFT, 1 << DRIFT, cusum
    return 0, (1 << DRIFT) if cusum > 0.5 * limit else 0, cusum


@compiled
def spike(hot: Record, z: float, n: int, warm: bool) -> tuple[int, int]:
    """Bits exceeded and doubtful for a deviation of `z` standard deviations."""
    size = abs(z)
    if warm:
        limit = max(Z_OPEN, CEILING_FACTOR / 8.0 * int(hot["z_ceiling"]))
        if size >= limit:
            return 1 << SPIKE, 1 << SPIKE
        return 0, (1 << SPIKE) if size >= limit * (Z_QUIET / Z_OPEN) else 0
    if n >= WARM_N:
        hot["z_ceiling"] = max(int(hot["z_ceiling"]), int(min(127.0, size * 8.0)))
    return 0, 0


@compiled
def learn(hot: Record, deviation: float, before: float, sd: float, n: int, age_s: float, dt_s: float) -> None:
    """Move mean, slow mean, variance and lag-1 covariance by one sample.

    deviation, before: of this sample and of the last one from the mean; sd: the present standard deviation.
    """
    if n >= WARM_N:
        most = CLIP * sd
        deviation = min(max(deviation, -most), most)
        before = min(max(before, -most), most)
    share = 1.0 / (n + 1.0)
    weight = dt_s / (TAU_S + dt_s)
    a = max(weight, share)
    mean = float(hot["mean"])
    slow_mean = float(hot["slow_mean"])
    hot["mean"] = mean + a * deviation
    hot["slow_mean"] = slow_mean + max(SLOW * weight, share) * (mean + deviation - slow_mean)
    hot["var"] = (1.0 - a) * (float(hot["var"]) + a * deviation * deviation)
    hot["cov1"] = (1.0 - a) * (float(hot["cov1"]) + a * deviation * before)
    hot["n"] = min(n + 1, N_MAX)
    hot["age_s"] = age_s


@compiled
def step(
    hot: Record, low: float, high: float, gap_s: float, origin: float, value: float, same: bool, dt_s: float
) -> tuple[int, int, float, float]:
    """Judge `value` and learn from it, unless it is flagged.

    hot: one `layout.HOT` record, changed in place; low, high, origin, value in the signal's unit (value is finite);
    same: equal to the value before; dt_s: seconds since that value.

    Returns:
        exceeded: bits of the detectors that speak against this sample;
        doubtful: bits of those that are not quiet (hysteresis; includes the exceeded ones);
        z: [standard deviations]; cusum: [standard deviations of the whitened residual].
    """
    if value < low or value > high:
        return 1 << RANGE, 1 << RANGE, 0.0, 0.0
    x = (value - origin - float(hot["base"])) * float(hot["inv_scale"])
    n = int(hot["n"])
    if n == 0:
        hot["mean"] = x
        hot["slow_mean"] = x
        hot["last"] = x
        hot["n"] = 1
        return 0, 0, 0.0, 0.0
    last = float(hot["last"])
    hot["last"] = x
    age_s = float(hot["age_s"])
    broken = dt_s > gap_s
    if dt_s > TAU_S:  # the baseline has grown old: prove it again before judging by it
        n = min(n, WARM_N // 2)
        age_s = min(age_s, WARM_S / 2)
    warm = n >= WARM_N and age_s >= WARM_S
    resolution = float(hot["step"])
    change = abs(x - last)
    if change > 0.0 and (resolution == 0.0 or change < resolution):
        resolution = change
        hot["step"] = change
    mean = float(hot["mean"])
    s2 = max(float(hot["var"]), resolution * resolution)  # a quantised sensor is never surer than its step
    sd = math.sqrt(s2)
    inv_sd = 1.0 / sd if sd > 0.0 else 0.0
    deviation = x - mean
    before = last - mean
    z = deviation * inv_sd

    exceeded, doubtful = spike(hot, z, n, warm)
    flat = flatline(hot, same, broken, warm)
    exceeded |= flat
    doubtful |= flat
    cusum = 0.0
    if broken:
        hot["cusum_up"] = 0.0
        hot["cusum_down"] = 0.0
        before = 0.0
    else:
        phi = min(max(float(hot["cov1"]) * inv_sd * inv_sd, 0.0), PHI_MAX)
        residual = (z - phi * before * inv_sd) / math.sqrt(1.0 - phi * phi)
        drifts, drifting, cusum = drift(hot, residual, n, age_s)
        exceeded |= drifts
        doubtful |= drifting
    flags = int(hot["flags"])
    if (flags & FREEZING) == 0 or (flags & THAWED) != 0:
        learn(hot, deviation, before, sd, n, min(age_s + min(dt_s, gap_s), AGE_MAX_S), dt_s)
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
    hot["cusum_up"] = 0.0
    hot["cusum_down"] = 0.0
    hot["run"] = 0
    hot["flags"] = int(hot["flags"]) & ~PENDING
