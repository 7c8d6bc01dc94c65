"""What may be on its way, what goes again and when; how history is paced."""

from itertools import pairwise

import pytest

from edge.uplink_messages import wanted_schema, words
from edge.uplink_window import Pace, Window
from twin.errors import Rejected
from twin.wire.reading import Lane
from twin.wire.receipt import Receipt

EPOCH = "0" * 32


def window(max_batches: int = 8, max_bytes: int = 1_000) -> Window:
    return Window(max_batches=max_batches, max_bytes=max_bytes, resend_s=5, resend_max_s=60, jitter=lambda: 1.0)


def sent(to: Window, *numbers: int, at_s: float = 0, size: int = 10, lane: Lane = Lane.LIVE) -> None:
    for number in numbers:
        to.sent(number, lane, size, at_s).acknowledged = True


def test_the_window_is_bounded_in_batches_and_in_bytes():
    by_count, by_size = window(), window()
    sent(by_count, *range(1, 9))
    sent(by_size, 1, size=1_000)
    assert window().room(Lane.LIVE) == 8
    assert by_count.room(Lane.LIVE) == by_size.room(Lane.LIVE) == 0


def test_history_leaves_a_quarter_of_the_window_to_the_live_lane():
    flights = window()
    sent(flights, *range(1, 7), lane=Lane.HISTORY)
    assert flights.room(Lane.HISTORY) == 0
    assert flights.room(Lane.LIVE) == 2


def test_a_receipt_ends_the_flights_that_it_covers():
    flights = window()
    sent(flights, 1, 2, 3, 4, size=300)
    assert flights.settle(Receipt(EPOCH, 1, ((3, 3),))) == 2
    assert flights.numbers == {2, 4}
    assert flights.room(Lane.LIVE) == 6


def test_sending_again_counts_the_bytes_once():
    flights = window()
    sent(flights, 1, size=900)
    sent(flights, 1, at_s=5, size=900)
    assert flights.room(Lane.LIVE) == 7
    assert flights.attempt(1) == 2


def test_what_the_broker_has_not_acknowledged_is_never_sent_again_on_this_connection():
    flights = window()
    flights.sent(1, Lane.LIVE, 10, 0.0)
    assert flights.due(1_000) == []
    assert flights.next_due_in_s(1_000) is None
    assert flights.silent_s(1_000) == 1_000


def test_all_that_is_overdue_goes_again_once_after_progress():
    flights = window()
    sent(flights, 3, 1, 2)
    sent(flights, 4, at_s=3)
    assert flights.due(4.9) == []
    assert flights.next_due_in_s(4) == 1
    assert flights.due(5) == [1, 2, 3]


def test_without_receipts_only_one_batch_goes_again_and_less_and_less_often():
    flights, probes = window(), []
    sent(flights, *range(1, 9))
    sent(flights, *flights.due(5), at_s=5)
    now_s = 5.0
    while now_s < 1_000:
        now_s += wait_s if (wait_s := flights.next_due_in_s(now_s)) else 0.0
        due = flights.due(now_s)
        assert len(due) == 1
        sent(flights, *due, at_s=now_s)
        probes.append(now_s)
    pauses = [after - before for before, after in pairwise(probes)]
    assert pauses[:3] == [10, 20, 40]
    assert set(pauses[3:]) == {60}


def test_a_receipt_after_a_long_silence_sends_everything_overdue_at_once():
    flights = window()
    sent(flights, *range(1, 9))
    for now_s in (5, 10, 30, 100):
        sent(flights, *flights.due(now_s), at_s=now_s)
    flights.settle(Receipt(EPOCH, 1))
    assert flights.due(106) == list(range(2, 9))


def test_the_pace_lets_a_second_of_budget_go_at_once_and_then_the_rate():
    pace, spent, now_s = Pace(1_000), 0, 0.0
    while now_s < 10:
        wait_s = pace.wait_s(now_s)
        if wait_s == 0:
            pace.spend(300)
            spent += 300
        now_s += wait_s
    assert 10_000 <= spent <= 11_600


@pytest.mark.parametrize("command", [b"\xff", b"[]", b"{}", b'{"want":"schema"}', b'{"want":"schema","hash":7}'])
def test_a_command_that_is_not_known_is_rejected(command: bytes):
    with pytest.raises(Rejected):
        wanted_schema(command)


def test_the_wanted_schema_is_read_from_a_command():
    assert wanted_schema(b'{"want":"schema","hash":"0123456789abcdef"}') == "0123456789abcdef"


def test_figures_and_instants_are_no_news_but_words_are():
    report = {"status": "online", "at": "a", "backlog": {"bytes": 7, "oldest_at": "b"}, "sources": [{"status": "down"}]}
    same = {"status": "online", "at": "c", "backlog": {"bytes": 8, "oldest_at": "d"}, "sources": [{"status": "down"}]}
    other = {"status": "online", "at": "c", "backlog": {"bytes": 8, "oldest_at": "d"}, "sources": [{"status": "up"}]}
    assert words(report) == words(same)
    assert words(report) != words(other)
