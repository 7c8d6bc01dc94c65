"""The fitted bank of one asset: what the kernel needs, what explains it, and its bytes for the store. Pure.

In: what `multivariate_fit` found in clean history. Out: immutable parameters per regime; frames scaled and completed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import zstandard
from numpy.typing import NDArray

from twin.detect.limits import ratio_table
from twin.errors import Rejected
from twin.kernels.mspc import COMPONENTS, INPUTS, STATISTICS, Banks, judge, memory_size, padded

Floats = NDArray[np.float64]

FORMAT = 1
KIND = "mspc"  # of the model in the store
NAMES = ("T²", "Q", "R")
_MOST_SPREADS = 1000.0  # a value further out counts as so far out
_MISSING_MOST = 0.5  # of the signals; with less than half of an asset there is nothing to compare


@dataclass(frozen=True, slots=True)
class Block:
    """One EWMA scale, or the frame with its lags; D = signals · (lag + 1) inputs, all D components."""

    decay: float
    lag: int
    components: int  # K: the first ones, which T² is made of
    mean: Floats  # [D] of the block's vector
    loadings: Floats  # [D, D] columns are eigenvectors, greatest variance first
    variances: Floats  # [D] of the components, floored
    ratio_mean: Floats  # [3] of T², Q, R without a fault
    freedom: Floats  # [3] h of Box's g·χ²(h)
    known: Floats  # [3] independent values behind it

    def weights(self) -> Floats:
        """[3, D]: Σ u² w is T², Q and R over their means."""
        rows = np.zeros((STATISTICS, len(self.variances)))
        rows[0, : self.components] = 1.0 / self.variances[: self.components]
        rows[1, self.components :] = 1.0
        rows[2, self.components :] = 1.0 / self.variances[self.components :]
        return rows / self.ratio_mean[:, None]


@dataclass(frozen=True, slots=True)
class RegimeBank:
    """What is normal in one machine state."""

    centre: Floats  # [P]
    spread: Floats  # [P]
    covariance: Floats  # [P, P] of the scaled frame
    blocks: tuple[Block, ...]
    tests: float  # effective number of independent statistics
    bend_at: float  # from this score on the held-out tail falls as 10^-slope per unit of score, not as 10^-1
    slope: float
    frames: int  # that it was fitted to
    maxima: Floats  # greatest score of each ten minutes of held-out history, for the calibration

    def p(self, score: NDArray[np.float32]) -> Floats:
        """The chance that a frame without a fault has this greatest -log10 p (Šidák with the effective number)."""
        told = np.asarray(score, np.float64)
        bent = np.where(told > self.bend_at, self.bend_at + self.slope * (told - self.bend_at), told)
        return -np.expm1(self.tests * np.log1p(-np.minimum(10.0**-bent, 1.0 - 1e-16)))

    def score(self, p: float) -> float:
        """The inverse of `p`."""
        bent = -math.log10(max(-math.expm1(math.log1p(-min(p, 1.0 - 1e-16)) / self.tests), 1e-300))
        return self.bend_at + (bent - self.bend_at) / self.slope if bent > self.bend_at else bent

    def limit(self) -> float:
        """The score that a frame without a fault reaches less than once in as many frames as the fit has seen."""
        return self.score(1.0 / (self.frames + 1.0))

    def scaled(self, frames: Floats) -> NDArray[np.float32]:
        """frames [n, P] in their units → [n, P] in spreads from the centre, NaN estimated from the others.

        Frames of which more than half is missing come back as NaN.
        """
        z = np.clip((frames - self.centre) / self.spread, -_MOST_SPREADS, _MOST_SPREADS)
        for row in np.flatnonzero(np.isnan(z).any(axis=1)):
            z[row] = self._completed(z[row])
        return z.astype(np.float32)

    def _completed(self, z: Floats) -> Floats:
        """Conditional mean of what is missing (Nelson et al. 1996, doi:10.1016/S0169-7439(96)00007-X)."""
        missing = np.isnan(z)
        if missing.mean() > _MISSING_MOST:
            return np.full_like(z, np.nan)
        there = self.covariance[np.ix_(~missing, ~missing)]
        across = self.covariance[np.ix_(missing, ~missing)]
        filled = z.copy()
        filled[missing] = across @ np.linalg.solve(there, z[~missing])
        return filled


def join(regimes: Sequence[RegimeBank]) -> Banks:
    """Many banks in the kernel's form; all have the same number of blocks."""
    rotations = [np.concatenate([part for block in one.blocks for part in _packed(block)]) for one in regimes]
    tables = [
        np.concatenate([ratio_table(h, n) for b in one.blocks for h, n in zip(b.freedom, b.known, strict=True)])
        for one in regimes
    ]
    return Banks(
        signals=np.array([len(one.centre) for one in regimes], np.int64),
        decay=np.array([[block.decay for block in one.blocks] for one in regimes], np.float32),
        lag=np.array([[block.lag for block in one.blocks] for one in regimes], np.int64),
        rotation_start=np.cumsum([0, *map(len, rotations)])[:-1].astype(np.int64),
        rotation=np.concatenate(rotations),
        tables_start=np.cumsum([0, *map(len, tables)])[:-1].astype(np.int64),
        tables=np.concatenate(tables),
    )


class Bank:
    """A regime's bank with its memory: frames in pieces of any size, scores out."""

    def __init__(self, regime: RegimeBank) -> None:
        self.regime: RegimeBank = regime
        self._banks: Banks = join([regime])
        self.memory: NDArray[np.float32] = np.zeros(memory_size(self._banks, 0), np.float32)

    def reset(self) -> None:
        """Forget what came before: after a gap, or when another regime begins."""
        self.memory[:] = 0.0

    def push(self, z: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        """Scaled, complete frames [n, P] → score [n] -log10 p of the worst statistic, and which one [n]."""
        score, which = np.zeros(len(z), np.float32), np.zeros(len(z), np.int8)
        segment = np.array([[0, 0, 0, len(z), 0]], np.int64)
        judge(np.ascontiguousarray(z).reshape(-1), segment, self._banks, self.memory, score, which)
        return score, which

    def vector(self, block: int, frame: NDArray[np.float32]) -> Floats:
        """Push one scaled frame and return [D] what a block sees of it."""
        one, size = self.regime.blocks[block], len(frame)
        lags = max(each.lag for each in self.regime.blocks)
        earlier = self.memory[1 : 1 + one.lag * size].copy() if self.memory[0] else np.tile(frame, one.lag)
        self.push(frame[None])
        if one.decay == 1.0:
            return np.concatenate([frame, earlier]).astype(np.float64)
        at = 1 + (lags + sum(each.decay < 1.0 for each in self.regime.blocks[:block])) * size
        return self.memory[at : at + size].astype(np.float64)


def _packed(block: Block) -> list[NDArray[np.float32]]:
    size = len(block.mean)
    inputs, width = padded(size, INPUTS), padded(size, COMPONENTS)
    bias, rows, weights = np.zeros(width), np.zeros((width, inputs)), np.zeros((STATISTICS, width))
    bias[:size] = -block.mean @ block.loadings
    rows[:size, :size] = block.loadings.T
    weights[:, :size] = block.weights()
    return [part.astype(np.float32).reshape(-1) for part in (bias, rows, weights)]


@dataclass(frozen=True, slots=True)
class AssetBank:
    """The fitted model of one asset; a regime that was seen too little is not in it."""

    asset: str  # path
    signals: tuple[str, ...]  # paths, the order of a frame
    frame_s: float
    regimes: Mapping[int, RegimeBank]  # by machine-state code; -1 where the asset has no machine state


def to_bytes(model: AssetBank) -> bytes:
    """The same model always gives the same bytes."""
    told = {
        "format": FORMAT,
        "asset": model.asset,
        "signals": model.signals,
        "frame_s": model.frame_s,
        "regimes": {str(code): _told(regime) for code, regime in sorted(model.regimes.items())},
    }
    return zstandard.compress(orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY))


def from_bytes(packed: bytes) -> AssetBank:
    """The model that gave these bytes.

    Raises:
        Rejected: `model-format` when they are damaged or of another format.
    """
    try:
        told = orjson.loads(zstandard.decompress(packed))
    except (zstandard.ZstdError, orjson.JSONDecodeError) as error:
        raise Rejected("model-format", f"the bank's bytes cannot be read: {error}") from error
    if told["format"] != FORMAT:
        raise Rejected(
            "model-format", f"the bank has format {told['format']}, this program reads {FORMAT}; fit it anew"
        )
    regimes = {int(code): _regime(one) for code, one in told["regimes"].items()}
    return AssetBank(told["asset"], tuple(told["signals"]), told["frame_s"], regimes)


_BLOCK_ARRAYS = ("mean", "loadings", "variances", "ratio_mean", "freedom", "known")
_REGIME_NUMBERS = ("tests", "bend_at", "slope", "frames")
_REGIME_ARRAYS = ("centre", "spread", "covariance", "maxima")


def _told(regime: RegimeBank) -> dict[str, Any]:
    blocks = [
        {"decay": block.decay, "lag": block.lag, "components": block.components}
        | {name: np.ascontiguousarray(getattr(block, name)) for name in _BLOCK_ARRAYS}
        for block in regime.blocks
    ]
    arrays = {name: np.ascontiguousarray(getattr(regime, name)) for name in _REGIME_ARRAYS}
    told = {name: getattr(regime, name) for name in _REGIME_NUMBERS}
    return {"blocks": blocks, **told, **arrays}


def _regime(told: Mapping[str, Any]) -> RegimeBank:
    blocks = tuple(
        Block(
            decay=one["decay"],
            lag=one["lag"],
            components=one["components"],
            **{name: np.array(one[name], np.float64) for name in _BLOCK_ARRAYS},
        )
        for one in told["blocks"]
    )
    arrays: dict[str, Any] = {name: np.array(told[name], np.float64) for name in _REGIME_ARRAYS}
    numbers = {name: told[name] for name in _REGIME_NUMBERS}
    return RegimeBank(blocks=blocks, **numbers, **arrays)
