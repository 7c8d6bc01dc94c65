"""Hop *sense*, replay: recorded files, read like a device. In: rows of CSV or Parquet. Out: `Reading`s for the sink.

How far each file is read stands in the transaction that keeps its readings, so a restart neither loses nor doubles.
With their own times the readings are history; shifted, they are live and paced by the recording's own intervals.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from edge.dead_letters import DeadLetters
from edge.health import rfc3339
from edge.sources.replay_pace import Pace
from edge.sources.replay_reader import Chunk, FileReader, Recorded
from edge.sources.replay_recording import Mark
from edge.sources.replay_settings import ReplaySettings
from edge.sources.source import Memory, Sink, SourceState, SourceStatus
from edge.timestamps import is_sane
from twin.errors import Retryable
from twin.wire.reading import Lane, Quality, Reading

logger = logging.getLogger(__name__)

LOOK_S = 5.0  # how often files are looked for that are new, longer or mended
_MOST_SLEEP_S = 1.0
_LONG_NS = 10_000_000_000  # a pause of the recording that is worth a word


@dataclass(slots=True)
class _File:
    """One file that was found."""

    mark: Mark
    size: int = 0
    fraction: float = 0.0


class ReplaySource:
    """The recorded files of one source.

    Args:
        settings: of this source.
        handles: every signal path → the signal's place in the node's schema.
        dead_letters: where to log rows that are not understood.
        memory: where it stands how far each file was read.
        clock: nanoseconds UTC.
        look_s: how often files are looked for.
    """

    kind: str = "replay"

    def __init__(
        self,
        settings: ReplaySettings,
        handles: Mapping[str, int],
        *,
        dead_letters: Path,
        memory: Memory,
        clock: Callable[[], int] = time.time_ns,
        look_s: float = LOOK_S,
    ) -> None:
        self._settings = settings
        self._handles = handles
        self._letters = DeadLetters(settings.dead_letters or dead_letters, settings.dead_letters_max_bytes)
        self._memory = memory
        self._clock = clock
        self._look_s = look_s
        self._shifted = settings.time == "shifted"
        self._pace = Pace(settings.speed)
        self._files: dict[Path, _File] = {}
        self._doing = ""
        self._file: Path | None = None
        self._changed = 0
        self._others = 0
        self._rounds = 0
        self._values = 0
        self._newest_ns = 0
        self._state = SourceState.CONNECTING
        self._detail = ""
        self._since_ns = clock()

    @property
    def name(self) -> str:
        """Unique within the agent."""
        return self._settings.name

    async def run(self, sink: Sink) -> None:
        """Read for ever; see `Source.run`."""
        ended_before = True  # by an earlier run, which had no time to begin again
        while True:
            before = self._values
            problem = await self._read_all(sink)
            if problem:
                self._enter(SourceState.DOWN, problem)
            elif self._settings.repeat and (ended_before or self._values > before):
                ended_before = False
                await self._begin_again(sink)
                continue
            else:
                self._enter(SourceState.CONNECTED, "")
                self._doing = "waits for more rows"
            await asyncio.sleep(self._look_s)

    def status(self) -> SourceStatus:
        """What the health report says of it."""
        return SourceStatus(
            self.name,
            self.kind,
            self._state,
            self._detail,
            self._since_ns,
            self._values,
            self._newest_ns,
            self._facts(),
        )

    def _facts(self) -> dict[str, object]:
        files = self._files.values()
        size = sum(file.size for file in files)
        done = sum(file.size * file.fraction for file in files)
        return {
            "doing": self._doing,
            "file": str(self._file or ""),
            "files": len(files),
            "rows": sum(file.mark.rows for file in files),
            "rejected": sum(file.mark.rejected for file in files),
            "other_signals": self._others,
            "percent": round(100 * done / size, 1) if size else 0.0,
            "changed_files": self._changed,
            "rounds": self._rounds,
        }

    async def _read_all(self, sink: Sink) -> str:
        """One walk over all files; what is wrong with the first bad one."""
        problem = ""
        for path in await asyncio.to_thread(self._found):
            if path not in self._files:
                told = await self._memory.recall(self._key(path))
                self._files[path] = _File(Mark.unpack(told))
            try:
                await self._read_file(path, self._files[path], sink)
            except (Retryable, OSError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                problem = problem or f"{path}: {reason}"
        return problem if self._files or problem else f"there is no file {', '.join(self._settings.files)}"

    def _found(self) -> list[Path]:
        """Patterns stand for files in the order of their names; a plain path also for one that is not there."""
        found: dict[Path, None] = {}
        for text in self._settings.files:
            names = sorted(glob(text, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
            found.update((Path(name), None) for name in names or ([] if _is_pattern(text) else [text]))
        return [path for path in found if not path.is_dir()]

    async def _read_file(self, path: Path, file: _File, sink: Sink) -> None:
        stat = await asyncio.to_thread(path.stat)
        if file.mark.ended and file.mark.is_of(stat):
            file.size, file.fraction = stat.st_size, 1.0
            return
        file.size = stat.st_size
        reader = await asyncio.to_thread(
            FileReader,
            path,
            self._settings,
            self._handles,
            file.mark,
            believed=_any_time if self._shifted else is_sane,
            marks=self._shifted,
            clock=self._clock,
        )
        try:
            if reader.changed:
                self._changed += 1
                logger.warning("source %s: %s is not the file that it was: read from its beginning", self.name, path)
            self._file = path
            more = True
            while more:
                chunk = await asyncio.to_thread(reader.chunk)
                self._enter(SourceState.CONNECTED, "")
                await self._keep(path, chunk, sink)
                file.fraction, more = chunk.fraction, chunk.more
                if chunk.problem:
                    raise Retryable(chunk.problem)
        finally:
            self._others += reader.table.others
            reader.close()

    async def _keep(self, path: Path, chunk: Chunk, sink: Sink) -> None:
        if chunk.letters:
            await asyncio.to_thread(self._letters.write, chunk.letters)
        if self._shifted:
            await self._play(path, chunk.rows, sink)
            await self._hand_over((), Lane.LIVE, path, chunk.mark, sink)
        else:
            self._doing = "waits for room in the spool"
            await sink.has_room()  # what is live must not be dropped for a recording
            self._doing = "reads"
            received_ns = self._clock()
            readings = [
                Reading(handle, row.named.time_ns, value, quality | Quality.BACKFILLED, 0, received_ns)
                for row in chunk.rows
                for handle, value, quality in row.named.values
            ]
            await self._hand_over(readings, Lane.HISTORY, path, chunk.mark, sink)

    async def _play(self, path: Path, rows: Sequence[Recorded], sink: Sink) -> None:
        due: list[Reading] = []
        behind: Recorded | None = None
        for row in rows:
            played_ns = self._pace.played_ns(row.named.time_ns, self._clock())
            if played_ns > self._clock() and behind is not None and behind.mark is not None:
                await self._hand_over(due, Lane.LIVE, path, behind.mark, sink)
                self._files[path].fraction = behind.fraction
                due = []
            await self._wait_until(played_ns)
            received_ns = self._clock()
            due += [
                Reading(handle, played_ns, value, quality | Quality.TIME_ADJUSTED, 0, received_ns)
                for handle, value, quality in row.named.values
            ]
            behind = row
        if behind is not None and behind.mark is not None:
            await self._hand_over(due, Lane.LIVE, path, behind.mark, sink)

    async def _hand_over(self, readings: Sequence[Reading], lane: Lane, path: Path, mark: Mark, sink: Sink) -> None:
        await sink.keep(readings, lane=lane, remembered={self._key(path): mark.pack()})
        self._files[path].mark = mark
        self._values += len(readings)
        self._newest_ns = max(self._newest_ns, max((reading.source_ns for reading in readings), default=0))

    async def _wait_until(self, at_ns: int) -> None:
        if at_ns - self._clock() > _LONG_NS:
            self._doing = f"plays; the next row is due at {rfc3339(at_ns)}"
        while (wait_ns := at_ns - self._clock()) > 0:  # noqa: ASYNC110 - the clock may be set meanwhile
            await asyncio.sleep(min(wait_ns / 1e9, _MOST_SLEEP_S))
        self._doing = "plays"

    async def _begin_again(self, sink: Sink) -> None:
        self._pace.again()
        self._rounds += 1
        for file in self._files.values():
            file.mark, file.fraction = Mark(rejected=file.mark.rejected), 0.0
        await sink.keep((), remembered={self._key(path): file.mark.pack() for path, file in self._files.items()})

    def _key(self, path: Path) -> str:
        return f"replay/{self.name}/{path}"

    def _enter(self, state: SourceState, detail: str) -> None:
        if state is not self._state:
            self._since_ns = self._clock()
            if state is SourceState.DOWN:
                logger.warning("source %s: %s", self.name, detail)
            else:
                logger.info("source %s: reads %s", self.name, ", ".join(self._settings.files))
        self._state, self._detail = state, detail


def _is_pattern(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _any_time(_source_ns: int, _now_ns: int) -> bool:
    return True
