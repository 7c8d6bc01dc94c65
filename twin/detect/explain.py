"""What a finding says: one sentence with the numbers that made it, in the unit of the signal.

In: the detector and what the kernel knew when the episode opened. Out: text for the page and the store.
"""

from collections.abc import Mapping

from twin.kernels.layout import DRIFT, FLATLINE, QUALITY, RANGE, SPIKE
from twin.plant.tree import Signal

NAMES: Mapping[int, str] = {
    QUALITY: "quality",
    RANGE: "range",
    SPIKE: "spike",
    FLATLINE: "flatline",
    DRIFT: "drift",
}
"""The detector's name by its bit; the same words as `twin.state.model.Detector`."""


def explain(detector: int, signal: Signal, value: float, centre: float, spread: float, score: float) -> str:
    """One sentence; `centre` and `spread` are the learnt baseline of this machine state, score as in `Finding`."""
    name, unit = signal.title or signal.name, f" {signal.unit}" if signal.unit else ""
    if detector == QUALITY:
        return f"{name}: the source reports its own values as bad"
    if detector == RANGE:
        low = "−∞" if signal.low is None else f"{signal.low:g}"
        high = "∞" if signal.high is None else f"{signal.high:g}"
        return f"{name} is {value:.4g}{unit}, outside {low} to {high}{unit}"
    if detector == SPIKE:
        side = "above" if value > centre else "below"
        return f"{name} is {value:.4g}{unit}, {score:.1f} standard deviations {side} its usual {centre:.4g}{unit}"
    if detector == FLATLINE:
        return f"{name} has not moved from {value:.4g}{unit} for {score:.0f} samples, longer than it ever did"
    return f"{name} has shifted from its usual {centre:.4g} ± {spread:.2g}{unit} and stays there"
