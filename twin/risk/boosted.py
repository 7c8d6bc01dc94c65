"""The one door to gradient boosting: fit with scikit-learn, keep the trees as plain columns.

In: rows and targets. Out: a `Forest` that scores without scikit-learn, and its bytes (no pickle).
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from twin.errors import Rejected
from twin.kernels.trees import Forest, flatten

Floats = NDArray[np.float64]
LEAVES = 15
_MOST_BINS = 255


def fit_forest(
    rows: Floats,
    target: Floats,
    weight: Floats | None = None,
    *,
    kind: Literal["hazard", "duration"],
    trees: int,
    seeds: Sequence[int] = (0, 1, 2),
    rate: float = 0.1,
) -> Forest:
    """The mean of one boosted ensemble per seed: log-odds for a hazard (0/1), the value itself for a duration.

    Rows [n, f], NaN where unknown. Each tree sees a random third of the features at each split.
    """
    parts = [_fit(rows, target, weight, kind, trees, seed, rate) for seed in seeds]
    count = len(parts)
    nodes = [_shrunk(one.nodes, count) for model in parts for (one,) in model._predictors]
    baseline = float(np.mean([np.ravel(model._baseline_prediction)[0] for model in parts]))
    return flatten(nodes, baseline, rows.shape[1])


def _fit(rows: Floats, target: Floats, weight: Floats | None, kind: str, trees: int, seed: int, rate: float) -> Any:  # noqa: ANN401 - scikit-learn has no types
    import threadpoolctl
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    make = cast("Any", HistGradientBoostingClassifier if kind == "hazard" else HistGradientBoostingRegressor)
    model = make(
        max_iter=trees,
        learning_rate=rate,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=int(np.clip(len(rows) // 50, 5, 60)),
        l2_regularization=1.0,
        max_features=0.3,
        max_bins=_MOST_BINS,
        early_stopping=False,
        random_state=seed,
    )
    with cast("Any", threadpoolctl).threadpool_limits(1):  # many tiny steps: threads would wait for each other
        return model.fit(rows, target, sample_weight=weight)


def _shrunk(nodes: NDArray[Any], count: int) -> NDArray[Any]:
    made = nodes.copy()
    made["value"] /= count
    return made


def prefix(forest: Forest, trees: int) -> Forest:
    """The first trees only: what a fit of one seed was after so many rounds."""
    splits = forest.split_start[trees]
    return forest._replace(
        feature=forest.feature[:splits],
        first=forest.first[:splits],
        last=forest.last[:splits],
        mask=forest.mask[:splits],
        split_start=forest.split_start[: trees + 1],
        leaves=forest.leaves[:trees],
    )


def forest_arrays(forest: Forest) -> dict[str, NDArray[Any]]:
    """The columns by name, for `to_bytes`."""
    return {f"forest_{name}": np.asarray(value) for name, value in forest._asdict().items()}


def forest_of(arrays: Mapping[str, NDArray[Any]]) -> Forest:
    """The forest of such columns."""
    forest = Forest._make(arrays[f"forest_{name}"] for name in Forest._fields)
    return forest._replace(baseline=float(forest.baseline))


def to_bytes(**arrays: NDArray[Any]) -> bytes:
    """Named arrays as one block; the same arrays always give the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **cast("Any", arrays))
    return buffer.getvalue()


def from_bytes(block: bytes) -> dict[str, NDArray[Any]]:
    """The arrays again.

    Raises:
        Rejected: these are not such bytes.
    """
    try:
        with np.load(io.BytesIO(block), allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (ValueError, OSError, EOFError) as error:
        raise Rejected("damaged-model", f"these are not the bytes of a model: {error}") from error
