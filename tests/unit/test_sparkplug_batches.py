"""Numbered batches over Sparkplug: from the spool's bytes to a whole batch at the host, or to nothing; receipts back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sparkplug_batch import BatchMetrics
from edge.sparkplug_node import NodeMetrics
from edge.spool_figures import Outgoing
from twin.errors import Rejected
from twin.ingest.admit import Expected
from twin.ingest.ports import Counters
from twin.ingest.sparkplug_desk import Book, SparkplugDesk
from twin.ingest.sparkplug_outcome import Key, Outcome
from twin.ingest.sparkplug_session import Session
from twin.ingest.sparkplug_settings import Naming, SignalRule
from twin.wire import batch as wire
from twin.wire.reading import Gap, GapCause, GapState, Lane, Quality, Reading
from twin.wire.receipt import Receipt
from twin.wire.schema import NodeSchema, SchemaEntry
from twin.wire.sparkplug import DataType, Metric, Payload, Property, decode, encode
from twin.wire.sparkplug_receipt import COMMITTED, committed, receipt_of
from twin.wire.sparkplug_topic import Kind

T0 = 1_760_000_000_000  # ms
NS = T0 * 1_000_000
EPOCH = "0123456789abcdef" * 2
ENTRIES = (
    SchemaEntry(0, "a/press/power", "measurement", "kW"),
    SchemaEntry(1, "a/press/order", "text", ""),
    SchemaEntry(2, "a/lathe/state", "state", ""),
)
OLD = NodeSchema(
    "line-1", (SchemaEntry(5, "a/press/power", "measurement", "kW"), SchemaEntry(6, "a/saw/on", "state", ""))
)
NEW = NodeSchema("line-1", ENTRIES)
SOURCES = {"press": (0, 1), "lathe": (2,)}
GAP = Gap((0, 2), NS + 1, NS + 77, GapCause.SPOOL_DROP, "the spool was full", GapState.OPEN)


def payload(readings: list[Reading], gaps: tuple[Gap, ...] = (), number: int = 1, schema: NodeSchema = NEW) -> bytes:
    return wire.encode(
        readings, gaps, node="line-1", epoch=EPOCH, number=number, lane=Lane.LIVE, schema_hash=schema.hash,
        created_ns=NS,
    )  # fmt: skip


def outgoing(
    readings: list[Reading], gaps: tuple[Gap, ...] = (), number: int = 1, schema=NEW, lane=Lane.LIVE
) -> Outgoing:
    return Outgoing(number, lane, payload(readings, gaps, number, schema))


def reading(handle: int, value: float | str, at_ns: int = NS, quality: int = Quality.GOOD) -> Reading:
    return Reading(handle, at_ns, value, quality, 0, at_ns)


class Pair:
    """An edge node and what a host makes of its messages, through the octets of the wire."""

    def __init__(self) -> None:
        self.metrics = NodeMetrics(ENTRIES, SOURCES, 0)
        self.batches = BatchMetrics(self.metrics, ENTRIES)
        self.session = Session(reorder_ns=1_000_000_000)
        self.births: set[str] = set()

    def bear(self) -> Outcome:
        self.batches.learn([OLD, NEW])
        out = self.say(Kind.NBIRTH, "", self.metrics.node_birth(0, T0, self.batches.birth(EPOCH, T0)))
        for device in SOURCES:
            out.births += self.say(Kind.DBIRTH, device, self.metrics.device_birth(device, T0)).births
        return out

    def say(self, kind: Kind, device: str, message: Payload) -> Outcome:
        return self.session.take(kind, device, decode(encode(message)), NS)

    def send(self, one: Outgoing, *, lose: int = -1) -> list[Outcome]:
        """Publish the parts of a batch, except one."""
        found: list[Outcome] = []
        for at, (device, metrics) in enumerate(self.batches.parts(one, None, T0)):
            if metrics:
                message = self.metrics.message(metrics, T0)
                kind = Kind.DDATA if device else Kind.NDATA
                found += [] if at == lose else [self.say(kind, device, message)]
        return found


readings_of_all_kinds = st.lists(
    st.builds(
        Reading,
        st.sampled_from([0, 2]),
        st.integers(NS, NS + 10**12),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from([0, 1, 2, 8, 16 | 1, 32, 32 | 16 | 2]),
        st.just(0),
        st.just(NS),
    )
    | st.builds(Reading, st.just(1), st.integers(NS, NS + 10**12), st.text(), st.just(0), st.just(0), st.just(NS)),
    max_size=30,
)


@given(readings_of_all_kinds, st.sampled_from(Lane))
def test_a_batch_arrives_whole_with_its_times_to_the_nanosecond(readings: list[Reading], lane: Lane) -> None:
    pair = Pair()
    pair.bear()
    outcomes = pair.send(outgoing(readings, (GAP,), 7, lane=lane))
    assert not any(out.batches for out in outcomes[:-1])
    (batch,) = outcomes[-1].batches
    assert (batch.epoch, batch.number, batch.lane) == (EPOCH, 7, lane)
    names = {("press", "a/press/power"): 0, ("press", "a/press/order"): 1, ("lathe", "a/lathe/state"): 2}
    got = sorted((names[key], value.time_ns, value.value, value.quality) for key, value in batch.values)
    assert got == sorted((one.handle, one.source_ns, one.value, one.quality) for one in readings)
    assert [(gap.metric, *gap[2:]) for gap in batch.gaps] == [("a/press/power", *GAP[1:]), ("a/lathe/state", *GAP[1:])]


def test_a_repeated_value_is_left_out_and_one_that_is_no_number_is_bad() -> None:
    pair = Pair()
    pair.bear()
    held, none = reading(0, 1.0, quality=Quality.HELD), reading(2, math.nan, quality=Quality.BAD)
    ((key, value),) = pair.send(outgoing([held, none]))[-1].batches[0].values
    assert key == Key("lathe", "a/lathe/state")
    assert math.isnan(value.value)
    assert value.quality == Quality.BAD


def test_a_batch_of_which_a_message_is_missing_is_none_until_it_comes_again() -> None:
    pair = Pair()
    pair.bear()
    whole = outgoing([reading(0, 1.0), reading(2, 2.0)], number=3)
    assert not any(out.batches for out in pair.send(whole, lose=0))
    assert pair.session.tick(NS + 2_000_000_000).rebirth
    outcomes = pair.send(outgoing([reading(0, 3.0)], number=4))
    assert all(out.rebirth and not out.batches for out in outcomes), "nothing is taken until a birth"
    pair.bear()
    (batch,) = pair.send(whole)[-1].batches
    assert (batch.number, len(batch.values)) == (3, 2)
    assert not any(out.holes for out in outcomes)


def test_a_birth_takes_the_half_batch_before_it_back() -> None:
    pair = Pair()
    pair.bear()
    device, metrics = next(iter(pair.batches.parts(outgoing([reading(0, 1.0)]), None, T0)))
    pair.say(Kind.DDATA, device, pair.metrics.message(metrics, T0))
    pair.bear()
    (batch,) = pair.send(outgoing([reading(2, 2.0)], number=2))[-1].batches
    assert [value.value for _, value in batch.values] == [2.0]


def test_the_values_of_a_birth_wait_for_their_batch() -> None:
    pair = Pair()
    pair.metrics.note([reading(0, 1.0)])
    out = pair.bear()
    assert out.values == []
    assert {birth.key.name for birth in out.births} >= {"a/press/power", "a/saw/on"}


def test_what_an_older_configuration_left_is_said_by_the_node_itself() -> None:
    pair = Pair()
    pair.bear()
    gap = GAP._replace(handles=(5, 6))
    (batch,) = pair.send(outgoing([reading(5, 1.0), reading(6, 2.0)], (gap,), schema=OLD))[-1].batches
    places = {Key("press", "a/press/power"): 1.0, Key("", "a/saw/on"): 2.0}
    assert {key: value.value for key, value in batch.values} == places
    assert {Key(one.device, one.metric) for one in batch.gaps} == set(places)


def test_what_was_sent_before_is_history_to_everybody() -> None:
    pair = Pair()
    pair.bear()
    one = outgoing([reading(0, 1.0)])
    first, again = (next(iter(pair.batches.parts(one, None, T0)))[1][0] for _ in range(2))
    assert (first.is_historical, again.is_historical) == (False, True)


async def test_the_desk_hands_on_the_number_the_known_values_and_the_gaps() -> None:
    put = []
    desk = SparkplugDesk(
        lambda one: _append(put, one), lambda _: _append(put, None), lambda *_: None, Counters(),
        {"a/press/power": 11}, {"a/press/power": Expected("measurement", "kW")},
    )  # fmt: skip
    book = Book("plant", "line-1", Naming((SignalRule(metric="{path...}", signal="{path}"),)))
    pair = Pair()
    await desk.take(book, pair.bear(), NS)
    await desk.take(book, pair.send(outgoing([reading(0, 1.0), reading(2, 2.0)], (GAP,), 9))[-1], NS)
    admitted = put[-1]
    assert (admitted.batch.node, admitted.batch.epoch, admitted.batch.number) == ("plant:line-1", EPOCH, 9)
    assert admitted.batch.signal.tolist() == [11]
    assert [(gap.from_ns, gap.to_ns, gap.state) for gap in admitted.gaps] == [(GAP.from_ns, GAP.to_ns, GAP.state)]


async def _append(found: list, one: object) -> dict:
    found.append(one)
    return {}


@given(
    st.integers(0, 1 << 40),
    st.lists(st.integers(2, 1000).flatmap(lambda gap: st.tuples(st.just(gap), st.integers(0, 50))), max_size=5),
)
def test_receipts_survive_the_wire(high_water: int, steps: list[tuple[int, int]]) -> None:
    above, end = [], high_water
    for gap, length in steps:
        above.append((end + gap, end + gap + length))
        end += gap + length
    receipt = Receipt(EPOCH, high_water, tuple(above), high_water // 3)
    (metric,) = decode(encode(Payload((committed(receipt, T0),), T0))).metrics
    assert metric.name == COMMITTED
    assert receipt_of(metric) == receipt


@pytest.mark.parametrize("properties", [
    {}, {"epoch": Property("no epoch", DataType.STRING)},
    {"epoch": Property(EPOCH, DataType.STRING), "above": Property("9-7", DataType.STRING)},
    {"epoch": Property(EPOCH, DataType.STRING), "above": Property("7", DataType.STRING)},
])  # fmt: skip
def test_what_is_no_receipt_is_refused(properties: dict[str, Property]) -> None:
    with pytest.raises(Rejected):
        receipt_of(Metric(COMMITTED, 3, DataType.UINT64, T0, properties=properties))
