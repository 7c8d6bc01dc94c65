"""(c) What a value costs on the uplink: 2,000 signals at 1 Hz with server times, as an agent batches and sends them."""

import random
import statistics
import struct
import time
from collections.abc import Iterator, Sequence

import zstandard

from tests.benchmark.record import Result
from twin.wire import topic
from twin.wire.batch import decode, encode
from twin.wire.reading import Lane, Reading

NODE, EPOCH, SCHEMA_HASH = "edge-benchmark", "0123456789abcdef" * 2, "fedcba9876543210"
SIGNALS, SECONDS = 2000, 60
PUBLISHING_MS = 500  # the default of an OPC UA source; what one notification brings shares one batch
START_MS = 1_760_000_000_000
MQTT_BYTES = 4 + 2 + 2 + 1  # PUBLISH: head and length, length of the topic, packet id, no properties
PLAIN = struct.Struct("<IqdBqq")  # a reading without any coding
SENSORS = [
    (20, 10, 0.1),
    (4, 1.5, 0.01),
    (1500, 200, 1),
    (0.8, 0.3, 0.001),
    (55, 15, 0.05),
]  # middle, swing, resolution


def _readings() -> Iterator[Reading]:
    """In the order of time: every signal has its own phase and drifts like a process, noise and resolution included.

    Source times are whole milliseconds of the device with some jitter of its cycle; the server stamps µs within 5 ms.
    """
    chance = random.Random(1)
    phase_ms = [chance.randrange(1000) for _ in range(SIGNALS)]
    level = [0.0] * SIGNALS
    rows: list[Reading] = []
    for second in range(SECONDS):
        for handle in range(SIGNALS):
            middle, swing, resolution = SENSORS[handle % len(SENSORS)]
            level[handle] = 0.95 * level[handle] + chance.gauss(0, 0.3)
            noisy = middle + swing * (0.3 * level[handle] + 0.02 * chance.gauss(0, 1))
            value = round(round(noisy / resolution) * resolution, 9)
            at_ms = START_MS + second * 1000 + phase_ms[handle] + chance.randint(-2, 2)
            server_us = at_ms * 1000 + chance.randrange(5000)
            rows.append(Reading(handle, at_ms * 10**6, value, 0, server_us * 1000, 0))
    yield from sorted(rows, key=lambda row: row.server_ns)


def _batches() -> list[list[Reading]]:
    """What came within one publishing interval; all of it is received at one moment, to the nanosecond."""
    chance = random.Random(2)
    batches: dict[int, list[Reading]] = {}
    for row in _readings():
        batches.setdefault(row.server_ns // (PUBLISHING_MS * 10**6), []).append(row)
    done: list[list[Reading]] = []
    for interval, rows in batches.items():
        received_ns = (interval + 1) * PUBLISHING_MS * 10**6 + chance.randrange(1_000_000, 5_000_000)
        done.append([row._replace(received_ns=received_ns) for row in rows])
    return done


def _encode(batches: Sequence[Sequence[Reading]]) -> list[bytes]:
    return [
        encode(
            rows, (), node=NODE, epoch=EPOCH, number=number, lane=Lane.LIVE, schema_hash=SCHEMA_HASH,
            created_ns=rows[-1].received_ns,
        )
        for number, rows in enumerate(batches, 1)
    ]  # fmt: skip


def _plain(rows: Sequence[Reading]) -> bytes:
    packed = b"".join(
        PLAIN.pack(row.handle, row.source_ns, row.value, row.quality, row.server_ns, row.received_ns) for row in rows
    )
    return zstandard.compress(packed, 3)


def measure() -> list[Result]:
    """Bytes per value, the MQTT packet included, and processor time per value of the encoder alone."""
    batches = _batches()
    count = sum(map(len, batches))
    costs_us: list[float] = []
    for _ in range(5):
        began_s = time.process_time()
        payloads = _encode(batches)
        costs_us.append((time.process_time() - began_s) / count * 1e6)
    assert sum(decode(payload).header.numbers for payload in payloads) == count
    _check(batches[0], payloads[0])
    sent = sum(len(payload) + MQTT_BYTES + len(topic.data(NODE)) for payload in payloads) / count
    plain = sum(len(_plain(rows)) for rows in batches) / count
    cost_us = statistics.median(costs_us)
    return [
        Result(
            "c-wire-bytes", "uplink bytes per value: 2,000 signals at 1 Hz, server times, a batch every 0.5 s", sent,
            "B/value", "≤ 12", sent <= 12, "packed structs under zstd", sent / plain,
        ),
        Result(
            "c-wire-encode", "processor time to encode those batches at the edge", cost_us, "µs/value", "≤ 5",
            cost_us <= 5,
        ),
    ]  # fmt: skip


def _check(rows: Sequence[Reading], payload: bytes) -> None:
    """What is measured must be lossless: only the time of reception is floored, to the microsecond."""
    exact = [row._replace(received_ns=row.received_ns // 1000 * 1000) for row in rows]
    assert sorted(decode(payload).readings()) == sorted(exact)
