"""Hop *sense*, replay: one recorded file. In: a path and how far it was read. Out: its rows, one by one.

A file is continued where it was left as long as what was read of it is still the same; a changed one begins anew.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from edge.sources.replay_settings import ReplaySettings


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a file was read, and what tells whether it is still the same."""

    offset: int = 0  # octets of a CSV file as it was before compression, rows of a Parquet file
    line: int = 0  # the last one that was read
    rows: int = 0
    rejected: int = 0
    check: int = 0  # CRC-32 of what was read; of a Parquet file of its footer
    size: int = 0  # of the file at its opening
    mtime_ns: int = 0
    ended: bool = False  # all of it was read

    def pack(self) -> bytes:
        """For the spool's memory."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def unpack(cls, told: bytes | None) -> "Mark":
        """The reverse; the beginning when nothing is known."""
        found: dict[str, Any] = json.loads(told) if told else {}
        return cls(**{one.name: found[one.name] for one in fields(cls) if one.name in found})

    def is_of(self, stat: os.stat_result) -> bool:
        """Whether the file has not been written to since."""
        return (self.size, self.mtime_ns) == (stat.st_size, stat.st_mtime_ns)


class Row(NamedTuple):
    """One row; `why` says why its cells cannot be read."""

    cells: Sequence[object]
    raw: bytes
    why: str = ""


class Recording(Protocol):
    """An open file."""

    header: tuple[str, ...]
    changed: bool  # it is not the file that was read before: begun anew

    def rows(self) -> Iterator[Row]:
        """The rows from where it was left.

        Raises:
            Retryable: it cannot be read further now; it may still be written.
        """
        ...

    @property
    def mark(self) -> Mark:
        """How far it was read: behind the row that `rows` gave last."""
        ...

    @property
    def fraction(self) -> float:
        """The part of the file that was read, about."""
        ...

    def close(self) -> None:
        """Let it go."""
        ...


def open_recording(path: Path, settings: ReplaySettings, mark: Mark, now_ns: int) -> Recording:
    """Open it as what its first octets say.

    Raises:
        OSError: it cannot be opened.
        Retryable: its beginning cannot be read.
        ConfigError: for a Parquet file, when pyarrow is not installed.
    """
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"PAR1":
        from edge.sources.replay_parquet import ParquetRecording  # a library that few need

        return ParquetRecording(path, mark)
    from edge.sources.replay_csv import CsvRecording

    return CsvRecording(path, settings, mark, now_ns)
