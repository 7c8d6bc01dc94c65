"""What a host knows of one edge node: births, order, deaths, and what is missing."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import Rejected
from twin.ingest import sparkplug_session
from twin.ingest.admit import EARLIEST_NS
from twin.ingest.sparkplug_outcome import Hole, Key, Outcome
from twin.ingest.sparkplug_session import Session
from twin.wire.reading import GapCause, Quality
from twin.wire.sparkplug import DataSet, DataType, Metric, Payload, Property, Template, Unreadable
from twin.wire.sparkplug_topic import Kind

T0 = 1_760_000_000_000  # ms
S = 1_000  # ms
REORDER_NS = 2_000_000_000


def ns(ms: int) -> int:
    return ms * 1_000_000


def double(name: str | None, value: float, at: int = T0, **more) -> Metric:
    return Metric(name, value, DataType.DOUBLE, at, **more)


def data(alias: int, value: float, at: int, **more) -> Metric:
    return Metric(None, value, None, at, alias, **more)


class Node:
    """Says to a session what an edge node would; the clock is the messages' own time."""

    def __init__(self) -> None:
        self.session = Session(reorder_ns=REORDER_NS)
        self.seq = 0

    def birth(self, *metrics: Metric, at: int = T0, bd_seq: int = 0) -> Outcome:
        self.seq = 0
        session_number = Metric("bdSeq", bd_seq, DataType.INT64, at)
        return self.say(Kind.NBIRTH, "", session_number, *metrics, at=at)

    def death(self, bd_seq: int, at: int) -> Outcome:
        return self.session.take(
            Kind.NDEATH, "", Payload((Metric("bdSeq", bd_seq, DataType.INT64),), at), ns(at)
        )  # fmt: skip

    def say(self, kind: Kind, device: str, *metrics: Metric, at: int = T0) -> Outcome:
        seq, self.seq = self.seq, (self.seq + 1) % 256
        return self.session.take(kind, device, Payload(metrics, at, seq), ns(at))

    def lose_one(self) -> int:
        seq, self.seq = self.seq, (self.seq + 1) % 256
        return seq


def numbers(out: Outcome) -> list[tuple[str, float | str]]:
    return [("/".join(part for part in key if part), one.value) for key, one in out.values]


def test_aliases_mean_what_the_birth_said_and_data_needs_no_datatype() -> None:
    node = Node()
    node.birth(double("power", 1.0, alias=7))
    node.say(
        Kind.DBIRTH, "press", Metric("level", -5, DataType.INT16, T0, 8), Metric("on", True, DataType.BOOLEAN, T0, 9)
    )
    out = node.say(Kind.NDATA, "", data(7, 2.5, T0 + S))
    assert numbers(out) == [("power", 2.5)]
    out = node.say(Kind.DDATA, "press", Metric(None, 65_530, None, T0 + S, 8), Metric(None, False, None, T0 + S, 9))
    assert numbers(out) == [("press/level", -6.0), ("press/on", 0.0)]
    assert not out.rebirth


def test_data_of_an_unknown_node_metric_or_device_wants_a_rebirth() -> None:
    node = Node()
    assert node.say(Kind.NDATA, "", data(1, 1.0, T0)).rebirth
    node.birth(double("power", 1.0, alias=1))
    for kind, device, metric in (
        (Kind.NDATA, "", data(2, 1.0, T0)),
        (Kind.NDATA, "", Metric("other", 1.0)),
        (Kind.DDATA, "press", data(1, 1.0, T0)),
    ):
        out = node.say(kind, device, metric)
        assert out.rebirth
        assert not out.values
        assert [refusal.reason for _, refusal in out.refusals] == ["no-birth"]


def test_a_named_and_typed_metric_without_a_birth_is_read() -> None:
    node = Node()
    node.birth(double("DATA/power", 1.0))
    out = node.say(Kind.NDATA, "", double("power", 2.0, T0 + S))
    assert (numbers(out), out.rebirth) == ([("power", 2.0)], "")


def test_a_death_that_is_ahead_of_its_birth_counts() -> None:
    for born, died, counts in ((0, 1, True), (255, 0, True), (5, 4, False), (0, 255, False)):
        node = Node()
        node.birth(double("v", 1.0), bd_seq=born)
        assert node.death(died, T0).changed is counts


def test_messages_in_the_wrong_order_are_put_right() -> None:
    node = Node()
    node.birth(double("v", 0.0, alias=1))
    first, second = (Payload((data(1, float(n), T0 + n),), T0 + n, n) for n in (1, 2))
    assert not node.session.take(Kind.NDATA, "", second, ns(T0 + 2)).values
    assert numbers(node.session.take(Kind.NDATA, "", first, ns(T0 + 3))) == [("v", 1.0), ("v", 2.0)]
    assert not node.session.tick(ns(T0 + 60 * S)).rebirth


def test_a_missing_message_is_waited_for_then_a_rebirth_is_wanted_and_the_hole_told() -> None:
    node = Node()
    node.birth(double("v", 0.0, alias=1), double("w", 0.0, alias=2))
    node.say(Kind.NDATA, "", data(1, 1.0, T0 + S), at=T0 + S)
    node.lose_one()
    assert not node.say(Kind.NDATA, "", data(1, 3.0, T0 + 3 * S), at=T0 + 3 * S).values
    assert not node.session.tick(ns(T0 + 4 * S)).rebirth
    out = node.session.tick(ns(T0 + 5 * S))
    assert out.rebirth
    assert not out.values  # its alias may have been given anew by what is missing
    assert node.say(Kind.NDATA, "", data(1, 4.0, T0 + 6 * S)).refusals
    out = node.birth(double("v", 5.0, T0 + 7 * S, alias=1), double("w", 0.0, T0, alias=2), at=T0 + 7 * S)
    assert set(out.holes) == {
        Hole(Key("", "v"), ns(T0 + S), ns(T0 + 7 * S), GapCause.SEQUENCE_JUMP, "messages from number 2 on are missing"),
        Hole(Key("", "w"), ns(T0), ns(T0 + 7 * S), GapCause.SEQUENCE_JUMP, "messages from number 2 on are missing"),
    }


def test_metrics_that_bear_their_names_are_read_although_a_message_is_missing() -> None:
    node = Node()
    node.birth(double("v", 0.0))
    node.lose_one()
    node.say(Kind.NDATA, "", double("v", 2.0, T0 + 2 * S), at=T0 + 2 * S)
    out = node.session.tick(ns(T0 + 5 * S))
    assert numbers(out) == [("v", 2.0)]
    assert [(hole.from_ns, hole.to_ns) for hole in out.holes] == [(ns(T0), ns(T0 + 2 * S))]
    assert out.rebirth


def test_the_sequence_goes_on_behind_255() -> None:
    node = Node()
    node.birth(double("v", 0.0, alias=1))
    for n in range(1, 600):
        assert numbers(node.say(Kind.NDATA, "", data(1, float(n), T0 + n))) == [("v", float(n))]


def test_too_many_waiting_messages_are_not_waited_for() -> None:
    node = Node()
    node.birth(double("v", 0.0, alias=1))
    node.lose_one()
    assert any(node.say(Kind.NDATA, "", data(1, 1.0, T0)).rebirth for _ in range(200))


def test_a_death_makes_a_hole_until_the_next_birth() -> None:
    node = Node()
    node.birth(double("v", 1.0, alias=1), bd_seq=4)
    node.say(Kind.DBIRTH, "press", double("p", 1.0, T0 + S, alias=2), at=T0 + S)
    assert not node.death(3, T0 + 2 * S).changed  # the will of an older session
    assert node.session.born
    assert node.death(4, T0 + 3 * S).changed
    assert not node.session.born
    assert node.session.devices == {"press": False}
    out = node.birth(double("v", 1.0, T0 + 9 * S, alias=1), at=T0 + 9 * S, bd_seq=5)
    assert [(hole.key.name, hole.from_ns, hole.to_ns, hole.cause) for hole in out.holes] == [
        ("v", ns(T0), ns(T0 + 9 * S), GapCause.DEVICE_UNREACHABLE)
    ]
    out = node.say(Kind.DBIRTH, "press", double("p", 1.0, T0 + S, alias=2), at=T0 + 10 * S)  # an old value, said now
    assert [(hole.from_ns, hole.to_ns) for hole in out.holes] == [(ns(T0 + S), ns(T0 + 10 * S))]


def test_a_rebirth_within_a_session_makes_no_hole_and_a_new_session_without_a_death_does() -> None:
    node = Node()
    node.birth(double("v", 1.0), bd_seq=1)
    assert not node.birth(double("v", 1.0, T0 + S), at=T0 + S, bd_seq=1).holes
    assert len(node.birth(double("v", 1.0, T0 + 2 * S), at=T0 + 2 * S, bd_seq=2).holes) == 1


def test_a_device_death_concerns_that_device_only() -> None:
    node = Node()
    node.birth(double("v", 1.0, alias=1))
    for device, alias in (("a", 2), ("b", 3)):
        node.say(Kind.DBIRTH, device, double("p", 1.0, alias=alias))
    node.say(Kind.DDEATH, "a", at=T0 + S)
    assert node.session.devices == {"a": False, "b": True}
    assert node.say(Kind.DDATA, "b", data(3, 2.0, T0 + S)).values
    assert node.say(Kind.DDATA, "a", data(2, 2.0, T0 + S)).rebirth


def test_an_absent_host_makes_a_hole_and_only_a_birth_helps() -> None:
    node = Node()
    node.birth(double("v", 1.0))
    node.session.lose(GapCause.SESSION_LOST, "away", ns(T0 + S))
    assert node.say(Kind.NDATA, "", double("v", 2.0, T0 + 2 * S)).rebirth
    out = node.birth(double("v", 3.0, T0 + 3 * S), at=T0 + 3 * S)
    assert [hole.cause for hole in out.holes] == [GapCause.SESSION_LOST]


def test_historical_values_are_told_apart_and_close_no_hole() -> None:
    node = Node()
    node.birth(double("v", 1.0, T0 + 5 * S, alias=1), at=T0 + 5 * S)
    out = node.say(
        Kind.NDATA, "", data(1, 0.5, T0, is_historical=True), data(1, 2.0, T0 + 6 * S), data(1, 1.5, T0 + 2 * S)
    )
    assert [one.historical for _, one in out.values] == [True, False, True]


def test_quality_null_and_bad_values() -> None:
    node = Node()
    quality = {"Quality": Property(500, DataType.INT32)}
    out = node.birth(
        double("stale", 1.0, properties=quality),
        double("bad", 1.0, properties={"Quality": Property(0, DataType.INT32)}),
        double("good", 1.0, properties={"Quality": Property(192, DataType.INT32)}),
        Metric("null", None, DataType.DOUBLE, T0, 1),
        Metric("no text", None, DataType.STRING, T0, 2),
        Metric("unreadable", Unreadable("why"), DataType.INT8, T0),
        Metric("octets", b"1", DataType.BYTES, T0),
        Metric("Node Control/Rebirth", False, DataType.BOOLEAN, T0),
    )
    assert {"null", "no text"} <= {birth.key.name for birth in out.births}
    later = node.say(Kind.NDATA, "", Metric(None, None, None, T0 + S, 1), Metric(None, None, None, T0 + S, 2))
    found = {key.name: one for key, one in (*out.values, *later.values)}
    assert {name: one.quality for name, one in found.items()} == {
        "stale": Quality.UNCERTAIN, "bad": Quality.BAD, "good": Quality.GOOD, "null": Quality.BAD, "no text": Quality.BAD,
    }  # fmt: skip
    assert math.isnan(float(found["null"].value))
    assert found["no text"].value == ""
    assert {key.name: refusal.reason for key, refusal in out.refusals} == {
        "unreadable": "malformed",
        "octets": "no-signal",
    }


def test_a_birth_without_a_value_takes_no_values_place_and_ends_no_hole() -> None:
    node = Node()
    node.birth(double("v", 1.0, alias=1), bd_seq=1)
    node.death(1, T0 + S)
    out = node.birth(Metric("v", None, DataType.DOUBLE, T0 + 2 * S, 1), at=T0 + 2 * S, bd_seq=2)
    assert not out.values
    assert not out.holes
    out = node.say(Kind.NDATA, "", data(1, 2.0, T0 + 3 * S), at=T0 + 3 * S)
    assert [(hole.from_ns, hole.to_ns) for hole in out.holes] == [(ns(T0), ns(T0 + 3 * S))]


def test_a_value_without_any_time_gets_the_receive_time_and_says_so() -> None:
    session = Session(reorder_ns=REORDER_NS)
    out = session.take(Kind.NBIRTH, "", Payload((Metric("v", 1.0, DataType.DOUBLE),), None, 0), 123_000)
    ((_, one),) = out.values
    assert (one.time_ns, one.quality) == (123_000, Quality.TIME_ADJUSTED)
    out = session.take(Kind.NDATA, "", Payload((Metric("v", 1.0),), 2**63, 1), 124_000)
    assert [refusal.reason for _, refusal in out.refusals] == ["out-of-time"]


def test_the_columns_of_a_data_set_are_signals_and_rows_need_times() -> None:
    node = Node()
    types = (DataType.DATE_TIME, DataType.INT8, DataType.STRING)
    table = DataSet(("at", "n", "word"), types, ((T0, 1, "a"), (T0 + S, -2, None)))
    timeless = DataSet(("n",), (DataType.INT8,), ((1,), (2,)))
    one_row = DataSet(("n",), (DataType.INT8,), ((3,),))
    out = node.birth(
        Metric("t", table, DataType.DATA_SET, T0),
        Metric("u", timeless, DataType.DATA_SET, T0),
        Metric("w", one_row, DataType.DATA_SET, T0, 4),
    )
    assert [(key.name, one.time_ns, one.value) for key, one in out.values] == [
        ("t/n", ns(T0), 1.0), ("t/word", ns(T0), "a"), ("t/n", ns(T0 + S), -2.0), ("t/word", ns(T0 + S), ""),
        ("w/n", ns(T0), 3.0),
    ]  # fmt: skip
    assert [refusal.reason for _, refusal in out.refusals] == ["no-times"]
    assert numbers(node.say(Kind.NDATA, "", Metric(None, one_row, None, T0 + S, 4))) == [("w/n", 3.0)]


def test_the_members_of_a_template_are_signals_also_without_datatypes() -> None:
    node = Node()
    motor = Template((Metric("rpm", -1, DataType.INT32), Metric("on", True, DataType.BOOLEAN)), "Motor")
    definition = Template((Metric("rpm", 0, DataType.INT32),), is_definition=True)
    out = node.birth(
        Metric("_types_/Motor", definition, DataType.TEMPLATE, T0), Metric("m", motor, DataType.TEMPLATE, T0, 1)
    )
    assert numbers(out) == [("m/rpm", -1.0), ("m/on", 1.0)]
    later = Template((Metric("rpm", 4_294_967_291),), "Motor")
    assert numbers(node.say(Kind.NDATA, "", Metric(None, later, None, T0 + S, 1))) == [("m/rpm", -5.0)]


def test_an_alias_that_is_given_twice_is_refused_and_the_first_stays() -> None:
    node = Node()
    out = node.birth(double("a", 1.0, alias=1), double("b", 2.0, alias=1))
    assert [key.name for key, _ in out.refusals] == ["b"]
    assert numbers(node.say(Kind.NDATA, "", data(1, 3.0, T0 + S))) == [("a", 3.0)]


def test_more_than_anybody_needs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparkplug_session, "MOST_METRICS", 3)
    monkeypatch.setattr(sparkplug_session, "MOST_DEVICES", 1)
    node = Node()
    node.birth(double("a", 1.0))  # bdSeq is one, too
    out = node.say(Kind.DBIRTH, "press", double("b", 1.0), double("c", 1.0), double("d", 1.0))
    assert numbers(out) == [("press/b", 1.0)]
    assert [refusal.reason for _, refusal in out.refusals] == ["too-many"]
    assert [refusal.reason for _, refusal in node.say(Kind.DBIRTH, "lathe").refusals] == ["too-many"]
    assert set(node.session.devices) == {"press"}


def test_a_clock_that_has_lost_its_battery_makes_no_hole_of_decades() -> None:
    node = Node()
    node.birth(double("v", 1.0, 0))
    node.death(0, T0 + S)
    (hole,) = node.birth(double("v", 1.0, T0 + 2 * S), at=T0 + 2 * S, bd_seq=1).holes
    assert hole.from_ns >= EARLIEST_NS


def test_a_sequence_number_beyond_255_is_no_message() -> None:
    with pytest.raises(Rejected):
        Session(reorder_ns=1).take(Kind.NDATA, "", Payload(seq=256), 0)


@given(st.lists(st.integers(0, 299), unique=True, max_size=12))
def test_whatever_is_lost_lies_in_a_hole_and_nothing_comes_twice(lost: list[int]) -> None:
    """300 messages with alias-only data; some are lost; after each time-out the node is born again when asked."""
    node = Node()
    holes: list[Hole] = []
    seen: list[float] = []
    node.birth(double("v", -1.0, T0, alias=1), at=T0)
    for n in range(301):
        at = T0 + (n + 1) * S
        if n in lost:
            node.lose_one()
            out = node.session.tick(ns(at))
        else:
            out = node.session.tick(ns(at))
            if not out.rebirth:
                out = node.say(Kind.NDATA, "", data(1, float(n), at), at=at)
        if out.rebirth:
            again = node.birth(double("v", float(n), at, alias=1), at=at)
            out.values += again.values
            holes += again.holes
        holes += out.holes
        seen += [float(one.value) for _, one in out.values]
    end = T0 + 310 * S  # the last message came: what is lost just before a birth that nobody asked for goes unnoticed
    node.session.tick(ns(end))
    holes += node.birth(double("v", 1000.0, end, alias=1), at=end).holes
    assert len(seen) == len(set(seen))
    for n in set(range(301)) - {int(value) for value in seen if value >= 0}:
        at = ns(T0 + (n + 1) * S)
        waits = any(hole.from_ns < at < hole.to_ns for hole in holes)
        assert waits, f"{n} is missing without a word"
