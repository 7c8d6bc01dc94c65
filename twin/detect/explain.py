"""What a finding says: one sentence with the numbers that made it, in the unit of the signal.

In: the detector and what the kernel knew when the episode opened. Out: text for the page and the store.
"""

from collections.abc import Mapping

from twin.kernels.layout import CREEP, DRIFT, FLATLINE, JUMP, NOISE, QUALITY, RANGE, SPIKE
from twin.plant.tree import Signal

NAMES: Mapping[int, str] = {
    QUALITY: "quality",
    RANGE: "range",
    SPIKE: "spike",
    FLATLINE: "flatline",
    DRIFT: "drift",
    JUMP: "jump",
    CREEP: "creep",
    NOISE: "noise",
}
"""The detector's name by its bit; the same words as `twin.state.model.Detector`."""


_DIRECTIONS: Mapping[int, str] = {1: " up", -1: " down", 0: ""}
_NOISIER: Mapping[int, str] = {1: "more", -1: "less", 0: "more or less"}


def explain(
    detector: int, signal: Signal, value: float, centre: float, spread: float, score: float, side: int = 0
) -> str:
    """One sentence; `centre` and `spread` are the learnt baseline of this regime, score as in `Finding`.

    side: +1 when the signal is above its baseline, -1 below.
    """
    name, unit = signal.title or signal.name, f" {signal.unit}" if signal.unit else ""
    if detector == QUALITY:
        return f"{name}: the source reports its own values as bad"
    if detector == RANGE:
        low = "−∞" if signal.low is None else f"{signal.low:g}"
        high = "∞" if signal.high is None else f"{signal.high:g}"
        return f"{name} is {value:.4g}{unit}, outside {low} to {high}{unit}"
    if detector == SPIKE:
        place = "above" if value > centre else "below"
        return f"{name} is {value:.4g}{unit}, {score:.1f} standard deviations {place} its usual {centre:.4g}{unit}"
    if detector == FLATLINE:
        return f"{name} has not moved from {value:.4g}{unit} for {score:.0f} samples, longer than it ever did"
    if detector == JUMP:
        return f"{name} jumps {score:.0f} times as far as it usually moves between two values, now {value:.4g}{unit}"
    if detector == NOISE:
        return f"{name} scatters {score + 1:.1f} times {_NOISIER[side]} than usual around {centre:.4g}{unit}"
    direction = _DIRECTIONS[side]
    if detector == CREEP:
        return f"{name} has moved{direction} slowly to {centre:.4g}{unit}, {score:.1f} standard deviations in hours"
    return f"{name} has shifted{direction} from its usual {centre:.4g} ± {spread:.2g}{unit} and stays there"
