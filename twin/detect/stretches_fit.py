"""The detectors of stretches of one signal: fitted, chosen and calibrated. Pure; only the slow loop comes here.

In: clean history of one signal in one machine state. Out: models, the greatest score of each ten minutes of history
that a model had not seen (for the calibration), and a report that says what was chosen and why.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.detect.calibrate import BLOCK_S
from twin.detect.select import Choice, choose
from twin.detect.stretches import SignalStretches
from twin.detect.subsequence import Scorer, StretchModel
from twin.detect.subsequence_fit import FITS, period_of

Floats = NDArray[np.float64]

_CALIBRATED_MOST = 43_200  # samples, the newest ones


def fit_stretches(
    signal: str, history: Floats, *, frame_s: float, regime: int, asked: Sequence[str] | None = None
) -> tuple[SignalStretches, Mapping[str, Any]]:
    """Fit the `asked` detectors, or those that made-up faults choose; history [n], what comes with it is the report.

    Raises:
        Rejected: `too-few-samples`.
    """
    if asked is None:
        choice = choose(history)
        names, length, told = choice.chosen, choice.length, _told(choice)
    else:
        names, length, told = (
            tuple(asked),
            period_of(history),
            {"reasons": dict.fromkeys(asked, "asked for in the plant model")},
        )
    models = tuple(FITS[name](history, length) for name in names)
    maxima = tuple(_maxima(name, history[-_CALIBRATED_MOST:], length, round(BLOCK_S / frame_s)) for name in names)
    report = {
        "chosen": list(names),
        "by": "plant" if asked is not None else "trial",
        "length_s": length * frame_s,
        "frame_s": frame_s,
        "regime": regime,
        "samples": len(history),
        "blocks": [len(one) for one in maxima],
        **told,
    }
    return SignalStretches(signal, frame_s, regime, _rounded(models), maxima), report


def _told(choice: Choice) -> dict[str, Any]:
    trials = {one.detector: {"recall": dict(one.recall), "stability": round(one.stability, 3)} for one in choice.trials}
    return {"reasons": dict(choice.reasons), "trials": trials}


def _maxima(name: str, history: Floats, length: int, per_block: int) -> Floats:
    """Each half judged by a model of the other one."""
    half = len(history) // 2
    found: list[Floats] = []
    for fitted, clean in ((history[:half], history[half:]), (history[half:], history[:half])):
        score = Scorer(FITS[name](fitted, length)).score(clean)[length - 1 :]
        whole = len(score) // per_block * per_block
        found.append(score[:whole].reshape(-1, per_block).max(axis=1))
    return np.concatenate(found)


def _rounded(models: Sequence[StretchModel]) -> tuple[StretchModel, ...]:
    """As they come back from the store: numbers of four bytes."""
    return tuple(
        StretchModel(one.detector, one.length, tuple(each.astype(np.float32).astype(np.float64) for each in one.arrays))
        for one in models
    )
