"""The column batch: what goes in comes out, and nothing else gets through."""

import contextlib
import math
import random
import struct
import sys
import tracemalloc
import zlib
from collections.abc import Sequence

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import Rejected
from twin.ingest.decode import Received
from twin.ingest.decode import decode as decode_arrays
from twin.wire import batch as wire
from twin.wire.batch import decode, encode, read_header, with_lane
from twin.wire.reading import Gap, GapCause, GapState, Lane, Reading

NODE, EPOCH, SCHEMA = "edge-1", "0123456789abcdef" * 2, "fedcba9876543210"
NOW_NS = 1_760_000_000_000_000_000

int64 = st.integers(-(2**63), 2**63 - 1)
near_now = st.integers(0, 10**10).map(lambda ns: NOW_NS + ns)
milliseconds = st.integers(0, 10**4).map(lambda ms: NOW_NS + ms * 10**6)
times = st.one_of(milliseconds, near_now, int64)
received = st.one_of(milliseconds, near_now, st.integers(-(2**63) + 1000, 2**63 - 1))
any_float = st.one_of(
    st.floats(allow_nan=True),
    st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0]),
    st.integers(-(10**6), 10**6).map(lambda n: n / 100),
    st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan, 1e300, 5e-324, 0.1 + 0.2, 2.0**53]),
)
any_text = st.text(st.characters(), max_size=40)
readings = st.builds(
    Reading,
    handle=st.one_of(st.integers(0, 5), st.integers(0, 2**31 - 1)),
    source_ns=times,
    value=st.one_of(any_float, any_float, any_float, any_text),
    quality=st.integers(0, 255),
    server_ns=st.one_of(st.just(0), times),
    received_ns=received,
)
gaps = st.builds(
    Gap,
    handles=st.lists(st.integers(0, 2**31 - 1), max_size=5).map(tuple),
    from_ns=int64,
    to_ns=int64,
    cause=st.sampled_from(GapCause),
    detail=any_text,
)


def pack(rows: Sequence[Reading], holes: Sequence[Gap] = (), **changes) -> bytes:
    values = {"node": NODE, "epoch": EPOCH, "number": 7, "lane": Lane.LIVE, "schema_hash": SCHEMA, "created_ns": NOW_NS}
    return encode(rows, holes, **{**values, **changes})


def plain(reading: Reading) -> tuple[object, ...]:
    """Comparable to the last bit; the received time as the wire keeps it."""
    value = reading.value if isinstance(reading.value, str) else struct.pack("<d", reading.value)
    return (*reading[:2], value, *reading[3:5], reading.received_ns - reading.received_ns % 1000)


def in_wire_order(rows: Sequence[Reading]) -> list[Reading]:
    ordered = sorted(rows, key=lambda reading: reading.handle)
    return [r for r in ordered if not isinstance(r.value, str)] + [r for r in ordered if isinstance(r.value, str)]


def as_readings(found: Received) -> list[Reading]:
    """The arrays of the server side, row by row."""
    batch, texts = found.batch, found.batch.texts
    columns = (batch.signal, batch.time, batch.value, batch.quality, batch.server, batch.received)
    numbers = zip(*(column.tolist() for column in columns), strict=True)
    columns = (texts.quality, texts.server, texts.received)
    rest = zip(
        texts.signal.tolist(), texts.time.tolist(), texts.text, *(column.tolist() for column in columns), strict=True
    )
    return [Reading(*row) for row in numbers] + [Reading(*row) for row in rest]


def realistic(signals: int = 2000, samples: int = 1, *, opcua: bool = True) -> list[Reading]:
    """A second (or some) of a plant: every signal has a resolution and noise, times in ms, latency in µs."""
    chance = random.Random(5)
    found = []
    for signal in range(signals):
        digits, level = chance.choice([0, 1, 2, 2, 3]), chance.uniform(-50, 400)
        for second in range(samples):
            at = NOW_NS + second * 10**9 + chance.randrange(1000) * 10**6
            server = at + chance.randrange(3000) * 1000 if opcua else 0
            seen = at + chance.randrange(2_000_000, 30_000_000)
            found.append(Reading(signal, at, round(level + chance.gauss(0, 2), digits), 0, server, seen))
    chance.shuffle(found)
    return found


@given(st.lists(readings, max_size=60), st.lists(gaps, max_size=4))
def test_every_bit_of_every_reading_and_gap_comes_back(rows, holes):
    payload = pack(rows, holes)
    expected = [plain(row) for row in in_wire_order(rows)]
    columns = decode(payload)
    assert [plain(row) for row in columns.readings()] == expected
    assert columns.gaps == tuple(holes)
    found = decode_arrays(payload)
    assert [plain(row) for row in as_readings(found)] == expected
    assert found.gaps == tuple(holes)


@given(st.lists(readings, min_size=1, max_size=60), st.sets(st.sampled_from(["source_ns", "server_ns", "received_ns"])))
def test_what_one_message_brings_at_one_time_comes_back(rows, alike):
    same = {name: getattr(rows[0], name) for name in alike}
    rows = [row._replace(**same) for row in rows]
    for _ in range(2):  # the second has handles that were coded before
        assert [plain(row) for row in decode(pack(rows)).readings()] == [plain(row) for row in in_wire_order(rows)]


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=200),
    st.sampled_from([1, 1000, 10**6, 10**9]),
    st.sampled_from([0, 1, 3, 6]),
    st.randoms(use_true_random=False),
)
def test_regular_series_come_back_whatever_coding_they_get(signals, period_ns, digits, chance):
    rows = [
        Reading(signal, NOW_NS + n * period_ns, round(chance.gauss(20, 3), digits), 0, 0, NOW_NS + n * period_ns + 5000)
        for n, signal in enumerate(signals)
    ]
    payload = pack(rows)
    assert [plain(row) for row in decode(payload).readings()] == [plain(row) for row in in_wire_order(rows)]
    assert [plain(row) for row in as_readings(decode_arrays(payload))] == [plain(row) for row in in_wire_order(rows)]


@pytest.mark.parametrize("opcua", [True, False])
@pytest.mark.parametrize("samples", [1, 8])
def test_realistic_batches_come_back_and_cost_at_most_twelve_bytes_per_value(opcua, samples):
    rows = realistic(samples=samples, opcua=opcua)
    payload = pack(rows)
    assert [plain(row) for row in as_readings(decode_arrays(payload))] == [plain(row) for row in in_wire_order(rows)]
    assert len(payload) / len(rows) <= 12


def test_the_header_is_read_without_the_body_and_the_lane_is_all_that_changes():
    payload = pack(realistic(20), [Gap((1,), 1, 2, GapCause.SPOOL_DROP, "full")], lane=Lane.LIVE)
    header = read_header(payload[:100])
    assert (header.node, header.epoch, header.number, header.schema_hash) == (NODE, EPOCH, 7, SCHEMA)
    assert (header.lane, header.numbers, header.texts, header.gaps, header.created_ns) == (Lane.LIVE, 20, 0, 1, NOW_NS)
    moved = with_lane(payload, Lane.HISTORY)
    assert read_header(moved).lane is Lane.HISTORY
    assert decode(moved).readings() == decode(payload).readings()
    assert with_lane(moved, Lane.LIVE) == payload


def test_rows_of_one_signal_keep_the_order_of_their_arrival():
    rows = [Reading(h, NOW_NS, float(n), 0, 0, NOW_NS) for n, h in enumerate([2, 1, 2, 1, 2])]
    assert [r.value for r in decode(pack(rows)).readings()] == [1.0, 3.0, 0.0, 2.0, 4.0]


@pytest.mark.parametrize(
    "row",
    [
        Reading(-1, NOW_NS, 1.0, 0, 0, NOW_NS),
        Reading(2**31, NOW_NS, 1.0, 0, 0, NOW_NS),
        Reading(1, NOW_NS, 1.0, 256, 0, NOW_NS),
        Reading(1, NOW_NS, 1.0, -1, 0, NOW_NS),
        Reading(1, 2**63, 1.0, 0, 0, NOW_NS),
        Reading(1, NOW_NS, 1.0, 0, -(2**63) - 1, NOW_NS),
        Reading(1, NOW_NS, 1.0, 0, 0, 2**80),
    ],
)
def test_what_does_not_fit_into_its_column_is_refused_at_the_edge(row):
    with pytest.raises(Rejected):
        pack([row, Reading(1, NOW_NS, 2.0, 0, 0, NOW_NS)])


@pytest.mark.parametrize("extreme", [{"created_ns": 1 << 63}, {"number": -1}, {"number": 1 << 64}])
def test_a_header_that_does_not_fit_is_refused_at_the_edge(extreme):
    header = {"node": "edge-1", "epoch": "ab" * 16, "number": 1, "lane": Lane.LIVE, "schema_hash": "cd" * 8}
    with pytest.raises(Rejected, match="header"):
        encode([], [], **{"created_ns": NOW_NS, **header, **extreme})


def test_a_batch_beyond_its_limits_is_refused_at_the_edge(monkeypatch):
    monkeypatch.setattr(wire, "MOST_BODY_BYTES", 10_000)
    with pytest.raises(Rejected, match="does not fit"):
        pack([Reading(1, NOW_NS, "x" * 20_000, 0, 0, NOW_NS)])


def test_the_state_of_a_gap_travels_and_older_agents_told_none():
    gaps = [Gap((1,), 1, 2, GapCause.AGENT_DOWN, "restart", state) for state in GapState]
    assert list(decode(pack([], gaps)).gaps) == gaps
    assert wire._take_gaps(b'[[[1],1,2,"agent-down","restart"]]', 1) == (gaps[2],)
    for state in ('"found"', "null", "1"):
        with pytest.raises(Rejected):
            wire._take_gaps(b'[[[1],1,2,"agent-down","restart",%s]]' % state.encode(), 1)


SAMPLES = [
    pack(realistic(300), [Gap((1, 2), 5, 9, GapCause.AGENT_DOWN, "restart")]),
    pack(realistic(40, 8, opcua=False)),
    pack([Reading(1, NOW_NS, "order ä 7", 0, 0, NOW_NS), Reading(2, NOW_NS, 1.5, 0, NOW_NS, NOW_NS)]),
    pack([Reading(n, NOW_NS, math.pi * n, 0, NOW_NS * (n % 2), NOW_NS) for n in range(100)]),
    pack([]),
]


def attempt(payload: bytes) -> None:
    """Both readers of a payload either read it or reject it."""
    for read in (lambda data: decode(data).readings(), decode_arrays):
        with contextlib.suppress(Rejected):
            read(payload)


@settings(max_examples=400)
@given(st.sampled_from(SAMPLES), st.data())
def test_a_damaged_batch_is_rejected(payload, data):
    damaged = bytearray(payload)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1).filter(lambda at: at != 3))  # 3 is the lane
        damaged[at] ^= data.draw(st.integers(1, 255))
    if bytes(damaged) != payload:
        with pytest.raises(Rejected):
            decode(bytes(damaged))
        attempt(bytes(damaged))


@given(st.sampled_from(SAMPLES), st.integers(0, 5000))
def test_a_cut_batch_is_rejected(payload, length):
    with pytest.raises(Rejected):
        decode(payload[: min(length, len(payload) - 1)])


@given(st.binary(max_size=300))
def test_noise_is_rejected(payload):
    attempt(payload)
    with pytest.raises(Rejected):
        decode(payload)


def forge(payload: bytes, body: bytes, **counts: int) -> bytes:
    """A batch with this body and with checksums that fit: what only a malicious or mistaken writer sends."""
    fields = list(wire._HEADER.unpack_from(payload))
    for name, value in counts.items():
        fields[{"numbers": 6, "texts": 7, "gaps": 8, "number": 4}[name]] = value
    head = wire._HEADER.pack(*fields) + NODE.encode()
    crc = struct.pack("<I", zlib.crc32(head[4:], zlib.crc32(head[:3])))
    return head + crc + zstandard.ZstdCompressor(write_checksum=True).compress(body)


def body_of(payload: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(payload[read_header(payload).body_at :])


@settings(max_examples=600)
@given(st.sampled_from(SAMPLES), st.data())
def test_a_forged_body_is_read_or_rejected_but_never_a_crash(payload, data):
    body = bytearray(body_of(payload))
    for _ in range(data.draw(st.integers(1, 4))):
        head = data.draw(st.booleans())  # the column heads decide most
        at = data.draw(st.integers(0, min(len(body), 60) - 1 if head else len(body) - 1))
        body[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([0, 0, 0, 1, 8]))
    attempt(forge(payload, bytes(body[: len(body) - cut])))


@given(
    st.sampled_from(SAMPLES),
    st.sampled_from(["numbers", "texts", "gaps", "number"]),
    st.sampled_from([0, 1, 2, 299, 301, 2**20, 2**32 - 1]),
)
def test_counts_that_do_not_fit_the_body_are_rejected(payload, name, count):
    attempt(forge(payload, body_of(payload), **{name: count}))


@pytest.mark.parametrize("content", [b"[" * 100_000, b"[[[],1,2]]", b'{"a":1}', b"[[[1.5],1,2,null,3]]", b"\xff", b"7"])
def test_gaps_that_are_not_gaps_are_rejected(content):
    empty = body_of(pack([]))
    body = empty[: len(empty) - 6] + struct.pack("<I", len(content)) + content
    with pytest.raises(Rejected):
        decode(forge(pack([]), body, gaps=1))


def test_a_bomb_is_rejected_without_unpacking_it():
    bomb = zstandard.ZstdCompressor(level=1).compress(bytes(1 << 30))
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1 << 26))
    head = pack([])[: read_header(pack([])).body_at]
    tracemalloc.start()
    try:
        for frame in (bomb, bomb + bomb, unsized):
            with pytest.raises(Rejected):
                decode(head + frame)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_the_edge_side_of_the_codec_needs_no_numpy():
    import subprocess

    code = "import sys, twin.wire.batch, twin.wire.schema, twin.wire.receipt; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
