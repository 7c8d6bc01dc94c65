"""Boosted trees as bit masks: every row against every split, without branches, many rows side by side.

In: rows and a forest of trees with at most sixteen leaves. Out: the sum of the leaves that each row falls into.
QuickScorer (Lucchese et al., SIGIR 2015, 10.1145/2766462.2767733): a split that a row fails takes the leaves on its
left out of the tree's mask; of what is left, the leftmost leaf is the row's. Features are replaced by the count of the
cuts below them first, so that sixteen bits hold everything.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.kernels.compiled import compiled

MOST_LEAVES = 16
_BLOCK = 512  # rows whose masks and bins stay in the first cache
_SIDE_BY_SIDE = 16  # fewer rows are faster one by one
_MISSING = 65_535
_DE_BRUIJN = 0x0D2F  # times a power of two, the upper four bits name the power (16-bit sequence)


class Forest(NamedTuple):
    """The trees as columns; c cuts, f features, n splits, t trees."""

    cuts: NDArray[np.float64]  # [c] of feature 0, then 1 …, ascending within each
    cut_start: NDArray[np.int64]  # [f+1]
    feature: NDArray[np.int64]  # [n]
    first: NDArray[np.uint16]  # [n] the lowest bin that goes right
    last: NDArray[np.uint16]  # [n] the highest; the missing value is bin 65,535
    mask: NDArray[np.uint16]  # [n] the leaves that are left to a row that goes right
    split_start: NDArray[np.int64]  # [t+1]
    leaves: NDArray[np.float64]  # [t, 16] leaf values, in the order of the de Bruijn index of their bit
    baseline: float


def flatten(trees: Sequence[NDArray[Any]], baseline: float, features: int) -> Forest:
    """A forest from node tables as scikit-learn's histogram gradient boosting keeps them.

    Of each node: value, feature_idx, num_threshold, missing_go_to_left, left, right, is_leaf; the root is node 0.
    A row goes left when its feature is ≤ num_threshold. Categories are not supported.

    Raises:
        ValueError: a tree has more than sixteen leaves.
    """
    cuts = [_cuts_of(trees, feature) for feature in range(features)]
    feature: list[int] = []
    first: list[int] = []
    last: list[int] = []
    mask: list[int] = []
    split_start = [0]
    leaves = np.zeros((len(trees), MOST_LEAVES))
    for number, nodes in enumerate(trees):
        values, left_of = _leaves_of(nodes)
        if len(values) > MOST_LEAVES:
            raise ValueError(f"tree {number} has {len(values)} leaves; {MOST_LEAVES} is the most")
        for at, value in enumerate(values):
            leaves[number, _place(at)] = value
        for at, (begin, end) in left_of.items():
            node = nodes[at]
            which = int(node["feature_idx"])
            lowest = 1 + int(np.searchsorted(cuts[which], float(node["num_threshold"])))
            feature.append(which)
            first.append(lowest)
            last.append(_MISSING - 1 if node["missing_go_to_left"] else _MISSING)
            mask.append(0xFFFF & ~(((1 << end) - 1) & ~((1 << begin) - 1)))
        split_start.append(len(feature))
    return Forest(
        np.concatenate([*cuts, np.zeros(0)]),
        np.cumsum([0, *map(len, cuts)]),
        np.array(feature, np.int64),
        np.array(first, np.uint16),
        np.array(last, np.uint16),
        np.array(mask, np.uint16),
        np.array(split_start, np.int64),
        leaves,
        baseline,
    )


def raw_scores(forest: Forest, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of baseline and leaves of each row [n, f]; NaN is a missing value."""
    out = np.empty(len(rows))
    score = _score if len(rows) >= _SIDE_BY_SIDE else _score_few
    score(
        np.ascontiguousarray(rows, np.float64),
        forest.cuts,
        forest.cut_start,
        forest.feature,
        forest.first,
        forest.last,
        forest.mask,
        forest.split_start,
        forest.leaves,
        forest.baseline,
        out,
    )
    return out


def _cuts_of(trees: Sequence[NDArray[Any]], feature: int) -> NDArray[np.float64]:
    inner: list[NDArray[Any]] = [
        nodes[(nodes["is_leaf"] == 0) & (nodes["feature_idx"] == feature)]["num_threshold"] for nodes in trees
    ]
    none: list[NDArray[Any]] = [np.empty(0)]
    return np.unique(np.concatenate(none + inner).astype(np.float64))


def _leaves_of(nodes: NDArray[Any]) -> tuple[list[float], dict[int, tuple[int, int]]]:
    """The leaf values from left to right; of each split the leaves [begin, end) on its left."""
    values: list[float] = []
    left_of: dict[int, tuple[int, int]] = {}

    def walk(at: int) -> None:
        node = nodes[at]
        if node["is_leaf"]:
            values.append(float(node["value"]))
            return
        begin = len(values)
        walk(int(node["left"]))
        left_of[at] = (begin, len(values))
        walk(int(node["right"]))

    walk(0)
    return values, left_of


def _place(leaf: int) -> int:
    return ((1 << leaf) * _DE_BRUIJN & 0xFFFF) >> 12


@compiled
def _bins(
    rows: NDArray[np.float64],
    cuts: NDArray[np.float64],
    cut_start: NDArray[np.int64],
    column: NDArray[np.float64],
    bins: NDArray[np.uint16],
) -> None:
    """For a block of rows: how many cuts of each feature lie below its value. `bins` is [f, block]."""
    n = len(rows)
    for feature in range(len(cut_start) - 1):
        mine = cuts[cut_start[feature] : cut_start[feature + 1]]
        if len(mine) == 0:
            continue
        out = bins[feature, :n]
        for row in range(n):
            column[row] = rows[row, feature]
            out[row] = np.uint16(0)
        values = column[:n]
        for cut in mine:
            for row in range(n):
                out[row] = np.uint16(out[row] + np.uint16(values[row] > cut))
        for row in range(n):
            if values[row] != values[row]:
                out[row] = np.uint16(65_535)


@compiled
def _split(
    bins: NDArray[np.uint16],
    first: np.uint16,
    last: np.uint16,
    mask: np.uint16,
    left: NDArray[np.uint16],
) -> None:
    for row in range(len(left)):
        keep = mask if (bins[row] >= first) & (bins[row] <= last) else np.uint16(0xFFFF)
        left[row] = np.uint16(left[row] & keep)


@compiled
def _add(left: NDArray[np.uint16], leaves: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    for row in range(len(left)):
        bits = np.uint32(left[row])
        lowest = np.uint32(bits & np.uint32(~bits + np.uint32(1)))
        out[row] += leaves[np.uint32((lowest * np.uint32(0x0D2F)) & np.uint32(0xFFFF)) >> np.uint32(12)]


@compiled
def _score(
    rows: NDArray[np.float64],
    cuts: NDArray[np.float64],
    cut_start: NDArray[np.int64],
    feature: NDArray[np.int64],
    first: NDArray[np.uint16],
    last: NDArray[np.uint16],
    mask: NDArray[np.uint16],
    split_start: NDArray[np.int64],
    leaves: NDArray[np.float64],
    baseline: float,
    out: NDArray[np.float64],
) -> None:
    """Rows [n, f] float64 (NaN: missing) → out [n]; the trees are added in their order, as scikit-learn adds them."""
    block = min(_BLOCK, len(rows))
    bins = np.zeros((len(cut_start) - 1, block), np.uint16)
    column = np.empty(block)
    left = np.empty(block, np.uint16)
    for begin in range(0, len(rows), block):
        end = min(begin + block, len(rows))
        n = end - begin
        _bins(rows[begin:end], cuts, cut_start, column, bins)
        out[begin:end] = baseline
        for tree in range(len(leaves)):
            left[:n] = np.uint16(0xFFFF)
            for at in range(split_start[tree], split_start[tree + 1]):
                _split(bins[feature[at], :n], first[at], last[at], mask[at], left[:n])
            _add(left[:n], leaves[tree], out[begin:end])


@compiled
def _score_few(
    rows: NDArray[np.float64],
    cuts: NDArray[np.float64],
    cut_start: NDArray[np.int64],
    feature: NDArray[np.int64],
    first: NDArray[np.uint16],
    last: NDArray[np.uint16],
    mask: NDArray[np.uint16],
    split_start: NDArray[np.int64],
    leaves: NDArray[np.float64],
    baseline: float,
    out: NDArray[np.float64],
) -> None:
    """The same as `_score`, row by row: the bins by bisection, nothing kept for a block."""
    bins = np.empty(len(cut_start) - 1, np.uint16)
    for row in range(len(rows)):
        for which in range(len(cut_start) - 1):
            value = rows[row, which]
            low, high = cut_start[which], cut_start[which + 1]
            while low < high:
                middle = (low + high) // 2
                if cuts[middle] < value:
                    low = middle + 1
                else:
                    high = middle
            bins[which] = np.uint16(low - cut_start[which]) if value == value else np.uint16(65_535)
        total = baseline
        for tree in range(len(leaves)):
            left = np.uint16(0xFFFF)
            for at in range(split_start[tree], split_start[tree + 1]):
                if first[at] <= bins[feature[at]] <= last[at]:
                    left = np.uint16(left & mask[at])
            bits = np.uint32(left)
            lowest = np.uint32(bits & np.uint32(~bits + np.uint32(1)))
            total += leaves[tree, np.uint32((lowest * np.uint32(0x0D2F)) & np.uint32(0xFFFF)) >> np.uint32(12)]
        out[row] = total
