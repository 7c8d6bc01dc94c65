"""The detectors of stretches that one signal has: fitted, chosen, calibrated, and their bytes for the store. Pure.

In: clean history of one signal in one machine state. Out: models, the greatest score of each ten minutes of history
that a model had not seen (for the calibration), and a report that says what was chosen and why.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import zstandard
from numpy.typing import NDArray

from twin.detect.calibrate import BLOCK_S
from twin.detect.select import Choice, choose
from twin.detect.subsequence import FITS, Scorer, StretchModel, period_of
from twin.errors import Rejected

Floats = NDArray[np.float64]

FORMAT = 1
KIND = "stretch"  # of the model in the store
_CALIBRATED_MOST = 43_200  # samples, the newest ones


@dataclass(frozen=True, slots=True)
class SignalStretches:
    """What judges the stretches of one signal; nothing where no detector is good enough."""

    signal: str  # path
    frame_s: float  # one sample per frame
    regime: int  # machine-state code in which it is judged; -1 where the asset has no machine state
    models: tuple[StretchModel, ...]
    maxima: tuple[Floats, ...]  # by model: greatest scores of blocks of ten minutes without a fault


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


def to_bytes(fitted: SignalStretches) -> bytes:
    """The same model always gives the same bytes."""
    models = [
        {
            "detector": one.detector,
            "length": one.length,
            "arrays": [_array(each) for each in one.arrays],
            "maxima": _array(maxima),
        }
        for one, maxima in zip(fitted.models, fitted.maxima, strict=True)
    ]
    told = {"format": FORMAT, "signal": fitted.signal, "frame_s": fitted.frame_s, "regime": fitted.regime}
    return zstandard.compress(orjson.dumps({**told, "models": models}))


def from_bytes(packed: bytes) -> SignalStretches:
    """The model that gave these bytes.

    Raises:
        Rejected: `model-format` when they are damaged or of another format.
    """
    try:
        told = orjson.loads(zstandard.decompress(packed))
    except (zstandard.ZstdError, orjson.JSONDecodeError) as error:
        raise Rejected("model-format", f"the bytes of a model of stretches cannot be read: {error}") from error
    if told["format"] != FORMAT:
        raise Rejected("model-format", f"it has format {told['format']}, this program reads {FORMAT}; fit it anew")
    models = tuple(
        StretchModel(one["detector"], one["length"], tuple(_read(each) for each in one["arrays"]))
        for one in told["models"]
    )
    maxima = tuple(_read(one["maxima"]) for one in told["models"])
    return SignalStretches(told["signal"], told["frame_s"], told["regime"], models, maxima)


def _array(values: Floats) -> dict[str, Any]:
    return {"shape": values.shape, "float32": base64.b64encode(values.astype(np.float32).tobytes()).decode()}


def _read(told: Mapping[str, Any]) -> Floats:
    flat = np.frombuffer(base64.b64decode(told["float32"]), np.float32)
    return np.ascontiguousarray(flat.reshape(told["shape"]), np.float64)
