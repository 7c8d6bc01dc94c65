"""Hop *keep*: until when all that was kept is in the store, in a small file beside the spool's.

In: source times of batches that come and go. Out: one number on disk, never too late: when the spool's own file is
damaged and cannot be read, what it held lies after it.
"""

import logging
import os
import time
from pathlib import Path

logger = logging.getLogger(__name__)

_EVERY_S = 2.0


class Settled:
    """The number in `<spool>.settled`; writes seldom when it grows, at once when it has to shrink."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".settled")
        self._written_s = 0.0
        self.until_ns: int = self._read()

    def lower(self, first_ns: int) -> None:
        """A batch that begins at this source time waits from now on; before its transaction ends."""
        if 0 < first_ns < self.until_ns:
            self._write(first_ns, durable=True)

    def due(self) -> bool:
        """Whether it is worth asking what waits."""
        return time.monotonic() - self._written_s >= _EVERY_S

    def move(self, until_ns: int) -> None:
        """Everything before this source time is in the store."""
        if until_ns > 0 and until_ns != self.until_ns:
            self._write(until_ns, durable=until_ns < self.until_ns)

    def _write(self, until_ns: int, *, durable: bool) -> None:
        self._written_s = time.monotonic()
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            with fresh.open("w", encoding="ascii") as file:
                file.write(f"{until_ns}\n")
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:  # the disk is full: the older number stays, and is right as well
            logger.debug("%s cannot be written: %s", self._path, error)
            return
        self.until_ns = until_ns

    def _read(self) -> int:
        try:
            return max(0, int(self._path.read_text(encoding="ascii")))
        except (OSError, ValueError):
            return 0
