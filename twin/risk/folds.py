"""Out-of-fold scores: what a model says of rows that it has not seen, of assets and times that it has not seen.

In: rows of assets at instants. Out: pairs of training and test rows. Grouped by asset where there are enough of them;
by a rolling origin where the instants have a common scale: only what was known at the origin trains.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_GROUPS, _ROLLING_GROUPS, _ORIGINS = 5, 3, 2


def folds(
    asset: NDArray[np.intp], at: NDArray[np.float64], horizon: float, *, rolling: bool
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """(train, test) row numbers; `horizon` is how long after its instant a row's label is known."""
    groups = _groups(asset, _ROLLING_GROUPS if rolling else _GROUPS)
    edges = np.quantile(at, np.linspace(0, 1, _ORIGINS + 2)) if rolling else np.array([-np.inf, -np.inf, np.inf])
    edges[-1] = np.inf
    for begin, end in pairwise(edges[1:]):
        known = at + horizon <= begin if rolling else np.ones(len(at), bool)
        tested = (at >= begin) & (at < end)
        for group in np.unique(groups):
            mine = groups == group
            others = ~mine if len(np.unique(groups)) > 1 else np.ones(len(at), bool)
            train, test = np.flatnonzero(known & others), np.flatnonzero(tested & mine)
            if len(train) and len(test):
                yield train, test


def _groups(asset: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Assets in `most` groups; all in one where there are fewer assets than that."""
    names, number = np.unique(asset, return_inverse=True)
    return number % most if len(names) >= most else np.zeros(len(asset), np.intp)
