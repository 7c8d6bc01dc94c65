"""The gap ledger and the sequence arithmetic."""

from edge.sources.opcua_gaps import Arrival, GapLedger
from edge.sources.opcua_subscription import after, ahead
from twin.wire.reading import Gap, GapCause, Reading


def at(handle: int, *times: int) -> list[Reading]:
    return [Reading(handle, time, 1.0, 0, 0, 0) for time in times]


def test_a_stream_without_losses_makes_no_gap() -> None:
    ledger = GapLedger()
    assert ledger.observe(at(1, 10, 20)) == []
    assert ledger.observe(at(1, 30)) == []


def test_a_loss_reaches_from_the_last_reading_to_the_next_and_items_of_one_span_share_a_gap() -> None:
    ledger = GapLedger()
    ledger.observe(at(1, 10, 20) + at(2, 20) + at(3, 25))
    ledger.lose((1, 2, 3, 4), GapCause.SUBSCRIPTION_LOST, "restart")
    assert ledger.waiting == 3  # nothing is known of item 4, so nothing of it is missing
    gaps = ledger.observe(at(1, 50, 60) + at(2, 50))
    assert gaps == [Gap((1, 2), 20, 50, GapCause.SUBSCRIPTION_LOST, "restart")]
    assert ledger.observe(at(3, 70)) == [Gap((3,), 25, 70, GapCause.SUBSCRIPTION_LOST, "restart")]
    assert ledger.waiting == 0


def test_an_item_that_shows_its_last_value_again_has_missed_nothing() -> None:
    ledger = GapLedger()
    ledger.observe(at(1, 10))
    ledger.lose((1,), GapCause.SUBSCRIPTION_LOST, "restart")
    assert ledger.observe(at(1, 10, 20)) == []


def test_the_first_of_two_losses_without_a_reading_between_them_stays() -> None:
    ledger = GapLedger()
    ledger.observe(at(1, 10))
    ledger.lose((1,), GapCause.SEQUENCE_JUMP, "first")
    ledger.lose((1,), GapCause.SUBSCRIPTION_LOST, "second")
    assert ledger.observe(at(1, 30)) == [Gap((1,), 10, 30, GapCause.SEQUENCE_JUMP, "first")]


def test_an_overflow_bit_makes_a_gap_of_its_item_alone_also_within_one_message() -> None:
    ledger = GapLedger()
    ledger.observe(at(1, 10) + at(2, 10))
    (gap,) = ledger.observe(at(2, 40) + at(1, 40, 50), [1])
    assert gap == Gap((1,), 10, 40, GapCause.QUEUE_OVERFLOW, "the server's queue was full")
    (gap,) = ledger.observe(at(1, 60, 90), [1])
    assert (gap.from_ns, gap.to_ns) == (60, 90)


def test_a_whole_queue_after_an_outage_counts_as_overflow_even_without_the_bit() -> None:
    ledger = GapLedger()
    ledger.observe(at(1, 10) + at(2, 10))
    arrival = Arrival(ledger, {1: 3, 2: 3})
    for part in (at(1, 40, 50) + at(2, 40), at(1, 60) + at(2, 50)):
        arrival.note(part, ledger.observe(part))
    (gap,) = arrival.gaps()
    assert gap[:4] == ((1,), 10, 40, GapCause.QUEUE_OVERFLOW)


def test_a_full_queue_whose_overflow_bit_made_a_gap_makes_no_second_one() -> None:
    ledger = GapLedger()
    ledger.observe(at(1, 10))
    arrival = Arrival(ledger, {1: 2})
    part = at(1, 40, 50)
    gaps = ledger.observe(part, [0])
    assert len(gaps) == 1
    arrival.note(part, gaps)
    assert arrival.gaps() == []


def test_sequence_numbers_wrap_to_one() -> None:
    assert after(2**32 - 1) == 1
    assert after(1) == 2
    assert ahead(1, 2**32 - 1) == 1
    assert ahead(2**32 - 1, 1) == -1
    assert ahead(5, 5) == 0
    assert ahead(9, 5) == 4
