"""Hop *name*: messages that could not be understood, on disk for whoever maps them. In: letters. Out: JSON lines.

Two files of at most half the cap each: the present one and the one before. Losing a dead letter is no loss of data
that anybody could have used, so nothing is fsynced and a full disk only costs the letters.
"""

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

logger = logging.getLogger(__name__)

MOST_EXCERPT = 2000  # bytes of the payload that are shown


class DeadLetter(NamedTuple):
    """One message, or one value of it, that was refused."""

    received_ns: int
    reason: str
    detail: str
    topic: str
    payload: bytes


class DeadLetters:
    """The log of one source. `write` blocks for the disk: call it in a thread."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._half = max_bytes // 2
        self._failed = False

    def write(self, letters: Sequence[DeadLetter]) -> None:
        """Append; never raises for the disk's sake."""
        text = "".join(map(_line, letters))
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size + len(text) > self._half:
                self._path.replace(self._path.with_name(self._path.name + ".1"))
            with self._path.open("a", encoding="ascii") as file:
                file.write(text)
        except OSError as error:
            if not self._failed:
                logger.warning("dead letters cannot be written to %s: %s", self._path, error)
            self._failed = True
        else:
            self._failed = False


def _line(letter: DeadLetter) -> str:
    excerpt = letter.payload[:MOST_EXCERPT]
    record = {
        "received_at": datetime.fromtimestamp(letter.received_ns / 1e9, UTC).isoformat(timespec="milliseconds"),
        "reason": letter.reason,
        "detail": letter.detail[:1000],
        "topic": letter.topic[:1000],
        "bytes": len(letter.payload),
        "payload": excerpt.decode("utf-8", errors="backslashreplace"),
    }
    return json.dumps(record) + "\n"
