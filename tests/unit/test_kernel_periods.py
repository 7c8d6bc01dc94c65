"""The active-period method: the kernel against its plain loop, and what it must always satisfy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import periods as plain
from twin.kernels.periods import bottleneck_chain, bottleneck_shares


@st.composite
def lines(draw):
    """Active periods of some machines; gaps between them are at least 1."""
    machines = []
    for machine in range(draw(st.integers(1, 5))):
        at, own = draw(st.integers(0, 6)), []
        for _ in range(draw(st.integers(0, 8))):
            length = draw(st.integers(1, 15))
            own.append((machine, at, at + length))
            at += length + draw(st.integers(1, 6))
        machines.append(own)
    return machines


def run(machines, begin, end):
    flat = [one for own in machines for one in own]
    start = np.array([one[1] for one in flat], np.int64)
    stop = np.array([one[2] for one in flat], np.int64)
    first = np.cumsum([0, *map(len, machines)], dtype=np.int64)
    chain = np.zeros(len(flat) + 1, np.int64)
    found = bottleneck_chain(start, stop, first, begin, end, chain)
    sole, shifting = np.zeros(len(machines), np.int64), np.zeros(len(machines), np.int64)
    machine = np.array([one[0] for one in flat], np.int64)
    bottleneck_shares(start, stop, machine, chain[:found], begin, end, sole, shifting)
    return [flat[place] for place in chain[:found]], sole.tolist(), shifting.tolist()


@settings(max_examples=200, deadline=None)
@given(lines(), st.integers(0, 20), st.integers(1, 80))
def test_the_chain_equals_its_plain_loop(machines, begin, length):
    chain, sole, shifting = run(machines, begin, begin + length)
    expected = plain.chain([one for own in machines for one in own], begin, begin + length)
    assert chain == expected
    shares = plain.shares(expected, begin, begin + length)
    assert sole == [shares.get(machine, [0, 0])[0] for machine in range(len(machines))]
    assert shifting == [shares.get(machine, [0, 0])[1] for machine in range(len(machines))]


@settings(max_examples=100, deadline=None)
@given(lines())
def test_whenever_a_machine_is_active_there_is_a_bottleneck(machines):
    chain, _, _ = run(machines, 0, 200)
    active = {at for own in machines for _, start, stop in own for at in range(start, stop)}
    assert active == {at for _, start, stop in chain for at in range(start, stop)} & active
    assert all(any(start <= at < stop for _, start, stop in chain) for at in active)


def test_the_overlap_of_two_periods_is_shifting_and_the_rest_is_sole():
    chain, sole, shifting = run([[(0, 0, 10)], [(1, 6, 30)]], 0, 30)
    assert chain == [(0, 0, 10), (1, 6, 30)]
    assert (sole, shifting) == ([6, 20], [4, 4])
