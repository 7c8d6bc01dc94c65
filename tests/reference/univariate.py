"""The measurement step as a plain loop over named numbers in float32, written from the description, not the kernel."""

from dataclasses import dataclass, field

import numpy as np

F = np.float32
ZERO = F(0)
FLATLINE, SPIKE, DRIFT, JUMP, CREEP, NOISE, FULL = 4, 8, 16, 32, 64, 128, 256
SCORED = (SPIKE, DRIFT, JUMP, CREEP, NOISE)
NEVER = F(3e38)


@dataclass
class Baseline:
    """What is known of one signal in one regime."""

    mean: np.float32 = ZERO
    var: np.float32 = ZERO
    cov: np.float32 = ZERO
    slow: np.float32 = ZERO
    commissioned: np.float32 = ZERO
    up: np.float32 = ZERO
    down: np.float32 = ZERO
    up_s: np.float32 = ZERO
    down_s: np.float32 = ZERO
    last: np.float32 = ZERO
    resolution: np.float32 = ZERO
    move: np.float32 = ZERO
    noise: np.float32 = ZERO
    usual: np.float32 = ZERO
    longest: int = 0
    run: int = 0
    n: int = 0
    block_s: np.float32 = ZERO
    greatest: dict = field(default_factory=lambda: dict.fromkeys(SCORED, ZERO))
    limits: dict = field(default_factory=lambda: dict.fromkeys(SCORED, NEVER))
    frozen: bool = False
    spiking: bool = False


def between(value, most):
    return min(max(value, -most), most)


def step(b: Baseline, gap_s, value, same, dt):  # noqa: C901 - the whole rule in one place
    """Detectors that exceed, detectors that are not quiet."""
    x, dt, gap_s = F(value), F(dt), F(gap_s)
    first, old = b.n == 0, dt > 3600
    n = min(b.n, 50) if old else b.n
    var = F(2) * b.var if old else b.var
    follows = not first and dt <= gap_s
    grown = n >= 100
    warm = grown and b.limits[SPIKE] < NEVER
    still = b.frozen and not first

    change = abs(x - b.last) if follows else ZERO
    if change > 0 and (b.resolution == 0 or change < b.resolution):
        b.resolution = change
    variance = max(var, b.resolution * b.resolution)
    sd = np.sqrt(variance)
    inverse = F(1) / sd if variance > 0 else ZERO
    deviation = x - b.mean
    before = b.last - b.mean if follows else ZERO
    z = deviation * inverse
    typical = max(b.move, b.resolution)
    scores = {SPIKE: abs(z), JUMP: change / max(typical, F(1e-30)) if typical > 0 else ZERO}
    spikes = warm and scores[SPIKE] >= b.limits[SPIKE]

    flat = False
    flat_limit = max(60, 3 * b.longest)
    if same and follows:
        b.run += 1
        if not warm:
            b.longest = max(b.longest, b.run)
        flat = warm and b.run > flat_limit and b.resolution > 0
    else:
        if b.longest < b.run <= flat_limit:
            b.longest = b.run
        b.run = 0

    phi = min(max(b.cov * inverse * inverse, ZERO), F(0.98))
    innovation = deviation - phi * before
    usual_sd = F(1.2533141) * b.usual
    residual = between(innovation / max(usual_sd, F(1e-30)), F(4)) if b.usual > 0 else ZERO
    if not (follows and grown) or spikes or b.spiking:
        b.up = b.down = ZERO
    elif not same:
        b.up = min(max(b.up + residual - F(0.5), ZERO), F(1000))
        b.down = min(max(b.down - residual - F(0.5), ZERO), F(1000))
    b.up_s = min(b.up_s + dt, F(1e7)) if b.up > 0 else ZERO
    b.down_s = min(b.down_s + dt, F(1e7)) if b.down > 0 else ZERO
    scores[DRIFT] = max(b.up, b.down)

    memory = max(F(3600), F(100) * dt) + dt
    weight = dt / memory if dt * F(n + 1) > memory else F(1) / F(n + 1)
    slowly = F(0.1) * weight if grown else weight
    strange = min(abs(innovation), F(4) * usual_sd) if grown else abs(innovation)
    fresh = follows and not same
    if fresh:
        b.noise = b.noise + min(F(12) * weight, F(0.5)) * (strange - b.noise)
    lesser, greater = min(b.noise, b.usual), max(b.noise, b.usual)
    scores[NOISE] = greater / max(lesser, F(1e-30)) - F(1) if lesser > 0 else ZERO
    scores[CREEP] = max(abs(b.mean - b.slow), F(0.5) * abs(b.slow - b.commissioned)) * inverse

    exceeded = {FLATLINE} if flat else set()
    doubtful = set(exceeded)
    for detector, score in scores.items():
        moving = not same or detector in {SPIKE, JUMP}
        if warm and moving and score >= b.limits[detector]:
            exceeded.add(detector)
        if warm and score >= F(2) / F(3) * b.limits[detector]:
            doubtful.add(detector)
    if grown and follows and not still:
        b.block_s = b.block_s + dt
        for detector, score in scores.items():
            b.greatest[detector] = max(b.greatest[detector], score)
    if b.block_s >= 600:
        exceeded.add(FULL)

    b.last = x
    if not still:
        if grown:
            deviation = between(deviation, F(4) * sd)
            before = between(before, F(4) * sd)
            change = min(change, F(8) * typical)
        b.slow = b.slow + slowly * (b.mean + deviation - b.slow)
        b.mean = b.mean + weight * deviation
        b.var = (1 - weight) * (var + weight * deviation * deviation)
        b.cov = (1 - weight) * (b.cov + weight * deviation * before)
        if fresh:
            b.move = b.move + weight * (change - b.move)
            b.usual = b.usual + slowly * (strange - b.usual)
        b.n = n + 1
    else:
        b.var = var
    return exceeded, doubtful
