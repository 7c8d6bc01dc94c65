"""Tier C: how odd is the newest stretch of one signal? What a fitted model says, sample by sample.

In: samples of one signal at equal steps. Out: a score for the last `length` samples at each sample, greater = odder; a
scorer remembers nothing but the end of the last piece. Models come from `twin.detect.subsequence_fit`. Pure.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.kernels.subsequence import codebook_distance, nearest_distance, subspace_error

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StretchModel:
    """What is usual; `arrays` are those of the detector's kernel."""

    detector: str
    length: int  # m, samples of a stretch
    arrays: tuple[Floats, ...]

    def judge(self, line: Floats, out: Floats) -> None:
        """line [n] → out [n - m + 1], the score of each stretch."""
        if self.detector == "sub-pca":
            basis, middle = self.arrays
            subspace_error(line, basis, middle, out)
        elif self.detector == "codebook":
            codebook_distance(line, self.arrays[0], out)
        else:
            pieces, inverses = self.arrays
            nearest_distance(line, pieces, inverses, self.length, out)


class Scorer:
    """A model with the end of the last piece: samples in pieces of any size are scored like the whole."""

    def __init__(self, model: StretchModel) -> None:
        self.model: StretchModel = model
        self.kept: Floats = np.zeros(0)

    def reset(self) -> None:
        """Forget what came before: after a gap."""
        self.kept = np.zeros(0)

    def score(self, values: Floats) -> Floats:
        """[n] samples → [n] scores, NaN while there are fewer than a stretch."""
        line, length = np.concatenate([self.kept, values]), self.model.length
        out = np.full(len(values), np.nan)
        whole = len(line) - length + 1
        if whole > 0:
            found = np.zeros(whole)
            self.model.judge(line, found)
            out[-whole:] = found[-len(values) :] if len(values) < whole else found
        self.kept = line[max(len(line) - length + 1, 0) :].copy()
        return out
