"""Server machines: VUS-PR by the protocol of TSB-AD-M, first rows of the test part as training, score only."""

from pathlib import Path

import numpy as np

from tests.benchmark.record import Result
from tests.benchmark.recordings import Floats, events, read, vus_pr, window_of
from twin.detect.multivariate import Bank
from twin.detect.multivariate_fit import fit_bank

LONGEST, PUBLISHED = 6_000, 0.474


def score_of(train: Floats, test: Floats) -> Floats:
    """-log10 p of the worst statistic of each row."""
    bank = fit_bank([train])
    return Bank(bank).push(bank.scaled(test))[0].astype(float)


def measure(data: Path) -> list[Result]:
    """One result for the mean; each machine in the text."""
    found: dict[str, float] = {}
    folder = next(one for one in (data / "open/smd", data / "smd") if one.exists())
    for path in sorted(folder.glob("*_test.csv.gz")):
        rows = np.array(read(data, f"smd/{path.name}")[1], float)
        values, truth = rows[:, :-1], rows[:, -1] > 0.5
        train = min(len(values) // 4, events(truth)[0][0])  # up to the first anomaly, a quarter at most
        name = path.name.split("_")[1]
        found[name] = vus_pr(truth, score_of(values[:train], values), window_of(values[:, 0]))
    mean = float(np.mean(list(found.values())))
    each = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
    peer = "best published mean of six machines: 0.474; plain PCA there 0.516"
    what = f"SMD mean VUS-PR ({each})"
    return [Result("Q4-smd-vus-pr", what, mean, "", "≥ 0.516", mean >= 0.516, peer, mean / PUBLISHED)]
