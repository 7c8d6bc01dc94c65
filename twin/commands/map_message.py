"""`twin edge map`: try a message against an edge configuration. In: file names. Out: lines for people, or JSON."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from edge.config import load_agent
from edge.mapping import Incoming
from edge.mapping_trial import Trial, Trials
from twin.commands.reading_words import quality_words, utc
from twin.errors import ConfigError, Rejected
from twin.wire.reading import Reading


class Tried(NamedTuple):
    """What to print, and whether anything could be used."""

    lines: list[str]
    useful: bool


def map_message(
    config: Path,
    topic: str,
    payload: str,
    *,
    metadata: Sequence[str] = (),
    retained: bool = False,
    as_json: bool = False,
) -> Tried:
    """Read one message as the agent would.

    Args:
        config: the agent's configuration.
        topic: of the message.
        payload: the file with the payload, ``-`` for standard input.
        metadata: ``topic=file`` of messages that came before.
        retained: whether the broker had kept the message.
        as_json: one JSON object per reading, instead of lines for people.

    Raises:
        ConfigError: when a file cannot be read, or the configuration has no MQTT source.
    """
    trials = Trials(load_agent(config))
    if not trials.sources:
        raise ConfigError(f"{config}: no source of kind mqtt; there is nothing to map")
    for told in metadata:
        metadata_topic, _, path = told.rpartition("=")
        if not metadata_topic:
            raise ConfigError(f"--metadata {told}: write topic=file")
        try:
            described = trials.learn(metadata_topic, _read(path))
        except Rejected as error:
            raise ConfigError(f"--metadata {told}: {error}") from error
        if not described:
            raise ConfigError(f"--metadata {told}: no mapping joins metadata of this topic, or it describes nothing")
    results = trials.read(Incoming(topic, _read(payload), time.time_ns(), retained))
    meant = [trial for trial in results if not trial.why_not] or results
    lines = [line for trial in meant for line in (_json(trial, trials) if as_json else _text(trial, trials))]
    return Tried(lines, any(trial.mapped is not None for trial in meant))


def _read(path: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error


def _text(trial: Trial, trials: Trials) -> Iterator[str]:
    yield f"source {trial.source}"
    mapped = trial.mapped
    if mapped is not None:
        rows = [_row(reading, trials) for reading in mapped.readings]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
        for path, value, at, quality in rows:
            yield f"  {path:<{widths[0]}}  {value:>{widths[1]}}  {at:<{widths[2]}}  {quality}"
        if mapped.described is not None:
            yield f"  metadata that describes {mapped.described} elements"
        if not rows and mapped.described is None:
            yield "  nothing: the message has none of the values, which is normal for this mapping (partial)"
        for error in mapped.rejected:
            yield f"  refused ({error.reason}): {error}"
        if mapped.sequence is not None:
            yield f"  sequence {mapped.sequence}"
    if trial.refused is not None:
        yield f"  refused ({trial.refused.reason}): {trial.refused}"
    for reason in trial.why_not:
        yield f"    {reason}"
    if trial.without and mapped is not None:
        yield f"  not in this message: {', '.join(trial.without)}"
    if trial.unmapped:
        yield f"  in this message and asked for by no signal: {'; '.join(trial.unmapped)}"


def _row(reading: Reading, trials: Trials) -> tuple[str, str, str, str]:
    feed = trials.feeds[reading.handle]
    value = reading.value if isinstance(reading.value, str) else f"{reading.value:.15g}"
    shown = repr(value) if isinstance(reading.value, str) else f"{value} {feed.unit}".rstrip()
    return feed.path, shown, utc(reading.source_ns), quality_words(reading.quality)


def _json(trial: Trial, trials: Trials) -> Iterator[str]:
    for reading in trial.mapped.readings if trial.mapped else ():
        feed = trials.feeds[reading.handle]
        record = {
            "signal": feed.path,
            "value": reading.value if isinstance(reading.value, str) or isfinite(reading.value) else None,
            "unit": feed.unit,
            "time": utc(reading.source_ns),
            "quality": quality_words(reading.quality),
        }
        yield json.dumps(record, ensure_ascii=False)
    rejected = [*(trial.mapped.rejected if trial.mapped else ()), *([trial.refused] if trial.refused else ())]
    for error in rejected:
        yield json.dumps({"refused": error.reason, "detail": str(error)}, ensure_ascii=False)
