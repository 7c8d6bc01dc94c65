"""Fitted models: each save is a new version that never changes; one version per subject is in use.

In: parameters as bytes and a report of the fit. Out: versions; the champions of a kind, which processes take up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg.types.json import Jsonb

from twin.errors import Rejected
from twin.store.database import Database
from twin.store.queries import load_queries
from twin.store.times import to_datetime, to_ns

_QUERIES = load_queries("models")

ModelState = Literal["champion", "challenger", "retired"]


@dataclass(frozen=True, slots=True)
class StoredModel:
    """One version; instants in ns UTC."""

    kind: str  # what fits and reads it: mspc, risk, forecast …
    subject: str  # what it is a model of: an asset's path, a type of assets …
    version: int
    fitted_ns: int
    trained_from_ns: int
    trained_to_ns: int
    params: bytes  # empty in a history
    hash: str  # SHA-256 of the parameters, hexadecimal
    report: Mapping[str, Any]
    state: ModelState


class Models:
    """The models of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def save(
        self,
        kind: str,
        subject: str,
        params: bytes,
        *,
        fitted_ns: int,
        trained_ns: tuple[int, int],
        report: Mapping[str, Any],
    ) -> int:
        """Keep a fit as the next version, a challenger; `trained_ns` is the span [from, to) of its data."""
        values = {
            "kind": kind,
            "subject": subject,
            "fitted_at": to_datetime(fitted_ns),
            "trained_from": to_datetime(trained_ns[0]),
            "trained_to": to_datetime(trained_ns[1]),
            "params": params,
            "report": Jsonb(dict(report)),
        }
        async with self._database.transaction() as connection:
            await connection.execute(_QUERIES["lock"], values)
            rows = await (await connection.execute(_QUERIES["save"], values)).fetchall()
        return int(rows[0][0])

    async def promote(self, kind: str, subject: str, version: int) -> None:
        """This version is the champion from now on; the one before it and older challengers retire.

        Raises:
            Rejected: there is no such version.
        """
        values = {"kind": kind, "subject": subject, "version": version}
        async with self._database.transaction() as connection:
            await connection.execute(_QUERIES["lock"], values)
            if await (await connection.execute(_QUERIES["there"], values)).fetchone() is None:
                raise Rejected("no-such-model", f"there is no version {version} of the {kind} model of {subject}")
            await connection.execute(_QUERIES["retire"], values)
            await connection.execute(_QUERIES["crown"], values)

    async def dismiss(self, kind: str, subject: str, version: int) -> None:
        """Retire a challenger that did not win; the champion stays."""
        values = {"kind": kind, "subject": subject, "version": version}
        async with self._database.connection() as connection:
            await connection.execute(_QUERIES["dismiss"], values)

    async def champions(self, kind: str) -> list[StoredModel]:
        """The model in use of every subject, by subject, with parameters."""
        return await self._read("champions", {"kind": kind, "subject": None})

    async def versions(self, kind: str) -> dict[str, int]:
        """The version in use of every subject: cheap to ask for often."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["versions"], {"kind": kind})).fetchall()
        return dict(rows)

    async def champion(self, kind: str, subject: str) -> StoredModel | None:
        """The model in use of one subject, None before the first was promoted."""
        found = await self._read("champions", {"kind": kind, "subject": subject})
        return found[0] if found else None

    async def history(self, kind: str, subject: str | None = None, *, limit: int = 1_000) -> list[StoredModel]:
        """Every version of one subject or of all, the newest first, without parameters."""
        return await self._read("history", {"kind": kind, "subject": subject, "limit": limit})

    async def trim(self, keep: int) -> int:
        """Forget retired versions behind the newest `keep` of each subject; how many there were."""
        async with self._database.connection() as connection:
            return (await connection.execute(_QUERIES["trim"], {"keep": keep})).rowcount

    async def _read(self, query: str, values: Mapping[str, Any]) -> list[StoredModel]:
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES[query], values)).fetchall()
        return [_model(*row) for row in rows]


def _model(
    kind: str,
    subject: str,
    version: int,
    fitted_at: datetime,
    trained_from: datetime,
    trained_to: datetime,
    params: bytes,
    digest: str,
    report: Mapping[str, Any],
    state: ModelState,
) -> StoredModel:
    times = (to_ns(fitted_at), to_ns(trained_from), to_ns(trained_to))
    return StoredModel(kind, subject, version, *times, bytes(params), digest, report, state)
