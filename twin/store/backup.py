"""Backup and restore with PostgreSQL's own pg_dump and pg_restore, as logical dumps that any later version reads.

In: the address of a database. Out: one file; and back into an empty database, which then is another incarnation of the
store: what was receipted after the backup is asked for again (twin.store.incarnation). A dump is one snapshot; it may
be taken while everything runs.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from twin.errors import ConfigError, Retryable
from twin.store import incarnation
from twin.store.database import open_database, translated
from twin.store.embedded_files import find_programs
from twin.store.queries import load_queries

Progress = Callable[[float], None]  # 0 … 1, a guess

_QUERIES = load_queries("backup")
_LOOK_S = 0.5
_SHARE = 8  # a dump takes about so many times less than the database
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


def back_up(dsn: str, file: Path, progress: Progress) -> int:
    """Write a dump of everything; returns its bytes. The file is complete or not there.

    Raises:
        ConfigError: the file exists, or there is no pg_dump that fits the server.
        Retryable: the server went away.
    """
    if file.exists():
        raise ConfigError(f"{file} exists; a backup never replaces another one, choose a new name")
    draft = file.with_name(f"{file.name}.part")
    with _service(dsn) as environment:
        major, size, _ = _look(dsn)
        command = [
            program("pg_dump", major),
            "--format=custom",
            "--no-owner",
            "--lock-wait-timeout=60s",
        ]
        try:
            _run([*command, f"--file={draft}"], environment, lambda _: _share(draft, size / _SHARE), progress)
            with draft.open("rb") as written:
                os.fsync(written.fileno())
            draft.rename(file)
        finally:
            draft.unlink(missing_ok=True)
    return file.stat().st_size


async def restore(dsn: str, file: Path, progress: Progress, jobs: int = 2) -> int:
    """Fill an empty database from a dump and begin another incarnation; returns the number of the newest batch.

    Raises:
        ConfigError: the database is not empty, the file is no dump, or the programs do not fit.
        Retryable: the server went away.
    """
    with _service(dsn) as environment:
        major, _, tables = _look(dsn)
        if tables:
            raise ConfigError(f"the database holds {tables} tables; make an empty one (createdb) and restore into that")
        command = [program("pg_restore", major), "--exit-on-error", "--no-owner", "--dbname="]
        objects = _listed(file, command[0])
        with _prepared(dsn, has_timescale=any(" EXTENSION - timescaledb" in one for one in objects)) as one_by_one:
            command += ["--verbose", f"--jobs={1 if one_by_one else jobs}", str(file)]
            _run(command, environment, lambda log: log.read_bytes().count(b"\n") / (2 * len(objects)), progress)
    async with open_database(dsn, size=1) as database:  # which also brings an old schema up to date
        await incarnation.set_back(database)
        async with database.connection() as connection:
            await connection.execute("SET statement_timeout = 0")
            await connection.execute("ANALYZE")
            ((seq,),) = await (await connection.execute(_QUERIES["newest_batch"])).fetchall()
    return int(seq)


def program(name: str, major: int) -> str:
    """A pg_dump or pg_restore that is not older than the server: of PG_BIN, of the path, of the embedded PostgreSQL.

    Raises:
        ConfigError: there is none.
    """
    found: list[str] = []
    for candidate in _candidates(name):
        answer = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
        version = _VERSION.search(answer.stdout)
        if version and int(version[1]) >= major:
            return candidate
        found.append(f"{candidate} ({answer.stdout.strip() or answer.stderr.strip()})")
    told = f"; too old: {', '.join(found)}" if found else ""
    raise ConfigError(
        f"no {name} of PostgreSQL {major} or newer{told}; install postgresql-client-{major} or set PG_BIN"
    )


def _candidates(name: str) -> Iterator[str]:
    if own := os.environ.get("PG_BIN"):
        yield str(Path(own) / name)
    if of_path := shutil.which(name):
        yield of_path
    try:
        embedded = find_programs() / name
    except ConfigError:
        return
    if embedded.exists():
        yield str(embedded)


def _look(dsn: str) -> tuple[int, int, int]:
    """(major version, bytes, tables that are no extension's) of a database."""
    with translated("to be backed up or restored"), psycopg.connect(dsn, autocommit=True) as connection:
        ((version, size, tables),) = connection.execute(_QUERIES["look"]).fetchall()
    return version // 10_000, size, tables


@contextmanager
def _service(dsn: str) -> Generator[dict[str, str]]:
    """An environment in which libpq connects to the address; a password must not stand in a command line."""
    with tempfile.TemporaryDirectory() as folder:
        service = Path(folder, "service.conf")
        given = "".join(f"{key}={value}\n" for key, value in conninfo_to_dict(dsn).items() if key != "options")
        service.touch(mode=0o600)
        service.write_text(f"[fabriquay]\n{given}")
        yield {**os.environ, "PGSERVICEFILE": str(service), "PGSERVICE": "fabriquay"}


@contextmanager
def _prepared(dsn: str, *, has_timescale: bool) -> Generator[bool]:
    """What must be there before the first table; yields whether the tables must come one after another."""
    with translated("to be restored"), psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_QUERIES["make_role"])
        if not has_timescale:
            yield False
            return
        connection.execute(_QUERIES["timescale_extension"])
        connection.execute(_QUERIES["timescale_pre"])
        try:
            yield True
        finally:
            connection.execute(_QUERIES["timescale_post"])


def _listed(file: Path, pg_restore: str) -> Sequence[str]:
    answer = subprocess.run([pg_restore, "--list", str(file)], capture_output=True, text=True, check=False)  # noqa: S603
    if answer.returncode:
        raise ConfigError(f"{file} is no backup that can be read: {answer.stderr.strip()}")
    return answer.stdout.splitlines()


def _run(command: list[str], environment: dict[str, str], share: Callable[[Path], float], progress: Progress) -> None:
    with tempfile.NamedTemporaryFile() as log, subprocess.Popen(command, env=environment, stderr=log) as process:  # noqa: S603
        told = Path(log.name)
        while True:
            try:
                process.wait(_LOOK_S)
                break
            except subprocess.TimeoutExpired:
                progress(min(share(told), 0.99))
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            raise Retryable(f"{Path(command[0]).name} failed: {_trouble(told.read_text())}")
    progress(1.0)


def _trouble(log: str) -> str:
    lines = [line for line in log.splitlines() if "error:" in line or "detail" in line.lower()]
    return "; ".join(lines)[:2_000] or log[-2_000:].strip()


def _share(draft: Path, expected: float) -> float:
    return draft.stat().st_size / max(expected, 1) if draft.exists() else 0.0
