"""`SampleBatch`: the decoded columns as numpy arrays, the one shape that flows from receive to judge.

Numbers are columns; text is rare and travels beside them as `TextColumns`. Nobody changes a batch in place.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.wire.reading import Lane
from twin.wire.receipt import Receipt


@dataclass(frozen=True, slots=True)
class TextColumns:
    """Text values, e.g. an order or a product; same meaning per column as in `SampleBatch`."""

    signal: NDArray[np.int32]
    time: NDArray[np.int64]
    text: tuple[str, ...]
    quality: NDArray[np.uint8]
    server: NDArray[np.int64]
    received: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.signal)


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """One batch of one node, n samples.

    Before admission `signal` holds the node's schema handles, after it the store's signal ids.
    """

    node: str
    epoch: str  # 32 hex digits, made with the spool file
    number: int  # from 1, unique within the epoch; 0 for nodes that do not number their batches
    lane: Lane
    signal: NDArray[np.int32]  # [n]
    time: NDArray[np.int64]  # [n] source time, ns UTC, whole microseconds after admission
    value: NDArray[np.float64]  # [n] in the unit of the plant model
    quality: NDArray[np.uint8]  # [n] see twin.wire.reading.Quality
    server: NDArray[np.int64]  # [n] ns UTC, 0 = none
    received: NDArray[np.int64]  # [n] at the edge, ns UTC
    texts: TextColumns

    def __len__(self) -> int:
        return len(self.signal)


@dataclass(frozen=True, slots=True)
class Committed:
    """What the store made of one admitted batch."""

    seq: int  # place in the order of commits; 0: its number was there already, `batch` is empty and needs no judge
    batch: SampleBatch  # only what is new: a replay from the store gives exactly the same rows in the same order
    receipt: Receipt | None  # everything committed of its epoch so far; None for nodes that do not number batches
