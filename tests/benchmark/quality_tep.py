"""Tennessee Eastman: detection rate per fault of the multi-scale bank, its false-alarm rate on rows that set no limit.

Fitted to the 500 fault-free training rows and the first half of the fault-free test run; the second half of that run
gives the false-alarm rate. The limit is that of `RegimeBank.limit`: less than one such frame in the history.
"""

from pathlib import Path

import numpy as np

from tests.benchmark.record import Result
from tests.benchmark.recordings import plain_pca, read
from twin.detect.multivariate import Bank
from twin.detect.multivariate_fit import fit_bank

FAULT_AT = 160
HIDDEN = (3, 9, 15)  # faults that plain statistics cannot see


def measure(data: Path) -> list[Result]:
    """One result per mean, per false-alarm rate, and the rates of each fault in the text."""
    train = np.array(read(data, "tep/tep_train.csv.gz")[1], float)
    test = np.array(read(data, "tep/tep_test.csv.gz")[1], float)
    runs = {int(fault): test[test[:, 0] == fault][:, 2:54] for fault in np.unique(test[:, 0])}
    normal = runs.pop(0)
    half = len(normal) // 2
    bank = fit_bank([train[train[:, 0] == 0][:, 2:54], normal[:half]], frame_s=180.0)
    alarm = {fault: Bank(bank).push(bank.scaled(rows))[0] > bank.limit() for fault, rows in runs.items()}
    false = 100.0 * float((Bank(bank).push(bank.scaled(normal))[0] > bank.limit())[half:].mean())
    rates = {fault: 100.0 * float(one[FAULT_AT:].mean()) for fault, one in alarm.items()}
    visible = [rate for fault, rate in rates.items() if fault not in HIDDEN]
    each = ", ".join(f"{fault}: {rate:.0f}" for fault, rate in rates.items())
    mean, seen = float(np.mean(list(rates.values()))), float(np.mean(visible))
    history = np.vstack([train[train[:, 0] == 0][:, 2:54], normal[:half]])
    plain = {fault: 100.0 * float((plain_pca(history, rows)[FAULT_AT:] > 1.0).mean()) for fault, rows in runs.items()}
    plain_false = 100.0 * float((plain_pca(history, normal)[half:] > 1.0).mean())
    peer = f"plain PCA T², Q here (FAR {plain_false:.1f} %); published over 21 faults: 64.5 and 75.0 %"
    return [
        Result("Q1-tep-far", "TEP false-alarm rate on rows that set no limit", false, "%", "≤ 1 %", false <= 1.0),
        Result(
            "Q1-tep-fdr",
            f"TEP mean detection rate of the {len(rates)} faults here ({each})",
            mean,
            "%",
            "≥ 80 % of 21 faults",
            mean >= 80.0,
            peer,
            mean / float(np.mean(list(plain.values()))),
        ),
        Result(
            "Q1-tep-fdr-visible",
            f"TEP mean detection rate without faults {HIDDEN} ({len(visible)} faults)",
            seen,
            "%",
            "≥ 90 %",
            seen >= 90.0,
            peer,
            seen / float(np.mean([rate for fault, rate in plain.items() if fault not in HIDDEN])),
        ),
    ]
