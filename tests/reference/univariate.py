"""The measurement step as a plain loop over named numbers in float32, written from the description, not the kernel."""

from dataclasses import dataclass

import numpy as np

F = np.float32
ZERO = F(0)
SPIKE, FLATLINE, DRIFT = 4, 8, 16


@dataclass
class Baseline:
    """What is known of one signal in one machine state."""

    mean: np.float32 = ZERO
    var: np.float32 = ZERO
    cov: np.float32 = ZERO
    slow: np.float32 = ZERO
    up: np.float32 = ZERO
    down: np.float32 = ZERO
    last: np.float32 = ZERO
    resolution: np.float32 = ZERO
    cusum_ceiling: np.float32 = ZERO
    z_ceiling: int = 0
    longest: int = 0
    run: int = 0
    n: int = 0
    age: np.float32 = ZERO
    frozen: bool = False  # a spike is open


def step(b: Baseline, gap_s, value, same, dt):  # noqa: C901 – the whole rule in one place
    """Detectors that exceed, detectors that are not quiet."""
    x, dt, gap_s = F(value), F(dt), F(gap_s)
    if b.n == 0:
        b.mean = b.slow = b.last = x
        b.n = 1
        return set(), set()
    exceeded, doubtful = set(), set()
    if dt > 3600:
        b_n, b_age = min(b.n, 50), min(b.age, F(300))
    else:
        b_n, b_age = b.n, b.age
    grown = b_n >= 100
    warm = grown and b_age >= 600
    change = abs(x - b.last)
    if change > 0 and (b.resolution == 0 or change < b.resolution):
        b.resolution = change
    variance = max(b.var, b.resolution * b.resolution)
    sd = np.sqrt(variance)
    inverse = F(1) / sd if variance > 0 else F(0)
    deviation, before = x - b.mean, b.last - b.mean
    z = deviation * inverse
    if warm:
        limit = max(F(6), F(1.5) / F(8) * F(b.z_ceiling))
        if abs(z) >= limit:
            exceeded.add(SPIKE)
        if abs(z) >= limit * (F(4) / F(6)):
            doubtful.add(SPIKE)
    elif grown:
        b.z_ceiling = max(b.z_ceiling, min(127, int(abs(z) * F(8))))
    flat_limit = max(60, 3 * b.longest)
    if same and dt <= gap_s:
        b.run += 1
        if not warm:
            b.longest = max(b.longest, b.run)
        elif b.run > flat_limit and b.resolution > 0:
            exceeded.add(FLATLINE)
            doubtful.add(FLATLINE)
    else:
        if b.longest < b.run <= flat_limit:
            b.longest = b.run
        b.run = 0
    if dt > gap_s:
        b.up = b.down = before = F(0)
    elif SPIKE in exceeded or b.frozen:
        b.up = b.down = F(0)
    else:
        most = max(F(25), F(1.5) * b.cusum_ceiling)
        if not same:
            phi = min(max(b.cov * inverse * inverse, F(0)), F(0.98))
            whitened = (z - phi * before * inverse) / np.sqrt(F(1) - phi * phi)
            whitened = min(max(whitened, F(-4)), F(4))
            b.up = min(max(b.up + whitened - F(0.5), F(0)), 2 * most)
            b.down = min(max(b.down - whitened - F(0.5), F(0)), 2 * most)
        greater = max(b.up, b.down)
        if b_age >= 1800:
            if greater > most and not same:
                exceeded.add(DRIFT)
            if greater > most / 2:
                doubtful.add(DRIFT)
        elif grown and not same:
            b.cusum_ceiling = max(b.cusum_ceiling, greater)
    b.last = x
    if not b.frozen:
        if grown:
            deviation = min(max(deviation, -4 * sd), 4 * sd)
            before = min(max(before, -4 * sd), 4 * sd)
        weight = dt / (F(3600) + dt) if dt * F(b_n + 1) > F(3600) + dt else F(1) / F(b_n + 1)
        b.slow = b.slow + (F(0.1) * weight if grown else weight) * (b.mean + deviation - b.slow)
        b.mean = b.mean + weight * deviation
        b.var = (1 - weight) * (b.var + weight * deviation * deviation)
        b.cov = (1 - weight) * (b.cov + weight * deviation * before)
        b.n = b_n + 1
        b.age = min(b_age + min(dt, gap_s), F(1e7))
    return exceeded, doubtful
