"""Application servers: VUS-PR of each server, trained on its own training part, score only."""

from pathlib import Path

import numpy as np

from tests.benchmark.quality_smd import score_of
from tests.benchmark.record import Result
from tests.benchmark.recordings import plain_pca, read, vus_pr, window_of


def measure(data: Path) -> list[Result]:
    """One result for the mean; each server in the text; plain PCA in the same run."""
    _, rows = read(data, "asd/asd.csv.gz")
    ours: dict[str, float] = {}
    theirs: list[float] = []
    for name in sorted({row[0] for row in rows}):
        train = np.array([row[2:-1] for row in rows if row[0] == name and row[1] == "train"], float)
        test = np.array([row[2:] for row in rows if row[0] == name and row[1] == "test"], float)
        values, truth = test[:, :-1], test[:, -1] > 0.5
        window = window_of(values[:, 0])
        ours[name] = vus_pr(truth, score_of(train, values), window)
        theirs.append(vus_pr(truth, plain_pca(train, values), window))
    mean, plain = float(np.mean(list(ours.values()))), float(np.mean(theirs))
    what = f"ASD mean VUS-PR ({', '.join(f'{name} {value:.3f}' for name, value in ours.items())})"
    return [Result("Q4-asd-vus-pr", what, mean, "", "≥ plain PCA", mean >= plain, "plain PCA T², Q", mean / plain)]
