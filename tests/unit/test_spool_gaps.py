"""Many holes told in few records: nothing that was lost falls out of them."""

from hypothesis import given
from hypothesis import strategies as st

from edge.spool_gaps import dropped, merge
from twin.wire.reading import Gap, GapCause, GapState

SECOND_NS = 1_000_000_000
gaps = st.builds(
    Gap,
    st.sets(st.integers(0, 9), min_size=1).map(lambda handles: tuple(sorted(handles))),
    st.integers(0, 50).map(lambda at: at * SECOND_NS),
    st.integers(51, 99).map(lambda at: at * SECOND_NS),
    st.sampled_from(GapCause),
    st.sampled_from(["", "detail"]),
    st.sampled_from(GapState),
)


@given(st.lists(gaps, max_size=30), st.sampled_from([0, 3, 256]))
def test_every_gap_lies_within_a_merged_one_of_its_cause(given_gaps: list[Gap], most: int):
    merged = merge(given_gaps, most)
    assert len(merged) <= max(most, 2 * len(GapCause))
    assert {gap for gap in merged if gap.state is GapState.BACKFILLED} <= set(given_gaps)
    for gap in given_gaps:
        if gap.state is GapState.BACKFILLED and gap not in merged:
            continue
        assert any(
            set(gap.handles) <= set(one.handles)
            and one.from_ns <= gap.from_ns
            and gap.to_ns <= one.to_ns
            and (one.cause, one.state) == (gap.cause, gap.state)
            for one in merged
        )


def test_drops_that_touch_become_one_gap_with_all_their_signals():
    first, second = dropped({3, 1}, 0, 10), dropped({2, 1}, 11, 20)
    assert merge([first, second]) == [first._replace(handles=(1, 2, 3), to_ns=21)]


def test_drops_far_apart_stay_two_gaps():
    first, second = dropped({1}, 0, 10), dropped({1}, 5 * SECOND_NS, 6 * SECOND_NS)
    assert merge([second, first]) == [first, second]


def test_the_newest_dropped_reading_lies_in_the_gap():
    gap = dropped({1}, 5, 9)
    assert gap.from_ns <= 9 < gap.to_ns


def test_gaps_of_other_causes_are_not_touched_while_there_are_few():
    lost = [Gap((1,), at, at + 5, GapCause.SUBSCRIPTION_LOST, "lost") for at in (0, 3, 6)]
    assert merge(lost) == lost


def test_gaps_that_name_very_many_signals_become_one_per_cause():
    handles = tuple(range(1_000))
    lost = [Gap(handles, at, at + 5, GapCause.SUBSCRIPTION_LOST, "lost") for at in range(200)]
    (one,) = merge(lost)
    assert one == Gap(handles, 0, 204, GapCause.SUBSCRIPTION_LOST, one.detail)
