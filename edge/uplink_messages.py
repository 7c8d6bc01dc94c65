"""Hop *send*, the pure part: the small JSON messages beside the data.

In: commands and health reports. Out: the wanted schema, the last will, and what of a report is news.
"""

import json
from collections.abc import Mapping, Sequence
from typing import cast

from twin.errors import Rejected
from twin.wire import topic
from twin.wire.mqtt import Message


def offline(node: str) -> Message:
    """The last will, and what a stopping agent says itself."""
    report = {"format": 1, "node": node, "status": "offline"}
    return Message(topic.health(node), json.dumps(report).encode(), qos=1, retain=True)


def wanted_schema(payload: bytes) -> str:
    """The schema hash that a command asks for.

    Raises:
        Rejected: not JSON, or not a command that we know.
    """
    try:
        command: object = json.loads(payload)
    except ValueError as error:
        raise Rejected("malformed", f"the command is not JSON: {error}") from error
    match command:
        case {"want": "schema", "hash": str(schema_hash)}:
            return schema_hash
        case _:
            raise Rejected("unknown-command", f"the command is not known: {payload[:200]!r}")


def is_configuration(payload: bytes) -> bool:
    """Whether a command is a signed configuration; what is in it is judged by `edge.bundle`."""
    try:
        command: object = json.loads(payload)
    except (ValueError, RecursionError):
        return False
    match command:
        case {"want": "configuration"}:
            return True
        case _:
            return False


def words(report: object) -> object:
    """The part of a report whose change is news: no figures, no instants."""
    if isinstance(report, Mapping):
        entries = cast("Mapping[str, object]", report).items()
        return {key: words(value) for key, value in entries if key != "at" and not key.endswith("_at")}
    if isinstance(report, Sequence) and not isinstance(report, str):
        return [words(value) for value in cast("Sequence[object]", report)]
    return report if isinstance(report, (str, bool)) else None
