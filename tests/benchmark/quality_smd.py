"""Server machines: VUS-PR by the protocol of TSB-AD-M, first rows of the test part as training, score only."""

from pathlib import Path

import numpy as np

from tests.benchmark.record import Result
from tests.benchmark.recordings import Floats, events, plain_pca, read, vus_pr, window_of
from twin.detect.multivariate import Bank
from twin.detect.multivariate_fit import fit_bank


def score_of(train: Floats, test: Floats) -> Floats:
    """-log10 p of the worst statistic of each row."""
    bank = fit_bank([train])
    return Bank(bank).push(bank.scaled(test))[0].astype(float)


def measure(data: Path) -> list[Result]:
    """One result for the mean; each machine in the text."""
    found: dict[str, float] = {}
    theirs: list[float] = []
    folder = next(one for one in (data / "open/smd", data / "smd") if one.exists())
    for path in sorted(folder.glob("*_test.csv.gz")):
        rows = np.array(read(data, f"smd/{path.name}")[1], float)
        values, truth = rows[:, :-1], rows[:, -1] > 0.5
        train = min(len(values) // 4, events(truth)[0][0])  # up to the first anomaly, a quarter at most
        name = path.name.split("_")[1]
        window = window_of(values[:, 0])
        found[name] = vus_pr(truth, score_of(values[:train], values), window)
        theirs.append(vus_pr(truth, plain_pca(values[:train], values), window))
    mean, plain = float(np.mean(list(found.values()))), float(np.mean(theirs))
    each = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
    peer = "plain PCA T², Q here; published means of six machines: best 0.474, PCA 0.516"
    what = f"SMD mean VUS-PR ({each})"
    return [Result("Q4-smd-vus-pr", what, mean, "", "≥ plain PCA", mean >= plain, peer, mean / plain)]
