"""The agent as an edge node, the pure part: births, data in order, history, qualities; and a host that understands it."""

from hypothesis import given
from hypothesis import strategies as st

from edge.sparkplug_node import NodeMetrics, node_death
from twin.ingest.sparkplug_session import Session
from twin.wire.reading import Quality, Reading
from twin.wire.schema import SchemaEntry
from twin.wire.sparkplug import DataType, Metric, Payload, Property, decode, encode
from twin.wire.sparkplug_topic import Kind

T0 = 1_760_000_000_000  # ms
ENTRIES = (
    SchemaEntry(0, "a/press/power", "measurement", "kW"),
    SchemaEntry(1, "a/press/order", "text", ""),
    SchemaEntry(2, "a/lathe/state", "state", ""),
)
SOURCES = {"press": (0, 1), "lathe": (2,)}


def node(keep_values: int = 1_000) -> NodeMetrics:
    return NodeMetrics(ENTRIES, SOURCES, keep_values)


def reading(handle: int, value: float | str, at_ms: int, quality: int = Quality.GOOD) -> Reading:
    return Reading(handle, at_ms * 1_000_000, value, quality, 0, at_ms * 1_000_000)


def data(metrics: NodeMetrics, device: str) -> Payload:
    found = metrics.data(device, T0)
    assert found is not None
    metrics.sent(device, found[1])
    return found[0]


def test_a_birth_names_every_metric_with_its_newest_value() -> None:
    metrics = node()
    metrics.offer([reading(0, 1.0, T0), reading(0, 2.0, T0 + 1)])
    birth = metrics.device_birth("press", T0 + 5)
    assert birth.metrics == (
        Metric(
            "a/press/power", 2.0, DataType.DOUBLE, T0 + 1, 0, properties={"engUnit": Property("kW", DataType.STRING)}
        ),
        Metric("a/press/order", None, DataType.STRING, T0 + 5, 1),
    )


def test_what_waited_for_the_birth_is_history_and_what_the_birth_says_is_not_said_again() -> None:
    metrics = node()
    metrics.offer([reading(0, 1.0, T0), reading(1, "x", T0), reading(0, 2.0, T0 + 1)])
    metrics.device_birth("press", T0 + 5)
    metrics.offer([reading(0, 3.0, T0 + 6)])
    assert [(one.alias, one.value, one.is_historical) for one in data(metrics, "press").metrics] == [
        (0, 1.0, True), (0, 3.0, False),
    ]  # fmt: skip
    assert metrics.data("press", T0) is None
    assert metrics.waiting() == 0


def test_what_comes_late_is_history_because_live_values_must_be_in_order() -> None:
    metrics = node()
    metrics.device_birth("press", T0)
    metrics.offer([reading(0, 2.0, T0 + 2), reading(0, 1.0, T0 + 1), reading(0, 3.0, T0 + 3)])
    assert [one.is_historical for one in data(metrics, "press").metrics] == [False, True, False]


def test_of_one_millisecond_the_birth_says_the_newest_and_the_others_are_history() -> None:
    metrics = node()
    metrics.offer([reading(0, 1.0, T0), reading(0, 2.0, T0)])
    assert metrics.device_birth("press", T0).metrics[0].value == 2.0
    assert [(one.value, one.is_historical) for one in data(metrics, "press").metrics] == [(1.0, True)]


def test_sequence_numbers_go_round_and_begin_anew_with_the_node_birth() -> None:
    metrics = node()
    assert metrics.node_birth(7, T0).seq == 0
    assert metrics.device_birth("press", T0).seq == 1
    seqs = [metrics.device_death(T0).seq for _ in range(255)]
    assert seqs[-2:] == [255, 0]
    assert metrics.node_birth(8, T0).seq == 0
    assert node_death(8, T0).seq is None
    assert [(one.name, one.value) for one in node_death(8, T0).metrics] == [("bdSeq", 8)]


def test_a_message_that_was_not_sent_is_said_again() -> None:
    metrics = node()
    metrics.offer([reading(2, 1.0, T0)])
    assert metrics.data("lathe", T0) is not None
    metrics.node_birth(1, T0)
    assert data(metrics, "lathe").metrics[0].value == 1.0


def test_too_much_that_waits_drops_the_oldest_and_counts_it() -> None:
    metrics = node(keep_values=3)
    metrics.offer([reading(0, float(n), T0 + n) for n in range(5)])
    assert (metrics.dropped, metrics.waiting()) == (2, 3)
    assert [one.value for one in data(metrics, "press").metrics] == [2.0, 3.0, 4.0]


def test_quality_is_said_where_it_is_not_good_and_when_it_is_good_again() -> None:
    metrics = node()
    metrics.device_birth("press", T0)
    bad = [reading(0, float("nan"), T0 + 2, Quality.BAD), reading(0, 1.0, T0 + 3, Quality.UNCERTAIN)]
    metrics.offer([reading(0, 1.0, T0 + 1), *bad, reading(0, 1.0, T0 + 4), reading(0, 1.0, T0 + 5)])
    found = data(metrics, "press").metrics
    assert [one.properties.get("Quality", (None,))[0] for one in found] == [None, 0, 500, 192, None]
    assert found[1].value is None


def test_without_aliases_every_message_bears_names() -> None:
    metrics = NodeMetrics(ENTRIES, SOURCES, 10, aliases=False)
    assert {(one.name, one.alias) for one in metrics.device_birth("lathe", T0).metrics} == {("a/lathe/state", None)}
    metrics.offer([reading(2, 1.0, T0 + 1)])
    assert [(one.name, one.alias) for one in data(metrics, "lathe").metrics] == [("a/lathe/state", None)]


def test_a_value_that_is_only_repeated_is_no_news() -> None:
    metrics = node()
    metrics.offer([reading(0, 1.0, T0, Quality.HELD)])
    assert metrics.waiting() == 0


READINGS = st.lists(
    st.tuples(st.sampled_from([0, 1, 2]), st.integers(0, 500), st.sampled_from(["offer", "tell", "birth"])), max_size=60
)


@given(READINGS)
def test_our_host_understands_our_node(steps: list[tuple[int, int, str]]) -> None:
    """Whatever is read, in whatever order, with births in between: each (signal, time) arrives, with the value it had."""
    metrics, session = node(), Session(reorder_ns=1)
    offered: dict[tuple[str, int], object] = {}
    arrived: dict[tuple[str, int], object] = {}

    def say(kind: Kind, device: str, payload: Payload) -> None:
        out = session.take(kind, device, decode(encode(payload)), (T0 + 1_000) * 1_000_000)
        assert not out.rebirth
        assert not out.refusals
        for key, one in out.values:
            if one.quality & Quality.SEVERITY != Quality.BAD:
                arrived[key.name, one.time_ns // 1_000_000] = one.value

    def bear() -> None:
        say(Kind.NBIRTH, "", metrics.node_birth(1, T0 + 1_000))
        for name in SOURCES:
            say(Kind.DBIRTH, name, metrics.device_birth(name, T0 + 1_000))

    def tell() -> None:
        for name in SOURCES:
            if (found := metrics.data(name, T0)) is not None:
                metrics.sent(name, found[1])
                say(Kind.DDATA, name, found[0])

    bear()
    for handle, at, step in steps:
        value = f"v{at}" if handle == 1 else float(at)
        one = reading(handle, value, T0 + at)
        offered[ENTRIES[handle].path, T0 + at] = value
        metrics.offer([one])
        if step == "birth":
            bear()
        elif step == "tell":
            tell()
    bear()
    tell()
    assert arrived == offered


def test_a_text_that_is_no_unicode_is_told_with_a_sign_in_its_place() -> None:
    metrics = node()
    metrics.offer([reading(1, "a\ud800b", T0)])
    (metric,) = decode(encode(data(metrics, "press"))).metrics
    assert metric.value == "a?b"
