"""Admitted batches for the store's tests, and what two batches must have in common to be the same."""

import numpy as np

from twin.ingest.admit import Admitted
from twin.samples import SampleBatch, TextColumns
from twin.wire.reading import Lane

T0 = 1_767_225_600_000_000_000  # 2026-01-01
S = 1_000_000_000
DAY = 86_400 * S
EPOCH = "0123456789abcdef0123456789abcdef"


def texts_of(rows=()):
    """rows: (signal, time_ns, text)."""
    return TextColumns(
        np.array([row[0] for row in rows], np.int32),
        np.array([row[1] for row in rows], np.int64),
        tuple(row[2] for row in rows),
        np.zeros(len(rows), np.uint8),
        np.zeros(len(rows), np.int64),
        np.array([row[1] + 5 * S for row in rows], np.int64),
    )


def admitted(
    signal=(), time=(), value=None, *, number=1, node="edge-1", epoch=EPOCH, lane=Lane.LIVE, server=None, texts=(),
    gaps=(), rejections=(), quality=None,
):  # fmt: skip
    signal, time = np.array(signal, np.int32), np.array(time, np.int64)
    batch = SampleBatch(
        node=node,
        epoch=epoch,
        number=number,
        lane=lane,
        signal=signal,
        time=time,
        value=np.arange(len(signal), dtype=np.float64) if value is None else np.array(value, np.float64),
        quality=np.zeros(len(signal), np.uint8) if quality is None else np.array(quality, np.uint8),
        server=np.zeros(len(signal), np.int64) if server is None else np.array(server, np.int64),
        received=time + 2 * S,
        texts=texts_of(texts),
    )
    return Admitted(batch=batch, gaps=tuple(gaps), rejections=tuple(rejections))


def grid(signals, samples, *, start=T0, period=S // 10, first_signal=1, **more):
    """`samples` of each of `signals`, sorted by key."""
    signal = np.repeat(np.arange(first_signal, first_signal + signals), samples)
    time = np.tile(start + np.arange(samples) * period, signals)
    return admitted(signal, time, **more)


COLUMNS = ("signal", "time", "value", "quality", "server", "received")


def same(one, other):
    assert (one.node, one.epoch, one.number, one.lane) == (other.node, other.epoch, other.number, other.lane)
    for name in COLUMNS:
        left, right = getattr(one, name), getattr(other, name)
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right, err_msg=name)
    assert one.texts.text == other.texts.text
    for name in ("signal", "time", "quality", "server", "received"):
        np.testing.assert_array_equal(getattr(one.texts, name), getattr(other.texts, name), err_msg=name)
    return True
