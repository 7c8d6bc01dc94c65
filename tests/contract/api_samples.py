"""Samples in a real store for the tests of the api, committed as ingest commits them."""

import secrets
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tests.contract.api_server import PLANT
from twin.ingest.admit import Admitted, SignalGap
from twin.plant.load import load_plant
from twin.samples import SampleBatch, TextColumns
from twin.store.connect import Store, open_store
from twin.wire.reading import Lane

START_NS = 1_772_446_500_000_000_000  # 2026-03-02T10:15:00Z
NO_TEXTS = TextColumns(
    np.empty(0, np.int32),
    np.empty(0, np.int64),
    (),
    np.empty(0, np.uint8),
    np.empty(0, np.int64),
    np.empty(0, np.int64),
)


async def register(dsn: str) -> dict[str, int]:
    """The schema and the plant's signals."""
    async with open_store(dsn) as store:
        return await store.plants.register(load_plant(PLANT))


async def commit(
    store: Store,
    signal_id: int,
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    quality: NDArray[np.uint8] | None = None,
    gaps: Sequence[tuple[int, int]] = (),
) -> None:
    """One batch of numbers of one signal, and gaps of it."""
    quality = np.zeros(len(times), np.uint8) if quality is None else quality
    ledger = tuple(SignalGap(signal_id, start, end, "subscription-lost", "test") for start, end in gaps)
    await store.samples.commit([Admitted(_batch(signal_id, times, values, quality, NO_TEXTS), ledger, ())])


async def commit_texts(store: Store, signal_id: int, times: NDArray[np.int64], texts: Sequence[str]) -> None:
    """One batch of texts of one signal."""
    n = len(texts)
    columns = TextColumns(
        np.full(n, signal_id, np.int32), times, tuple(texts), np.zeros(n, np.uint8), np.zeros(n, np.int64), times
    )
    none = np.empty(0, np.int64)
    batch = _batch(signal_id, none, np.empty(0, np.float64), np.empty(0, np.uint8), columns)
    await store.samples.commit([Admitted(batch, (), ())])


def _batch(
    signal_id: int,
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    quality: NDArray[np.uint8],
    texts: TextColumns,
) -> SampleBatch:
    n = len(times)
    return SampleBatch(
        node="edge-factory",
        epoch=secrets.token_hex(16),
        number=1,
        lane=Lane.LIVE,
        signal=np.full(n, signal_id, np.int32),
        time=times,
        value=values,
        quality=quality,
        server=np.zeros(n, np.int64),
        received=times + 1_000_000,
        texts=texts,
    )
