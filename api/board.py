"""The board: the latest document of every asset and gateway, as it came from the broker, numbered by change.

In: topic keys and JSON payloads. Out: the entries that changed after a cursor. Payloads stay bytes, so that a document
is serialised once (by its publisher) however many clients read it. No clock, no loop: the time is a parameter.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast

import orjson

from twin.errors import Rejected

FORMAT = 1
AGING_REASONS = ("live", "late")  # what may no longer be said once the feed is silent


class Noun(StrEnum):
    """What a document describes."""

    ASSET = "asset"
    GATEWAY = "gateway"
    ALARMS = "alarms"  # of one area


@dataclass(slots=True)
class Entry:
    """One document; `payload` is None once it has been withdrawn."""

    noun: Noun
    key: str  # asset path, node, or the path of an area
    version: int
    payload: bytes | None
    _slim: bytes | None = None

    def rendered(self, *, signals: bool) -> bytes:
        """The document as JSON, without its signals when nobody wants them; made once, shared by all clients."""
        if self.payload is None:
            return b""
        if signals or self.noun is not Noun.ASSET:
            return self.payload
        if self._slim is None:
            document = orjson.loads(self.payload)
            document.pop("signals", None)
            self._slim = orjson.dumps(document)
        return self._slim


class Board:
    """The entries, the least recently changed first; `cursor` is the number of the last change."""

    def __init__(self) -> None:
        self.cursor: int = 0
        self._entries: OrderedDict[tuple[Noun, str], Entry] = OrderedDict()

    def put(self, noun: Noun, key: str, payload: bytes) -> datetime | None:
        """Take a document; an empty payload withdraws it. Returns the instant that it was made.

        Raises:
            Rejected: when it is not a document of this format about this key.
        """
        if not payload:
            if (noun, key) in self._entries:
                self._store(noun, key, None)
            return None
        document = _parsed(noun, key, payload)
        self._store(noun, key, payload)
        return instant(document.get("at"))

    def get(self, noun: Noun, key: str) -> Entry | None:
        """The entry with a document about this key, if there is one."""
        entry = self._entries.get((noun, key))
        return entry if entry is not None and entry.payload is not None else None

    def all(self, noun: Noun) -> list[Entry]:
        """Every entry of a noun that has a document, by key."""
        found = [entry for entry in self._entries.values() if entry.noun is noun and entry.payload is not None]
        return sorted(found, key=lambda entry: entry.key)

    def changed_after(self, cursor: int) -> Iterator[Entry]:
        """What changed after this cursor, the latest change first."""
        for entry in reversed(self._entries.values()):
            if entry.version <= cursor:
                return
            yield entry

    def age(self, now: datetime, why: str) -> None:
        """Rewrite every asset's freshness: nothing newer will come, so nothing may look live."""
        for entry in self.all(Noun.ASSET):
            self._store(entry.noun, entry.key, aged(entry.rendered(signals=True), now, why))

    def _store(self, noun: Noun, key: str, payload: bytes | None) -> None:
        self.cursor += 1
        self._entries[noun, key] = Entry(noun, key, self.cursor, payload)
        self._entries.move_to_end((noun, key))


def aged(payload: bytes, now: datetime, why: str) -> bytes:
    """The same state seen at `now` with the feed silent: ages go on, `live` and `late` become `feed-silent`."""
    document = orjson.loads(payload)
    freshness = document.get("freshness")
    if not isinstance(freshness, dict):
        return payload
    newest = instant(cast("dict[str, Any]", freshness).get("newest_at"))
    if newest is not None:
        freshness["age_s"] = round((now - newest).total_seconds(), 3)
    if cast("dict[str, Any]", freshness).get("reason") in AGING_REASONS:
        freshness["reason"] = "feed-silent"
        freshness["explanation"] = why
    for signal in document.get("signals", {}).values():
        signal["fresh"] = False
    document["at"] = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return orjson.dumps(document)


def instant(text: object) -> datetime | None:
    """RFC 3339 with a zone as an aware time; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo is not None else None


def _parsed(noun: Noun, key: str, payload: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise Rejected("malformed", f"{noun} {key}: not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Rejected("malformed", f"{noun} {key}: not a JSON object")
    fields = cast("dict[str, Any]", document)
    if fields.get("format") != FORMAT:
        raise Rejected("unknown-format", f"{noun} {key}: format {fields.get('format')!r} is not {FORMAT}")
    name = fields.get("node" if noun is Noun.GATEWAY else "path")
    if name != key:
        raise Rejected("wrong-topic", f"{noun} {key}: the document is about {name!r}")
    signals = fields.get("signals", {})
    well_formed = isinstance(signals, dict) and all(
        isinstance(signal, dict) for signal in cast("dict[str, object]", signals).values()
    )
    if noun is Noun.ASSET and not well_formed:
        raise Rejected("malformed", f"{noun} {key}: signals is not an object of objects")
    return fields
