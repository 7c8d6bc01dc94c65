"""Trees as bit masks: the same as walking them, and as scikit-learn, for every row and any number of rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from tests.reference import trees as reference
from twin.kernels.trees import flatten, raw_scores

NODE = np.dtype(
    [
        ("value", "f8"), ("feature_idx", "i8"), ("num_threshold", "f8"), ("missing_go_to_left", "u1"),
        ("left", "u4"), ("right", "u4"), ("is_leaf", "u1"),
    ]
)  # fmt: skip


def random_tree(rng: np.random.Generator, leaves: int, features: int) -> np.ndarray:
    """A tree of any form: a leaf is split until there are enough."""
    nodes = [dict.fromkeys(NODE.names, 0) | {"is_leaf": 1, "value": rng.normal()}]
    for _ in range(leaves - 1):
        at = int(rng.choice([number for number, node in enumerate(nodes) if node["is_leaf"]]))
        nodes[at] |= {
            "is_leaf": 0, "feature_idx": int(rng.integers(features)), "num_threshold": float(rng.integers(-3, 4)),
            "missing_go_to_left": int(rng.integers(2)), "left": len(nodes), "right": len(nodes) + 1,
        }  # fmt: skip
        nodes += [dict.fromkeys(NODE.names, 0) | {"is_leaf": 1, "value": rng.normal()} for _ in range(2)]
    return np.array([tuple(node[name] for name in NODE.names) for node in nodes], NODE)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 16), st.integers(1, 5), st.sampled_from([1, 3, 15, 16, 40, 600]))
def test_any_trees_give_what_walking_them_gives(seed: int, leaves: int, features: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    trees = [random_tree(rng, int(rng.integers(1, leaves + 1)), features) for _ in range(4)]
    values = rng.integers(-4, 5, (rows, features)).astype(np.float64)  # on the thresholds, too
    values[rng.random(values.shape) < 0.1] = np.nan
    values[rng.random(values.shape) < 0.05] = np.inf
    forest = flatten(trees, 0.25, features)
    assert raw_scores(forest, values[:30]).tolist() == reference.scores(trees, 0.25, values[:30])
    np.testing.assert_array_equal(raw_scores(forest, values)[:15], raw_scores(forest, values[:15]))


@pytest.mark.parametrize("kind", [HistGradientBoostingClassifier, HistGradientBoostingRegressor])
def test_a_fitted_forest_gives_what_scikit_learn_gives(kind: type) -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(size=(700, 6))
    values[rng.random(values.shape) < 0.1] = np.nan
    target = (np.nan_to_num(values[:, 0]) + rng.normal(size=700) > 0).astype(float)
    model = kind(max_iter=12, max_leaf_nodes=15, early_stopping=False).fit(values, target)
    forest = flatten([tree.nodes for (tree,) in model._predictors], float(np.ravel(model._baseline_prediction)[0]), 6)
    theirs = model.decision_function(values) if kind is HistGradientBoostingClassifier else model.predict(values)
    np.testing.assert_allclose(raw_scores(forest, values), theirs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(raw_scores(forest, values[:3]), theirs[:3], rtol=0, atol=1e-12)


def test_a_tree_with_too_many_leaves_is_refused() -> None:
    with pytest.raises(ValueError, match="17 leaves"):
        flatten([random_tree(np.random.default_rng(1), 17, 2)], 0.0, 2)
