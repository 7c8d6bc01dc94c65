"""Whatever arrives on a topic of any shipped dialect is readings or a reason, never a crash."""

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.mapping import Incoming
from tests.unit.dialects import NOW_NS, Dialect
from tests.unit.test_mappings_document import examples
from twin.errors import Rejected
from twin.wire.reading import Quality

DAY_NS = 86_400_000_000_000


def made():
    for example in examples():
        with TemporaryDirectory() as folder:
            yield Dialect(Path(folder), example.entry), example.messages


DIALECTS = list(made())
MESSAGES = [(dialect, topic, text) for dialect, messages in DIALECTS for topic, text in messages]


def words(text):
    """The keys and texts of a sample: what random documents are made of, so that they get past the first step."""
    try:
        waiting, found = [json.loads(text)], set()
    except ValueError:
        return set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            found |= set(one)
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str):
            found.add(one)
    return found


WORDS = sorted(set().union(*(words(text) for _, _, text in MESSAGES)))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers()
    | st.sampled_from([10**400, -(10**19), 2**63, 1e300, "9" * 4000, "", " ", "\0", "é"])
    | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=30,
)


def survives(dialect, topic, payload, *, retained=False):
    try:
        mapped = dialect.mapping.read(Incoming(topic, payload, NOW_NS, retained))
    except Rejected:
        return
    for reading in mapped.readings:
        assert isinstance(reading.value, str) or math.isfinite(reading.value) or reading.quality & Quality.BAD
        assert 946_684_800_000_000_000 <= reading.source_ns <= NOW_NS + DAY_NS
    assert all(isinstance(error, Rejected) for error in mapped.rejected)


@settings(max_examples=400)
@given(st.sampled_from(MESSAGES), JSON, st.booleans())
def test_any_json_on_any_topic_of_a_dialect_is_readings_or_rejected(message, document, retained):
    dialect, topic, _ = message
    survives(dialect, topic, json.dumps(document).encode(), retained=retained)


@settings(max_examples=400)
@given(st.sampled_from(MESSAGES), st.data())
def test_a_damaged_sample_is_readings_or_rejected(message, data):
    dialect, topic, text = message
    damaged = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    survives(dialect, topic, bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))


@settings(max_examples=400)
@given(st.sampled_from(MESSAGES), JSON, st.data())
def test_a_sample_with_one_part_replaced_is_readings_or_rejected(message, part, data):
    dialect, topic, text = message
    try:
        document = json.loads(text)
    except ValueError:
        return
    here = document
    while isinstance(here, dict | list) and here:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(here[key], dict | list) or data.draw(st.booleans()):
            here[key] = part
            break
        here = here[key]
    survives(dialect, topic, json.dumps(document).encode())


@pytest.mark.parametrize("depth", [50, 150, 199, 5_000])
@pytest.mark.parametrize("piece", [('{"a":', "}"), ("[", "]"), ('{"hoist":[', "]}"), ('{"Components":{"x":[', "]}}")])
def test_no_depth_of_nesting_is_too_much(depth, piece):
    payload = (piece[0] * depth + "1" + piece[1] * depth).encode()
    wrapped = b'{"che":[{"id":"STS01","x":' + payload + b'}],"MTConnectStreams":{"Streams":' + payload + b"}}"
    for dialect, topic, _ in MESSAGES:
        survives(dialect, topic, payload)
        survives(dialect, topic, wrapped)


def test_a_number_of_any_length_is_readings_or_rejected():
    for digits in (400, 4_300, 4_301, 100_000):
        number = b"1" * digits
        for dialect, topic, text in MESSAGES:
            survives(dialect, topic, number)
            for old in (b"12.5", b"80", b"1670001234567", b"123", b'"STS01"', b"2650694912", b"3", b"1"):
                survives(dialect, topic, text.encode().replace(old, number))
