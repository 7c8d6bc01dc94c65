"""The rule of tier A in plain numpy over all signals at once: what a careful user would write without a compiler."""

import numpy as np
from numpy.typing import NDArray

NEVER = np.float32(3e38)
ROWS = (
    *("mean", "var", "cov1", "slow", "commissioned", "up", "down", "up_s", "down_s", "last", "step", "move"),
    *("noise", "usual", "longest", "run", "n", "block_s", "m_spike", "m_drift", "m_jump", "m_creep", "m_noise"),
)


class NumpyRule:
    """State of `size` signals, one float32 array a row."""

    def __init__(self, size: int) -> None:
        self.row: dict[str, NDArray[np.float32]] = {name: np.zeros(size, np.float32) for name in ROWS}
        self.limits: dict[str, NDArray[np.float32]] = {
            name: np.full(size, NEVER, np.float32) for name in ("spike", "drift", "jump", "creep", "noise")
        }

    def tick(self, x: NDArray[np.float32], same: NDArray[np.bool_], dt_s: float, gap_s: float) -> NDArray[np.bool_]:
        """One value of every signal; returns which exceed a limit. Nothing is open."""
        r, f = self.row, np.float32
        n, var = r["n"], r["var"]
        follows, grown = (n > 0) & (dt_s <= gap_s), n >= 100
        warm = grown & (self.limits["spike"] < NEVER)
        change = np.where(follows, np.abs(x - r["last"]), f(0))
        step = np.where((change > 0) & ((r["step"] == 0) | (change < r["step"])), change, r["step"])
        variance = np.maximum(var, step * step)
        sd = np.sqrt(variance)
        inverse = np.divide(f(1), sd, out=np.zeros_like(sd), where=sd > 0)
        deviation = x - r["mean"]
        before = np.where(follows, r["last"] - r["mean"], f(0))
        z = np.abs(deviation * inverse)
        typical = np.maximum(r["move"], step)
        jump = np.divide(change, typical, out=np.zeros_like(sd), where=typical > 0)
        repeats = same & follows
        flat_limit = np.maximum(f(60), f(3) * r["longest"])
        longer = r["run"] + f(1)
        flat = repeats & warm & (longer > flat_limit) & (step > 0)
        risen = np.where(warm, r["longest"], np.maximum(r["longest"], longer))
        ended = np.where(r["run"] <= flat_limit, np.maximum(r["longest"], r["run"]), r["longest"])
        r["longest"] = np.where(repeats, risen, ended)
        r["run"] = np.where(repeats, longer, f(0))
        phi = np.clip(r["cov1"] * inverse * inverse, f(0), f(0.98))
        innovation = deviation - phi * before
        usual_sd = f(1.2533141) * r["usual"]
        residual = np.divide(innovation, usual_sd, out=np.zeros_like(sd), where=usual_sd > 0)
        residual = np.clip(residual, f(-4), f(4))
        counts = follows & grown & ~(warm & (z >= self.limits["spike"]))
        for name, sign in (("up", f(1)), ("down", f(-1))):
            moved = np.clip(r[name] + sign * residual - f(0.5), f(0), f(1000))
            r[name] = np.where(counts, np.where(same, r[name], moved), f(0))
            r[name + "_s"] = np.where(r[name] > 0, r[name + "_s"] + f(dt_s), f(0))
        level = np.maximum(r["up"], r["down"])
        a = np.maximum(f(dt_s / (max(3600, 100 * dt_s) + dt_s)), f(1) / (n + f(1)))
        slowly = np.where(grown, f(0.1) * a, a)
        strange = np.abs(innovation)
        strange = np.where(grown, np.minimum(strange, f(4) * usual_sd), strange)
        fresh = follows & ~same
        r["noise"] = np.where(fresh, r["noise"] + np.minimum(f(12) * a, f(0.5)) * (strange - r["noise"]), r["noise"])
        lesser, greater = np.minimum(r["noise"], r["usual"]), np.maximum(r["noise"], r["usual"])
        ratio = np.divide(greater, lesser, out=np.ones_like(sd), where=lesser > 0) - f(1)
        creep = np.maximum(np.abs(r["mean"] - r["slow"]), f(0.5) * np.abs(r["slow"] - r["commissioned"])) * inverse
        scores = {"spike": z, "drift": level, "jump": jump, "creep": creep, "noise": ratio}
        exceeded = flat
        calm = grown & follows
        for name, score in scores.items():
            exceeded = exceeded | (warm & (score >= self.limits[name]))
            r["m_" + name] = np.where(calm, np.maximum(r["m_" + name], score), r["m_" + name])
        r["block_s"] = np.where(calm, r["block_s"] + f(dt_s), r["block_s"])
        bound = f(4) * sd
        deviation = np.where(grown, np.clip(deviation, -bound, bound), deviation)
        before = np.where(grown, np.clip(before, -bound, bound), before)
        change = np.where(grown, np.minimum(change, f(8) * typical), change)
        r["slow"] = r["slow"] + slowly * (r["mean"] + deviation - r["slow"])
        r["mean"] = r["mean"] + a * deviation
        r["var"] = (f(1) - a) * (var + a * deviation * deviation)
        r["cov1"] = (f(1) - a) * (r["cov1"] + a * deviation * before)
        r["move"] = np.where(fresh, r["move"] + a * (change - r["move"]), r["move"])
        r["usual"] = np.where(fresh, r["usual"] + slowly * (strange - r["usual"]), r["usual"])
        r["step"], r["last"], r["n"] = step, x, n + f(1)
        return exceeded
