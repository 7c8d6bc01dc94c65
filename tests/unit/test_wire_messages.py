"""Schemas, receipts, backoff: what they promise, and that anything else is rejected."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import Rejected
from twin.wire.backoff import Backoff
from twin.wire.receipt import Receipt
from twin.wire.schema import NodeSchema, SchemaEntry

EPOCH = "ab" * 16
SCHEMA = NodeSchema("edge-1", (SchemaEntry(2, "f/b", "counter", ""), SchemaEntry(0, "f/ä", "measurement", "°C")))

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


def test_a_schema_comes_back_and_its_hash_depends_on_the_content_alone():
    found = NodeSchema.from_json(SCHEMA.to_json())
    assert set(found.entries) == set(SCHEMA.entries)
    assert found.hash == SCHEMA.hash == NodeSchema("edge-1", SCHEMA.entries[::-1]).hash
    assert len(bytes.fromhex(SCHEMA.hash)) == 8
    assert NodeSchema("edge-2", SCHEMA.entries).hash != SCHEMA.hash
    assert NodeSchema("edge-1", SCHEMA.entries[:1]).hash != SCHEMA.hash


@pytest.mark.parametrize(
    "change",
    [
        {"node": "Edge 1"},
        {"node": 7},
        {"format": 2},
        {"signals": None},
        {"signals": [[0, "a", "measurement"]]},
        {"signals": [[True, "a", "measurement", ""]]},
        {"signals": [[-1, "a", "measurement", ""]]},
        {"signals": [[2**31, "a", "measurement", ""]]},
        {"signals": [[0, "a", "guess", ""]]},
        {"signals": [[0, "a", [], ""]]},
        {"signals": [[0, "", "text", ""]]},
        {"signals": [[0, "a\0", "text", ""]]},
        {"signals": [[0, "\ud800", "text", ""]]},
        {"signals": [[0, "a", "text", ""], [0, "b", "text", ""]]},
        {"signals": [[0, "a", "text", ""], [1, "a", "text", ""]]},
    ],
)
def test_a_schema_that_is_none_is_rejected(change):
    with pytest.raises(Rejected):
        NodeSchema.from_json(json.dumps({**json.loads(SCHEMA.to_json()), **change}).encode())


@given(st.one_of(st.binary(max_size=80), anything.map(lambda found: json.dumps(found).encode())))
def test_noise_is_neither_a_schema_nor_a_receipt(data):
    with pytest.raises(Rejected):
        NodeSchema.from_json(data)
    with pytest.raises(Rejected):
        Receipt.from_json(data)


@pytest.mark.parametrize("data", [b"[" * 200_000, b'{"a":' * 100_000])
def test_deep_nesting_is_rejected(data):
    with pytest.raises(Rejected):
        NodeSchema.from_json(data)
    with pytest.raises(Rejected):
        Receipt.from_json(data)


@given(st.sets(st.integers(1, 60)))
def test_a_receipt_covers_exactly_the_committed_numbers(numbers):
    high = 0
    while high + 1 in numbers:
        high += 1
    above: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if number > high:
            if above and above[-1][1] == number - 1:
                above[-1] = above[-1][0], number
            else:
                above.append((number, number))
    receipt = Receipt.from_json(Receipt(EPOCH, high, tuple(above), high * 7).to_json())
    assert receipt == Receipt(EPOCH, high, tuple(above), high * 7)
    assert {number for number in range(-2, 70) if receipt.covers(number)} == numbers


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": "AB" * 16},
        {"epoch": None},
        {"format": 2},
        {"high_water": -1},
        {"high_water": 1.0},
        {"high_water": True},
        {"high_water": 2**63},
        {"above": [[4, 9]]},
        {"above": [[9, 8]]},
        {"above": [[6, 7], [8, 9]]},
        {"above": [[8, 9], [6, 6]]},
        {"above": [[6]]},
        {"above": [[6, "7"]]},
        {"above": 7},
        {"incarnation": -1},
        {"incarnation": "7"},
    ],
)
def test_a_receipt_that_is_none_is_rejected(change):
    good = Receipt(EPOCH, 3, ((5, 6), (8, 9)))
    with pytest.raises(Rejected):
        Receipt.from_json(json.dumps({**json.loads(good.to_json()), **change}).encode())


def test_a_receipt_of_a_twin_that_tells_no_incarnation_is_read():
    document = json.loads(Receipt(EPOCH, 3).to_json())
    del document["incarnation"]
    assert Receipt.from_json(json.dumps(document).encode()) == Receipt(EPOCH, 3, (), 0)


def test_delays_double_up_to_the_limit_with_jitter_and_start_again_after_a_success():
    low, high = Backoff(1, 5, chance=lambda: 0.0), Backoff(1, 5, chance=lambda: 1.0)
    assert high.fresh
    assert [high.next_s() for _ in range(5)] == [1, 2, 4, 5, 5]
    assert [low.next_s() for _ in range(5)] == [0.5, 1, 2, 2.5, 2.5]
    assert not high.fresh
    high.reset()
    assert high.fresh
    assert high.next_s() == 1
