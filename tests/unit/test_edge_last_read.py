"""A gap begins where the signal's own readings end."""

from edge.last_read import LastRead
from twin.wire.reading import GapCause, Reading

HASH = "00112233445566aa"


def reading(handle: int, source_ns: int, received_ns: int = 10**18) -> Reading:
    return Reading(handle, source_ns, 1.0, 0, 0, received_ns)


def spans(known: LastRead, to_ns: int) -> list[tuple[tuple[int, ...], int, int]]:
    return [(gap.handles, gap.from_ns, gap.to_ns) for gap in known.gaps(to_ns, GapCause.AGENT_DOWN, "")]


def test_each_signal_has_its_own_end_and_equal_ends_share_a_gap() -> None:
    known = LastRead([0, 1, 2])
    known.take([reading(0, 50), reading(1, 70), reading(2, 70), reading(0, 40)])
    assert spans(known, 100) == [((0,), 50, 100), ((1, 2), 70, 100)]


def test_a_signal_that_nobody_read_has_no_gap_before_the_agent_began() -> None:
    known = LastRead([0, 1])
    assert not known
    assert spans(known, 100) == []
    known.take([reading(0, 30)])
    known.begin(60)
    assert spans(known, 100) == [((0,), 30, 100), ((1,), 60, 100)]


def test_a_clock_that_runs_ahead_never_hides_a_gap() -> None:
    known = LastRead([0])
    known.take([reading(0, source_ns=10**18, received_ns=50)])
    assert spans(known, 100) == [((0,), 50, 100)]


def test_it_survives_bytes_and_a_changed_schema_widens_the_gap() -> None:
    known, same, other = LastRead([0, 1]), LastRead([0, 1]), LastRead([0, 1, 5])
    known.take([reading(0, 30), reading(1, 80)])
    same.unpack(known.pack(HASH), HASH)
    assert spans(same, 100) == spans(known, 100)
    other.unpack(known.pack(HASH), "ffffffffffffffff")
    assert spans(other, 100) == [((0, 1, 5), 30, 100)]
