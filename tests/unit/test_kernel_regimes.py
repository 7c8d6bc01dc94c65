"""Baselines per regime and per hour of the week, against plain lists and dictionaries."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.regimes import PlainMachine
from tests.reference.seasons import PlainSeason
from tests.unit.monitor_plant import SECOND, START_NS, make_ids, make_plant
from twin.kernels.layout import BASE, LAST, MEAN
from twin.kernels.regimes import enter_product, enter_speed, enter_state, place
from twin.kernels.seasons import enter_hour
from twin.monitor.engine import Engine

PLANT = make_plant()
IDS = make_ids(PLANT)
CURRENT, ASSET = IDS["factory/hall/saw/current"], [one.path for one in PLANT.assets].index("factory/hall/saw")
HOUR = 3_600 * SECOND


def parts(engine):
    """The blocks and the plant as the kernels see it."""
    return engine.state.blocks, engine._model()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), states=st.sampled_from([4, 40, 70]))
def test_a_change_takes_out_what_this_combination_has_learnt(seed, states):
    rng = np.random.default_rng(seed)
    blocks, model = parts(Engine(PLANT, IDS))
    plain = PlainMachine({1}, 0.0, 300.0)
    mean = place(CURRENT) + MEAN
    for step in range(80):
        number = np.float32(rng.normal())
        blocks.hot[mean] = number
        time, choice = START_NS + step * SECOND, rng.integers(0, 3)
        if choice == 0:
            plain.state = int(rng.choice([1, rng.integers(0, states)]))
            enter_state(float(plain.state), time, ASSET, blocks, model)
            expected = plain.choose(number)
        elif choice == 1:
            plain.product = int(rng.integers(1, 5))
            enter_product(plain.product, time, ASSET, blocks, model)
            expected = plain.choose(number)
        else:
            speed = float(rng.uniform(-20, 320))
            enter_speed(speed, 0.0, 300.0, time, ASSET, blocks, model)
            expected = plain.enter_speed(speed, number)
        assert int(blocks.exact[CURRENT]["regime"]) == plain.regime
        assert blocks.hot[mean] == np.float32(expected)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_an_hour_is_judged_by_what_was_usual_in_it(seed):
    rng = np.random.default_rng(seed)
    signals = tuple(replace(one, seasonal=one.path.endswith("current")) for one in PLANT.signals)
    engine = Engine(replace(PLANT, signals=signals), IDS)
    engine._hours.cover(np.array([START_NS, START_NS + 600 * HOUR]))
    blocks, model = parts(engine)
    plain = PlainSeason(list(zip(model.hours.tolist(), model.hour_slot.tolist(), strict=True)))
    at, hour = place(CURRENT), 0
    for _ in range(400):
        hour += int(rng.choice([1, 1, 1, 30]))
        mean, last = (np.float32(one) for one in rng.normal(size=2))
        silent_s = float(rng.choice([5.0, 2_000.0]))
        blocks.hot[at + MEAN], blocks.hot[at + LAST] = mean, last
        time = START_NS // HOUR * HOUR + (hour % 590) * HOUR + int(rng.integers(0, HOUR))
        enter_hour(CURRENT, at, time, np.float32(silent_s), blocks, model)
        expected = plain.enter(time, silent_s, float(mean), float(last))
        assert (blocks.hot[at + MEAN], blocks.hot[at + LAST]) == pytest.approx(expected, abs=1e-4)
        assert blocks.hot[at + BASE] == pytest.approx(plain.base, abs=1e-4)
        usual = blocks.seasons[0]
        assert {slot: float(usual[slot]) for slot in np.flatnonzero(np.isfinite(usual)).tolist()} == pytest.approx(
            plain.usual, abs=1e-4
        )
