"""`twin edge tail`: the values that wait in a gateway's spool. In: a configuration. Out: one line per reading."""

import json
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from math import isfinite
from pathlib import Path

from edge.config import load_agent
from edge.spool_view import Decoded, open_view
from twin.commands.reading_words import quality_words, utc
from twin.errors import ConfigError
from twin.wire.reading import Lane, Reading
from twin.wire.schema import SchemaEntry

LOOK_S = 0.05  # a batch is gone as soon as the store has it


def tail(
    config: Path, *, signal: str = "*", count: int = 20, follow: bool = False, as_json: bool = False
) -> Iterator[str]:
    """The newest readings that wait, oldest first; then, with `follow`, what comes, for ever.

    Args:
        config: the agent's configuration.
        signal: a pattern of signal paths: ``*``, ``?``, ``[abc]``.
        count: of the newest readings to begin with.
        follow: go on with each new batch.
        as_json: one JSON object per reading, instead of lines for people.

    Raises:
        ConfigError: no configuration, no spool, or no such signal.
        Retryable: it cannot be read now.
    """
    path = load_agent(config).spool.path
    show = _json if as_json else _text
    chosen: list[str] = []
    with open_view(path) as view:
        last = view.position()
        paths = view.paths()
        if not any(fnmatchcase(path, signal) for path in paths):
            known = ", ".join(paths[:3])
            raise ConfigError(f"--signal {signal}: no signal of this node is called so; there are {known} …")
        for decoded in view.newest(last.number) if count else ():
            found = [show(decoded, entry, reading) for entry, reading in _matching(decoded, signal)]
            chosen = [*found, *chosen][-count:]
            if len(chosen) >= count:
                break
    yield from chosen
    while follow:
        time.sleep(LOOK_S)
        with open_view(path) as view:
            now = view.position()
            if now.epoch != last.epoch:
                last = now._replace(number=0)
            for decoded in view.since(last.number):
                if missed := decoded.number - last.number - 1:
                    yield _missed(missed, as_json=as_json)
                last = last._replace(number=decoded.number)
                yield from (show(decoded, entry, reading) for entry, reading in _matching(decoded, signal))
        if now.number > last.number:
            yield _missed(now.number - last.number, as_json=as_json)
            last = now


def _matching(decoded: Decoded, pattern: str) -> Iterator[tuple[SchemaEntry, Reading]]:
    for reading in decoded.readings:
        entry = decoded.signals.get(reading.handle)
        if entry is not None and fnmatchcase(entry.path, pattern):
            yield entry, reading


def _missed(batches: int, *, as_json: bool) -> str:
    """Batches that the store had before we looked."""
    if as_json:
        return json.dumps({"not_shown_batches": batches})
    return f"… {batches} batch{'es' if batches > 1 else ''} sent before they could be shown"


def _text(decoded: Decoded, entry: SchemaEntry, reading: Reading) -> str:
    value = repr(reading.value) if isinstance(reading.value, str) else f"{reading.value:.12g} {entry.unit}".rstrip()
    lane = "  (history)" if decoded.lane is Lane.HISTORY else ""
    return f"{utc(reading.source_ns)}  {entry.path}  {value}  {quality_words(reading.quality)}{lane}"


def _json(decoded: Decoded, entry: SchemaEntry, reading: Reading) -> str:
    document = {
        "time": utc(reading.source_ns),
        "signal": entry.path,
        "value": reading.value if isinstance(reading.value, str) or isfinite(reading.value) else None,
        "unit": entry.unit,
        "quality": quality_words(reading.quality),
        "received": utc(reading.received_ns),
        "lane": decoded.lane.name.lower(),
        "batch": decoded.number,
    }
    return json.dumps(document, ensure_ascii=False)
