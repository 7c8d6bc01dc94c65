"""What enters the store, and the reasons of what does not."""

import math
import random

import numpy as np
import pytest

from twin.ingest.admit import MOST_PER_REASON, MOST_REJECTIONS, Admitted, Expected, Registry, admit, registry
from twin.ingest.decode import decode
from twin.wire.batch import encode
from twin.wire.reading import Gap, GapCause, Lane, Quality, Reading
from twin.wire.schema import NodeSchema, SchemaEntry

NOW_NS = 1_760_000_000_000_000_000
DAY_NS = 86_400 * 10**9
SCHEMA = NodeSchema(
    "edge-1",
    (
        SchemaEntry(0, "f/mill/current", "measurement", "A"),
        SchemaEntry(7, "f/mill/order", "text", ""),
        SchemaEntry(3, "f/mill/count", "counter", ""),
        SchemaEntry(9, "f/mill/forgotten", "measurement", ""),
        SchemaEntry(2_000_000_000, "f/mill/speed", "measurement", "1/min"),
    ),
)
IDS = {"f/mill/current": 12, "f/mill/order": 5, "f/mill/count": 11, "f/mill/speed": 10, "f/other": 1}
PLANT = {
    "f/mill/current": Expected("measurement", "A"),
    "f/mill/order": Expected("text", ""),
    "f/mill/count": Expected("counter", "parts"),
    "f/mill/speed": Expected("measurement", "1/min"),
}


@pytest.fixture
def known() -> Registry:
    return registry(SCHEMA, IDS, PLANT)


def judged(known: Registry, *readings: Reading, gaps: tuple[Gap, ...] = ()) -> Admitted:
    payload = encode(
        readings, gaps, node="edge-1", epoch="ab" * 16, number=1, lane=Lane.LIVE, schema_hash="cd" * 8,
        created_ns=NOW_NS,
    )  # fmt: skip
    return admit(decode(payload), known)


def reading(handle: int, value: float | str, at_ns: int = NOW_NS, **more) -> Reading:
    return Reading(handle, at_ns, value, **{"quality": 0, "server_ns": 0, "received_ns": NOW_NS + 5_000_000, **more})


def reasons(found: Admitted) -> list[tuple[str, str | None]]:
    return [(rejection.reason, rejection.signal_path) for rejection in found.rejections]


def test_rows_get_the_stores_ids_and_are_sorted_by_signal_and_time(known):
    found = judged(known, reading(0, 1.0, NOW_NS + 2000), reading(2_000_000_000, 3.0), reading(0, 2.0), reading(3, 4.0))
    assert found.batch.signal.tolist() == [10, 11, 12, 12]
    assert found.batch.value.tolist() == [3.0, 4.0, 2.0, 1.0]
    assert found.rejections == ()


def test_times_become_whole_microseconds_and_the_last_of_one_key_stays(known):
    found = judged(
        known,
        reading(0, 1.0, NOW_NS + 1001, server_ns=NOW_NS + 3999),
        reading(0, 2.0, NOW_NS + 1999, server_ns=NOW_NS + 4999),
        reading(7, "first", NOW_NS + 1),
        reading(7, "second", NOW_NS + 2),
    )
    assert found.batch.time.tolist() == [NOW_NS + 1000]
    assert found.batch.value.tolist() == [2.0]
    assert found.batch.server.tolist() == [NOW_NS + 4000]
    assert found.batch.texts.text == ("second",)
    assert found.batch.texts.time.tolist() == [NOW_NS]


def test_no_server_time_stays_none(known):
    assert judged(known, reading(0, 1.0)).batch.server.tolist() == [0]


def test_unknown_handles_and_signals_that_the_plant_or_the_store_does_not_know_are_rejected(known):
    found = judged(known, reading(1, 1.0), reading(9, 1.0), reading(0, 2.0))
    assert reasons(found) == [("unknown-signal", None), ("unknown-signal", "f/mill/forgotten")]
    assert found.rejections[1].time_ns == NOW_NS
    assert found.rejections[1].value_text == "1.0"
    assert found.batch.value.tolist() == [2.0]


def test_text_for_a_number_and_a_number_for_text_are_rejected(known):
    found = judged(known, reading(0, "on"), reading(7, 4.0), reading(7, "order 7"), reading(3, 5.0))
    assert sorted(reasons(found)) == [("wrong-type", "f/mill/current"), ("wrong-type", "f/mill/order")]
    assert {rejection.value_text for rejection in found.rejections} == {"on", "4.0"}
    assert found.batch.texts.text == ("order 7",)
    assert found.batch.texts.signal.tolist() == [5]
    assert found.batch.value.tolist() == [5.0]


@pytest.mark.parametrize(
    ("at_ns", "received_ns", "enters"),
    [
        (946_684_800_000_000_000, NOW_NS, True),
        (946_684_799_999_999_999, NOW_NS, False),
        (0, NOW_NS, False),
        (-(2**63), NOW_NS, False),
        (NOW_NS + DAY_NS, NOW_NS, True),
        (NOW_NS + DAY_NS + 1, NOW_NS, False),
        (NOW_NS + DAY_NS, 0, True),  # no received time: the batch's own decides
        (NOW_NS + DAY_NS + 1, 0, False),
        (2**63 - 1, NOW_NS, False),
    ],
)
def test_a_sample_before_2000_or_a_day_ahead_of_its_reception_is_rejected(known, at_ns, received_ns, enters):
    found = judged(known, reading(0, 1.0, at_ns, received_ns=received_ns))
    assert len(found.batch) == enters
    assert reasons(found) == ([] if enters else [("out-of-time", "f/mill/current")])


def test_a_value_that_is_no_number_enters_only_when_its_quality_is_bad(known):
    found = judged(
        known,
        reading(0, math.nan, quality=Quality.BAD),
        reading(3, math.inf),
        reading(2_000_000_000, math.nan, quality=Quality.UNCERTAIN),
    )
    assert [rejection.reason for rejection in found.rejections] == ["not-finite", "not-finite"]
    assert found.batch.signal.tolist() == [12]
    assert math.isnan(found.batch.value[0])


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x" * 65_537])
def test_a_text_that_no_database_keeps_is_rejected(known, text):
    found = judged(known, reading(7, text), reading(7, "fine", NOW_NS + 1000))
    assert reasons(found) == [("bad-text", "f/mill/order")]
    assert found.batch.texts.text == ("fine",)
    told = found.rejections[0].value_text
    assert told
    assert told.isascii()
    assert "\0" not in told


def test_a_flood_of_rejections_is_told_in_few_but_none_is_uncounted(known):
    found = judged(known, *(reading(9, float(n), NOW_NS + n * 1000) for n in range(500)), reading(0, 1.0))
    assert len(found.rejections) == MOST_PER_REASON + 1
    assert f"{500 - MOST_PER_REASON} more" in found.rejections[-1].detail
    assert found.batch.value.tolist() == [1.0]
    found = judged(known, *(reading(100 + n, 1.0) for n in range(5000)))
    assert len(found.rejections) == MOST_REJECTIONS + 1
    assert f"{5000 - MOST_REJECTIONS} more" in found.rejections[-1].detail


def test_gaps_are_told_per_signal_and_unknown_signals_are_not_hidden(known):
    gaps = (
        Gap((0, 3, 3), NOW_NS, NOW_NS + 10, GapCause.AGENT_DOWN, "restart"),
        Gap((7, 9, 1), NOW_NS, NOW_NS + 20, GapCause.SPOOL_DROP, ""),
        Gap((0,), NOW_NS, NOW_NS, GapCause.CLOCK_STEP, "empty"),
        Gap((), NOW_NS, NOW_NS + 1, GapCause.CLOCK_STEP, "nobody"),
    )
    found = judged(known, gaps=gaps)
    assert [(gap.signal_id, gap.to_ns - gap.from_ns, gap.cause) for gap in found.gaps] == [
        (11, 10, "agent-down"),
        (12, 10, "agent-down"),
        (5, 20, "spool-drop"),
    ]
    assert [rejection.reason for rejection in found.rejections] == ["unknown-signal", "malformed"]


def test_an_empty_schema_knows_nothing_and_does_not_fail():
    found = judged(registry(NodeSchema("edge-1", ()), IDS, PLANT), reading(0, 1.0), reading(1, "a"))
    assert len(found.batch) == len(found.batch.texts) == 0
    assert len(found.rejections) == 2


@pytest.mark.parametrize(("said", "admitted"), [("A", True), ("ampere", True), ("", True), ("mA", False), ("V", False)])
def test_a_unit_that_would_falsify_the_values_is_refused_and_told(said, admitted):
    schema = NodeSchema("edge-1", (SchemaEntry(0, "f/mill/current", "measurement", said),))
    found = judged(registry(schema, IDS, PLANT), reading(0, 1.0))
    assert len(found.batch) == admitted
    if not admitted:
        (rejection,) = found.rejections
        assert (rejection.reason, rejection.signal_path, rejection.value_text) == (
            "wrong-unit",
            "f/mill/current",
            "1.0",
        )
        assert rejection.detail == f"the node says {said!r}, the plant model 'A'"


def test_admission_agrees_with_a_plain_loop(known):
    chance = random.Random(3)
    rows = [
        reading(chance.choice([0, 1, 3, 9]), float(n), NOW_NS + chance.randrange(40) * 500, quality=chance.randrange(3))
        for n in range(400)
    ]
    signals = {0: 12, 3: 11}
    expected: dict[tuple[int, int], tuple[float, int]] = {}
    for row in sorted(rows, key=lambda row: row.handle):
        if row.handle in signals:
            expected[signals[row.handle], row.source_ns // 1000 * 1000] = row.value, row.quality
    batch = judged(known, *rows).batch
    columns = zip(*(column.tolist() for column in (batch.signal, batch.time, batch.value, batch.quality)), strict=True)
    assert [(s, t, v, q) for s, t, v, q in columns] == [(*key, *expected[key]) for key in sorted(expected)]


def test_what_came_in_is_not_changed(known):
    payload = encode(
        [reading(0, 1.0, NOW_NS + 7), reading(0, 0.5)], (), node="edge-1", epoch="ab" * 16, number=1, lane=Lane.LIVE,
        schema_hash="cd" * 8, created_ns=NOW_NS,
    )  # fmt: skip
    received = decode(payload)
    before = [np.copy(column) for column in (received.batch.time, received.batch.value)]
    admit(received, known)
    assert all(np.array_equal(a, b) for a, b in zip(before, (received.batch.time, received.batch.value), strict=True))
