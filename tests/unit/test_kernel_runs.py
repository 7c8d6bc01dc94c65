"""A batch sorted by signal gives bit for bit what its rows give one by one, whatever is wrong with some of them."""

import numpy as np
import pytest

from twin.kernels.entry import events
from twin.kernels.layout import (
    CLOSED,
    CONFIG,
    ENTERED,
    MEASUREMENT,
    OPENED,
    REGIMES,
    REPORT,
    STATE,
    Blocks,
    Columns,
    Model,
    empty_blocks,
)

SIGNALS, PER_BATCH, BATCHES = 40, 60, 12
START_NS, PERIOD_NS = 1_795_000_000_000_000_000, 10_000_000_000
STATES = (6, 27)
BAD_QUALITY = 2


class Judge:
    """The event kernel on blocks of its own: two machines of twenty signals, of which one says the machine's state."""

    def __init__(self, reports: int = 65_536) -> None:
        self.config = np.zeros(SIGNALS, CONFIG)
        self.config["low"], self.config["high"] = -50.0, 50.0
        self.config["gap_ns"], self.config["gap_s"] = 60_000_000_000, 60.0
        self.config["asset"] = np.arange(SIGNALS) // 20
        self.config["kind"] = MEASUREMENT
        self.config["kind"][list(STATES)] = STATE
        self.config["chooses"][list(STATES)] = 1
        self.config["regimes"] = REGIMES
        self.config["regime_start"] = np.arange(SIGNALS) * REGIMES
        self.config["season"] = -1
        self.config["level"] = 0.02
        self.members = np.setdiff1d(np.arange(SIGNALS), STATES).astype(np.int32)
        self.member_start = np.array([0, 19, 38], np.int32)
        self.blocks: Blocks = empty_blocks(self.config, 2, np.zeros(0, np.int32))
        self.blocks.exact["kind"] = self.config["kind"]
        self.reports = np.zeros(reports, REPORT)
        self.told: list[np.ndarray] = []

    def judge(self, batch: Columns) -> None:
        none, nowhere = np.zeros(0, np.int64), np.zeros(2, np.int32)
        model = Model(
            config=self.config,
            members=self.members,
            member_start=self.member_start,
            bounds=none,
            bound_start=nowhere,
            executing=np.zeros(2, np.int64),
            hours=none,
            hour_slot=np.zeros(0, np.int16),
            hour_start=nowhere,
        )
        begin = 0
        while begin < len(batch.signal):
            begin, used = events(batch, begin, self.blocks, model, self.reports)
            self.told.append(self.reports[:used].copy())

    def state(self) -> list[bytes]:
        blocks = self.blocks
        return [part.tobytes() for part in blocks[:7]]

    def reported(self) -> np.ndarray:
        """In their order; a report of a state has nothing but its time, signal and value."""
        told = np.concatenate(self.told)
        for field in ("detector", "spare", "since", "score", "centre", "spread", "p", "side", "regime"):
            told[field][told["what"] == ENTERED] = 0
        return told


def batch(seed: int, number: int) -> Columns:
    """One batch sorted by signal and time: noise of coarse steps, and by turns everything that is not plain."""
    dice = np.random.default_rng([seed, number])
    value = np.round(dice.standard_normal((SIGNALS, PER_BATCH)), 1)
    quality = np.zeros((SIGNALS, PER_BATCH), np.uint8)
    instant = np.tile(np.arange(PER_BATCH) + number * PER_BATCH, (SIGNALS, 1))
    value[STATES[0]] = (np.arange(PER_BATCH) // 20 + number) % 4
    value[STATES[1]] = 1.0
    value[3] = 0.5  # never moves
    if number >= 6:
        value[25] += 4.0  # drifts
        at = dice.integers(5, 40, 4)
        value[22, at[0] : at[0] + 6] = 30.0  # a spike
        value[30, at[1] : at[1] + 6] = 80.0  # out of range
        quality[33, at[2] : at[2] + 6] = BAD_QUALITY
        value[34, at[3] : at[3] + 6] = np.nan
    instant[36, 30] = instant[36, 29]  # two of one time
    instant[37, 10:20] = instant[37, 9]  # late ones
    signal = np.repeat(np.arange(SIGNALS, dtype=np.int32), PER_BATCH)
    time = (START_NS + instant * PERIOD_NS).reshape(-1)
    kept = dice.random(len(signal)) > 0.05  # runs of unequal length
    kept &= signal != 39 if number % 2 else signal != 11  # and lanes that are empty
    columns = signal, time, value.reshape(-1), quality.reshape(-1), time + 1_000_000
    return Columns(*(np.ascontiguousarray(column[kept]) for column in columns), node=3)


@pytest.mark.many_samples
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("reports", [64, 65_536])
def test_a_sorted_batch_gives_what_its_rows_give_one_by_one(seed: int, reports: int) -> None:
    together, alone = Judge(reports), Judge()
    for number in range(BATCHES):
        columns = batch(seed, number)
        together.judge(columns)
        for row in range(len(columns.signal)):
            alone.judge(Columns(*(column[row : row + 1] for column in columns[:5]), node=3))
        assert together.state() == alone.state()
    assert together.reported().tobytes() == alone.reported().tobytes()
    assert {OPENED, CLOSED, ENTERED} <= set(together.reported()["what"].tolist())


def test_rows_of_a_signal_that_comes_back_are_taken_in_their_order() -> None:
    first, second = batch(1, 0), batch(1, 1)
    twice = Columns(*(np.concatenate(both) for both in zip(first[:5], second[:5], strict=True)), node=3)
    together, apart = Judge(), Judge()
    together.judge(twice)
    apart.judge(first)
    apart.judge(second)
    assert together.state() == apart.state()
