"""What an answer of a server's history says of a hole, above all around a restart of the server."""

import pytest

from edge.sources.opcua_history_answer import Answer
from edge.sources.opcua_history_progress import Outcome, Progress, take
from edge.sources.opcua_holes import Hole
from twin.wire.reading import GapCause, GapState, Reading

HOLE = Hole(1_000, 9_000, 3, GapCause.SUBSCRIPTION_LOST, "the server was restarted")
STARTED_NS = 6_000
HELD_BY_ALL = (7_000, 8_000, 9_000)  # since the start, and the end of the hole


def settled(*times: int, started_ns: int = STARTED_NS) -> Outcome:
    one = Progress(HOLE, node=None, since_ns=HOLE.from_ns, more=False)
    outcome = Outcome()
    take(one, Answer(0, b"", [Reading(3, at_ns, 1.0, 0, 0, 20_000) for at_ns in times]), outcome, started_ns)
    return outcome


@pytest.mark.parametrize(
    ("before_start", "lost_from_ns"),
    [
        ((1_000, 2_000, 4_000), 4_000),  # it has kept on disk what came before
        ((1_000,), 1_000),
        ((5_990,), 1_000),  # in memory: what its nodes were made with, a moment before it calls itself started
        ((), 1_000),
    ],
)
def test_over_a_restart_what_no_history_vouches_for_is_lost(before_start, lost_from_ns):
    outcome = settled(*before_start, *HELD_BY_ALL)
    assert [(gap.from_ns, gap.to_ns, gap.state) for gap in outcome.more] == [(lost_from_ns, STARTED_NS, GapState.LOST)]
    assert [state for _, state, _ in outcome.settled] == [GapState.BACKFILLED]
    inside = [at_ns for at_ns in (*before_start, *HELD_BY_ALL) if HOLE.from_ns < at_ns < HOLE.to_ns]
    assert [one.source_ns for one in outcome.readings] == inside


@pytest.mark.parametrize("held_before", [400, 1_000])  # a historian that samples may not have the very value
def test_a_server_that_went_on_has_lost_nothing(held_before):
    outcome = settled(held_before, 2_000, *HELD_BY_ALL, started_ns=500)
    assert not outcome.more
    assert [state for _, state, _ in outcome.settled] == [GapState.BACKFILLED]


def test_what_a_history_has_forgotten_already_is_lost():
    outcome = settled(4_000, *HELD_BY_ALL, started_ns=500)
    assert [(gap.from_ns, gap.to_ns, gap.cause, gap.state) for gap in outcome.more] == [
        (1_000, 4_000, HOLE.cause, GapState.LOST)
    ]
    assert [state for _, state, _ in outcome.settled] == [GapState.BACKFILLED]
    assert [state for _, state, _ in settled(9_000, started_ns=500).settled] == [GapState.LOST]
