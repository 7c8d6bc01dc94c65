"""The detectors of stretches that one signal has, and their bytes for the store. Pure."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import zstandard
from numpy.typing import NDArray

from twin.detect.subsequence import StretchModel
from twin.errors import Rejected

Floats = NDArray[np.float64]

FORMAT = 1
KIND = "stretch"  # of the model in the store


@dataclass(frozen=True, slots=True)
class SignalStretches:
    """What judges the stretches of one signal; nothing where no detector is good enough."""

    signal: str  # path
    frame_s: float  # one sample per frame
    regime: int  # machine-state code in which it is judged; -1 where the asset has no machine state
    models: tuple[StretchModel, ...]
    maxima: tuple[Floats, ...]  # by model: greatest scores of blocks of ten minutes without a fault


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
