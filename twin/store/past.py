"""What the store knows of a past instant: the newest values, machine states, findings, gaps and counters by then.

In: a plant and an instant. Out: `Past` for the pure fold of twin.state.past. One look-up in an index per signal.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from twin.plant.tree import Kind, Plant
from twin.state.model import Transition
from twin.state.past import Past, StoredValue, counters
from twin.store.database import Database
from twin.store.findings import Findings
from twin.store.pool import Connection
from twin.store.queries import load_queries
from twin.store.samples import Samples
from twin.store.times import to_datetime, to_ns
from twin.store.units import columns_of

_QUERIES = load_queries("past")


class PastStates:
    """The past instants of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def at(self, plant: Plant, signal_ids: Mapping[str, int], at_ns: int) -> Past:
        """Everything that is known of the plant at an instant, ns UTC; `signal_ids` by path."""
        paths = {signal_ids[one.path]: one.path for one in plant.signals if one.path in signal_ids}
        texts = [signal_ids[one.path] for one in plant.signals if one.kind is Kind.TEXT and one.path in signal_ids]
        spans = {signal_ids[path]: span for path, span in counters(plant, at_ns).items() if path in signal_ids}
        asked = {"at": to_datetime(at_ns), "assets": [asset.path for asset in plant.assets]}
        numbers = sorted(set(paths) - set(texts))
        async with self._database.connection() as connection:
            values = await _rows(connection, "values", {**asked, "signals": numbers})
            values += await _rows(connection, "texts", {**asked, "signals": texts})
            machines = await _rows(connection, "machines", asked)
            gaps = await _rows(connection, "gaps", asked)
            counted = await columns_of(connection, spans, 0)
        findings = await Findings(self._database).between(at_ns, at_ns + 1_000)
        return Past(
            at_ns,
            await Samples(self._database).newest_seq(),
            values={paths[row[0]]: _value(*row[1:]) for row in values},
            machines={row[0]: Transition(row[0], to_ns(row[1]), *row[2:]) for row in machines},
            findings=[one for one in findings if one.until_ns is None or one.until_ns > at_ns],
            gaps={paths[signal]: _why(cause, detail) for signal, cause, detail in gaps if signal in paths},
            counted={paths[signal]: column for signal, column in counted.items()},
        )


async def _rows(connection: Connection, query: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return await (await connection.execute(_QUERIES[query], values)).fetchall()


def _value(time: datetime, value: float | str, quality: int, received_at: datetime) -> StoredValue:
    return StoredValue(to_ns(time), value, quality, to_ns(received_at))


def _why(cause: str, detail: str) -> str:
    return f"{cause.replace('-', ' ')} ({detail})" if detail else cause.replace("-", " ")
