"""Store and gap ledger against the truth log of the equipment, sample by sample."""

import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

Samples = dict[str, dict[int, float | str]]


@dataclass
class Verdict:
    """What the comparison found; everything is counted per sample."""

    emitted: int = 0
    stored: int = 0
    in_gaps: int = 0
    lost: list[tuple[str, int]] = field(default_factory=list)
    changed: list[tuple[str, int, object, object]] = field(default_factory=list)
    invented: list[tuple[str, int]] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.emitted} emitted, {self.stored} stored, {self.in_gaps} in the gap ledger, {len(self.lost)} lost, "
            f"{len(self.changed)} changed, {len(self.invented)} invented; "
            f"first lost {self.lost[:5]}, changed {self.changed[:5]}, invented {self.invented[:5]}"
        )


def truth(log: Path, until_us: int, since_us: int = 0) -> Samples:
    found: Samples = defaultdict(dict)
    with sqlite3.connect(f"file:{log}?mode=ro", uri=True) as connection:
        for path, time_us, value, text in connection.execute(
            "SELECT signal_path, time_us, value, text FROM sample WHERE time_us > ? AND time_us <= ?",
            (since_us, until_us),
        ):
            assert time_us not in found[path], f"the equipment emitted {path} twice at {time_us}"
            found[path][time_us] = text if text is not None else value
    connection.close()
    return found


def store(dsn: str, until_us: int, since_us: int = 0) -> Samples:
    found: Samples = defaultdict(dict)
    micros = "(extract(epoch from s.time) * 1000000)::int8"
    with psycopg.connect(dsn) as connection:
        for table, column in (("sample", "value"), ("sample_text", "text")):
            rows = connection.execute(
                f"SELECT g.path, {micros}, s.{column} FROM {table} s JOIN signal g ON g.id = s.signal"
                f" WHERE s.time >= to_timestamp(%s) AND {micros} > %s AND {micros} <= %s",
                (since_us // 1_000_000, since_us, until_us),
            )
            for path, time_us, value in rows:
                assert time_us not in found[path], f"{path} is stored twice at {time_us}"
                found[path][time_us] = value
    return found


def gaps(dsn: str) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    with psycopg.connect(dsn) as connection:
        for path, low, high in connection.execute(
            "SELECT g.path, (extract(epoch from lower(p.span)) * 1000000)::int8,"
            " (extract(epoch from upper(p.span)) * 1000000)::int8 FROM gap p JOIN signal g ON g.id = p.signal"
        ):
            found[path].append((low, high))
    return found


def first_readings(dsn: str) -> dict[str, int]:
    """Signal → the time of its first stored sample."""
    earliest = (
        "SELECT g.path, (extract(epoch from f.time) * 1000000)::int8 FROM signal g CROSS JOIN LATERAL"
        " (SELECT s.time FROM {} s WHERE s.signal = g.id ORDER BY s.time LIMIT 1) f"
    )
    with psycopg.connect(dsn) as connection:
        return {
            path: at for table in ("sample", "sample_text") for path, at in connection.execute(earliest.format(table))
        }


def causes(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        return [cause for (cause,) in connection.execute("SELECT DISTINCT cause FROM gap")]


def compare(log: Path, dsn: str, until_us: int, since_us: int = 0) -> Verdict:
    """Every emitted sample is stored or in a known gap, nothing is changed, nothing invented.

    What the equipment emitted before the agent's first reading of a signal was never offered to anybody.
    """
    emitted, stored, holes = truth(log, until_us, since_us), store(dsn, until_us, since_us), gaps(dsn)
    begun = first_readings(dsn)
    verdict = Verdict()
    for path, samples in emitted.items():
        kept = stored.get(path, {})
        first = begun.get(path)
        if first is None:
            verdict.lost += [(path, time_us) for time_us in samples]
            continue
        for time_us, value in samples.items():
            if time_us < first:
                continue
            verdict.emitted += 1
            if time_us in kept:
                verdict.stored += 1
                if kept[time_us] != value:
                    verdict.changed.append((path, time_us, value, kept[time_us]))
            elif any(low <= time_us < high for low, high in holes.get(path, ())):
                verdict.in_gaps += 1
            else:
                verdict.lost.append((path, time_us))
        verdict.invented += [(path, time_us) for time_us in kept if time_us not in samples]
    for path in stored.keys() - emitted.keys():
        verdict.invented += [(path, time_us) for time_us in stored[path]]
    return verdict
