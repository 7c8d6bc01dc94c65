"""Every sample: commit, replay, series, last values.

In: admitted batches. Out: what became of them; and columns for the judge and the api.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from psycopg import DataError, errors

from twin.errors import Rejected
from twin.ingest.admit import Admitted
from twin.samples import Committed, SampleBatch, TextColumns
from twin.store import commit, reduce, replay
from twin.store.binary import float_array, int_array, time_array
from twin.store.database import Connection, Database, the_row
from twin.store.edition import Edition
from twin.store.partitions import Partitions
from twin.store.queries import load_queries
from twin.store.reduce import NEWEST, Asked, SeriesColumns
from twin.store.text_rows import columns
from twin.store.times import to_datetime_up, to_ns

_QUERIES = load_queries("samples")
_NO_LIMIT = 2**31 - 1


@dataclass(frozen=True, slots=True)
class LastSample:
    """The newest stored value of one signal."""

    time_ns: int
    value: float
    quality: int
    received_ns: int


class Samples:
    """The samples of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database
        self._partitions: Partitions = Partitions()

    async def commit(self, admitted: Sequence[Admitted]) -> list[Committed]:
        """Write many batches in ONE transaction; one `Committed` per batch, in the same order.

        Raises:
            Retryable: nothing is known of the outcome; committing the same batches again is safe.
            Rejected: something in these batches can never be stored; nothing of them was.
        """
        if not admitted:
            return []
        try:
            return await self._commit(admitted)
        except errors.CheckViolation:  # a partition was dropped behind our back
            self._partitions.forget()
            return await self._commit(admitted)
        except DataError as error:
            raise Rejected("not-storable", str(error).splitlines()[0]) from error

    async def _commit(self, admitted: Sequence[Admitted]) -> list[Committed]:
        async with self._database.connection() as connection:
            if self._database.edition is Edition.PLAIN:
                await self._partitions.ensure(connection, [item.batch.time for item in admitted])
            async with connection.transaction():
                return await commit.commit(connection, admitted)

    def since(self, seq: int, limit_batches: int = 500) -> AsyncIterator[tuple[int, SampleBatch]]:
        """Every committed batch behind `seq` in the order of commits, as it was handed out then."""
        return replay.since(self._database, seq, limit_batches)

    async def newest_seq(self) -> int:
        """The place of the last committed batch in the order of commits; 0 before the first."""
        async with self._database.connection() as connection:
            (seq,) = await the_row(connection, _QUERIES["newest_seq"], {})
        return int(seq)

    async def known_by(self, at_ns: int) -> int:
        """The newest batch that was committed by an instant; 0 before the first."""
        async with self._database.connection() as connection:
            (seq,) = await the_row(connection, _QUERIES["known_by"], {"at": to_datetime_up(at_ns)})
        return int(seq)

    async def series(
        self, signal_id: int, start_ns: int, end_ns: int, points: int | None = None, *, upto_seq: int = NEWEST
    ) -> SeriesColumns:
        """The samples in [start, end): all of them, or at most `points` (≥ 4) that keep every extreme.

        With `upto_seq` as they were known when that batch was the newest.
        """
        asked = Asked(signal_id, start_ns, end_ns, upto_seq)
        async with self._database.connection() as connection:
            found = await _first(connection, asked, _NO_LIMIT if points is None else points + 1)
            if points is None or len(found) <= points:
                return found
            return await reduce.reduce(connection, asked, points)

    async def first(
        self, signal_id: int, start_ns: int, end_ns: int, limit: int, *, upto_seq: int = NEWEST
    ) -> SeriesColumns:
        """The oldest `limit` samples in [start, end); fewer when there are no more."""
        async with self._database.connection() as connection:
            return await _first(connection, Asked(signal_id, start_ns, end_ns, upto_seq), limit)

    async def texts(
        self, signal_id: int, start_ns: int, end_ns: int, limit: int = 100_000, *, upto_seq: int = NEWEST
    ) -> TextColumns:
        """The texts in [start, end), at most `limit` of them."""
        values = Asked(signal_id, start_ns, end_ns, upto_seq).values | {"limit": limit}
        async with self._database.connection() as connection:
            found = await (await connection.execute(_QUERIES["texts"], values)).fetchall()
        return columns([replay.text_row(*row) for row in found])

    async def last(self, signal_ids: Sequence[int] | NDArray[np.int32]) -> dict[int, LastSample]:
        """The newest sample of each signal that has one."""
        async with self._database.connection() as connection:
            values = {"signals": [int(signal) for signal in signal_ids]}
            found = await (await connection.execute(_QUERIES["last"], values)).fetchall()
        return {
            signal: LastSample(to_ns(time), value, quality, to_ns(received))
            for signal, time, value, quality, received in found
        }


async def _first(connection: Connection, asked: Asked, limit: int) -> SeriesColumns:
    row = await the_row(connection, _QUERIES["series"], asked.values | {"limit": limit}, binary=True)
    time = time_array(row[0])
    quality = np.zeros(len(time), np.uint8)
    quality[np.searchsorted(time, time_array(row[2]))] = int_array(row[3], 2)
    return SeriesColumns(time, float_array(row[1]), quality, reduced=False)
