"""What the judges found, with how far they had come: one transaction, so that a replay neither loses nor doubles."""

from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb

from twin.state.model import Contribution, Evidence, Finding, Transition
from twin.store.database import Database
from twin.store.queries import load_queries
from twin.store.times import to_datetime, to_ns

_QUERIES = load_queries("findings")


class Findings:
    """The findings, the state changes and the watermarks of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def write(self, seq: int, findings: Sequence[Finding], transitions: Sequence[Transition], key: str) -> None:
        """Everything that judge `key` found up to batch `seq`, and its watermark. The same again changes nothing."""
        found = [_finding_row(one, seq) for one in findings]
        entered = [
            {
                "asset": one.asset,
                "at": to_datetime(one.at_ns),
                "code": one.code,
                "name": one.name,
                "category": one.category,
                "seq": seq,
            }
            for one in transitions
        ]
        async with self._database.transaction() as connection, connection.cursor() as cursor:
            if found:
                await cursor.executemany(_QUERIES["add_finding"], found)
            if entered:
                await cursor.executemany(_QUERIES["add_transition"], entered)
            await cursor.execute(_QUERIES["set_watermark"], {"key": key, "seq": seq})

    async def watermark(self, key: str) -> int:
        """The last batch whose findings judge `key` has written; 0 before the first."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_QUERIES["watermark"], {"key": key})).fetchone()
        return row[0] if row else 0

    async def open(self) -> list[Finding]:
        """Findings that have not ended, oldest first."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["open"])).fetchall()
        return [_finding(row) for row in rows]

    async def between(
        self, start_ns: int, end_ns: int, *, asset: str | None = None, limit: int = 10_000
    ) -> list[Finding]:
        """Findings that touch [start, end), oldest first."""
        values = {"start": to_datetime(start_ns), "end": to_datetime(end_ns), "asset": asset, "limit": limit}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["between"], values)).fetchall()
        return [_finding(row) for row in rows]

    async def transitions(self, asset: str, start_ns: int, end_ns: int) -> list[Transition]:
        """The state changes of one asset in [start, end), oldest first."""
        values = {"asset": asset, "start": to_datetime(start_ns), "end": to_datetime(end_ns)}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["transitions"], values)).fetchall()
        return [Transition(path, to_ns(at), code, name, category) for path, at, code, name, category in rows]


def _finding_row(one: Finding, seq: int) -> dict[str, Any]:
    evidence = one.evidence
    return {
        "id": one.id,
        "asset": one.asset,
        "signal": one.signal,
        "detector": one.detector,
        "since_at": to_datetime(one.since_ns),
        "until_at": None if one.until_ns is None else to_datetime(one.until_ns),
        "score": one.score,
        "message": one.message,
        "seq": seq,
        "p": evidence.p,
        "expected_per_day": evidence.expected_per_day,
        "centre": evidence.centre,
        "spread": evidence.spread,
        "contributions": Jsonb([[part.signal, part.share, part.sign] for part in evidence.contributions]),
        "regime": evidence.regime,
        "model": evidence.model,
        "earlier": evidence.earlier,
    }


def _finding(row: tuple[Any, ...]) -> Finding:
    identity, asset, signal, detector, since_at, until_at, score, message, *evidence = row
    until_ns = None if until_at is None else to_ns(until_at)
    p, expected_per_day, centre, spread, contributions, regime, model, earlier = evidence
    parts = tuple(Contribution(*part) for part in contributions)
    told = Evidence(p, expected_per_day, centre, spread, parts, regime, model, earlier)
    return Finding(identity, asset, signal, detector, to_ns(since_at), until_ns, score, message, told)
