"""Which holes are asked for together, and what outlives the agent."""

from hypothesis import given
from hypothesis import strategies as st

from edge.sources import opcua_holes
from edge.sources.opcua_holes import Hole, Holes, told
from twin.wire.reading import Gap, GapCause, GapState

SIGNALS = {handle: f"plant/line/v{handle}" for handle in range(10)}
CAUSE = GapCause.SEQUENCE_JUMP
gaps = st.builds(
    lambda handles, start, length: Gap(tuple(handles), start, start + length, CAUSE, "x"),
    st.sets(st.integers(0, 9), min_size=1),
    st.integers(0, 1000),
    st.integers(1, 500),
)


def holes_of(*found: Gap) -> Holes:
    holes = Holes(SIGNALS)
    for gap in found:
        assert holes.add(gap)
    return holes


def test_overlapping_holes_of_different_items_share_a_round_and_one_item_waits_for_the_next():
    holes = holes_of(Gap((1, 2), 10, 20, CAUSE, "a"), Gap((3,), 12, 25, CAUSE, "b"), Gap((1,), 15, 18, CAUSE, "c"))
    first = holes.next_round(10)
    assert [(hole.handle, hole.from_ns) for hole in first] == [(1, 10), (2, 10), (3, 12)]
    holes.settle(first)
    assert [hole.detail for hole in holes.next_round(10)] == ["c"]


def test_a_short_hole_is_not_read_together_with_days():
    holes = holes_of(Gap((1,), 10, 20, CAUSE, "short"), Gap((2,), 15, 10_000, CAUSE, "long"))
    assert [hole.detail for hole in holes.next_round(10)] == ["short"]


@given(st.lists(gaps, max_size=30), st.integers(1, 5))
def test_rounds_come_to_an_end_and_cover_every_hole_once(found: list[Gap], most: int):
    holes = holes_of(*found)
    asked: list[Hole] = []
    while holes:
        one = holes.next_round(most)
        assert 1 <= len(one) <= most
        assert len({hole.handle for hole in one}) == len(one)
        asked += one
        holes.settle(one)
    wanted = {(handle, gap.from_ns, gap.to_ns) for gap in found for handle in gap.handles}
    assert len(asked) == len(wanted)
    assert {(hole.handle, hole.from_ns, hole.to_ns) for hole in asked} == wanted


@given(st.lists(gaps, max_size=30))
def test_what_is_packed_is_found_again_under_other_handles(found: list[Gap]):
    holes = holes_of(*found)
    other = Holes({99 - handle: path for handle, path in SIGNALS.items()})
    other.unpack(holes.pack())
    assert len(other) == len(holes)
    back = Holes(SIGNALS)
    back.unpack(other.pack())
    assert back.pack() == holes.pack()


def test_signals_that_are_read_no_more_are_forgotten():
    other = Holes({1: SIGNALS[1]})
    other.unpack(holes_of(Gap((1, 2), 10, 20, CAUSE, "a")).pack())
    assert [hole.handle for hole in other.next_round(9)] == [1]


def test_more_than_can_be_remembered_is_not_promised(monkeypatch):
    monkeypatch.setattr(opcua_holes, "MOST_HOLES", 3)
    holes = holes_of(Gap((1, 2), 10, 20, CAUSE, "a"))
    assert not holes.add(Gap((3, 4), 10, 20, CAUSE, "b"))
    assert len(holes) == 2


def test_holes_of_one_fate_share_a_record():
    one, two, three = (Hole(10, 20, handle, CAUSE, "a") for handle in (1, 2, 3))
    backfilled, lost = GapState.BACKFILLED, GapState.LOST
    assert told([(two, backfilled, "a"), (one, backfilled, "a"), (three, lost, "a; none")]) == [
        Gap((1, 2), 10, 20, CAUSE, "a", backfilled),
        Gap((3,), 10, 20, CAUSE, "a; none", lost),
    ]
