"""When a new configuration is worse than the one before."""

from edge.probation import Before, before, complaint, look
from edge.sources.source import SourceState, SourceStatus


def looks(at_s: float, seconds: int, rates: dict[str, float], down: tuple[str, ...] = ()):
    """One look per second; sources count up at their rates."""
    found = []
    for second in range(seconds):
        statuses = [
            SourceStatus(
                name,
                "mqtt",
                SourceState.DOWN if name in down else SourceState.CONNECTED,
                "refused" if name in down else "",
                0,
                int(rate * second),
                0,
            )
            for name, rate in rates.items()
        ]
        found.append(look(statuses, at_s + second))
    return found


THEN = before(looks(0, 61, {"a": 10, "b": 40, "slow": 0.1}), 0.5)


def test_what_was_connected_and_how_much_came_is_remembered_where_it_is_known_well_enough():
    assert Before(connected=("a", "b", "slow"), values_per_s={"a": 10.0, "b": 40.0}, least_share=0.5) == THEN
    assert before([], 0.5) == before(looks(0, 1, {}), 0.5) == Before()
    assert before(looks(0, 1, {"a": 10}), 0.5) == Before(connected=("a",))


def test_a_source_that_was_connected_and_is_not_is_worse():
    assert complaint(THEN, looks(0, 30, {"a": 10, "b": 40, "slow": 1}, down=("slow",))) == (
        "source slow was connected before and is not now (refused)"
    )


def test_a_source_that_was_down_before_may_be_down():
    then = before(looks(0, 61, {"a": 10, "b": 40}, down=("b",)), 0.5)
    assert complaint(then, looks(0, 30, {"a": 30, "b": 0}, down=("b",))) == ""


def test_less_than_the_share_is_worse_and_the_share_itself_is_not():
    assert complaint(THEN, looks(0, 31, {"a": 10, "b": 15, "slow": 0})) == ""
    assert complaint(THEN, looks(0, 31, {"a": 10, "b": 14, "slow": 0})) == (
        "24.0 values/s come from a, b, 50.0 came before"
    )


def test_a_source_that_was_taken_out_or_is_new_is_not_compared():
    assert complaint(THEN, looks(0, 31, {"a": 6, "new": 0}, down=("new",))) == ""
    assert complaint(THEN, looks(0, 31, {"new": 0})) == ""
