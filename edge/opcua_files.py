"""What `twin edge check` says of the files that OPC UA sources name. In: a configuration. Out: problems and warnings.

The disk is read, the network is not. Only `cryptography` is paid for, and only where a source has a security policy.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from edge.config import AgentSettings
from edge.sources.opcua_settings import OpcUaSettings
from twin.errors import ConfigError
from twin.settings import Document, Key


class FileReport(NamedTuple):
    """Lines for people, each with file, line and key."""

    problems: list[str]
    warnings: list[str]


def check_files(path: Path, settings: AgentSettings) -> FileReport:
    """Look at every certificate, key and trust folder that the configuration at `path` names."""
    document, report = Document(path), FileReport([], [])
    for index, source in enumerate(settings.sources):
        if isinstance(source, OpcUaSettings) and source.security.policy != "None":
            here: list[Key] = ["sources", index]
            report.problems.extend(_problem(document, here, one) for one in _broken(source))
            report.warnings.extend(_problem(document, here, one) for one in _doubtful(source))
    return report


def _problem(document: Document, here: list[Key], found: str) -> str:
    key, _, message = found.partition(": ")
    return document.problem([*here, *key.split(".")], message)


def _broken(source: OpcUaSettings) -> Iterator[str]:
    from edge.sources.opcua_own import load_own, own_place, user_place
    from edge.sources.opcua_trust import TrustFolder

    now = datetime.now(UTC)
    for place in (own_place(source), user_place(source)):
        if place is not None:
            try:
                wrong = load_own(place).certificate.ill_timed(now)
            except ConfigError as error:
                yield from error.problems
            else:
                if wrong:
                    yield f"{place.prefix}certificate: {place.certificate} {wrong}; make it anew"
    yield from _pinned(source, now)
    if source.security.trust is not None:
        for wrong in TrustFolder(source.security.trust).problems():
            yield f"security.trust: {wrong}"


def _pinned(source: OpcUaSettings, now: datetime) -> Iterator[str]:
    from edge.sources.opcua_certificate import read_certificate

    path = source.security.server_certificate
    if path is None:
        return
    try:
        wrong = read_certificate(path).ill_timed(now)
    except FileNotFoundError:
        yield f"security.server_certificate: {path} does not exist; correct the path"
    except (OSError, ValueError) as error:
        yield f"security.server_certificate: {path} cannot be used ({error}); replace it"
    else:
        if wrong and not source.security.allow_expired:
            yield f"security.server_certificate: {path} {wrong}; replace it"


def _doubtful(source: OpcUaSettings) -> Iterator[str]:
    from edge.sources.opcua_certificate import read_certificate
    from edge.sources.opcua_own import own_place, user_place
    from edge.sources.opcua_verify import WARN_DAYS

    for place in (own_place(source), user_place(source)):
        if place is None:
            continue
        try:
            open_to_others = place.private_key.stat().st_mode & 0o077
            days = read_certificate(place.certificate).days_left(datetime.now(UTC))
        except (OSError, ValueError):
            continue  # `_broken` tells of it
        if open_to_others:
            yield f"{place.prefix}private_key: {place.private_key} can be read by others; chmod 600 it"
        if 0 <= days < WARN_DAYS:
            yield f"{place.prefix}certificate: {place.certificate} expires in {days} days; make it anew in time"
    trust = source.security.trust
    if trust is not None and not trust.is_dir():
        yield f"security.trust: {trust} does not exist; no server is trusted until `twin edge trust create` has made it"
