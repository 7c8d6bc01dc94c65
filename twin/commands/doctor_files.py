"""`twin doctor`, this machine: certificates, machine code, spools of local agents. In: settings. Out: checks."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from edge.config import load_agent
from edge.sources.opcua_certificate import read_certificate
from twin.commands.diagnosis import Check, days_left, ok, problem, skipped, warning
from twin.commands.reading_words import duration_words, size_words
from twin.commands.settings import TwinSettings
from twin.commands.spool_status import Status, spool_status
from twin.errors import ConfigError, Retryable

FULL_PERCENT = 80.0
LITTLE_FREE_BYTES = 1_000_000_000
_LOOK_S = 0.5


def check_certificates(settings: TwinSettings) -> Iterator[Check]:
    """Those that the settings name as files."""
    api, broker, opcua = settings.api.tls, settings.broker.tls, settings.opcua
    files = {
        "certificate of the api": api and api.certificate,
        "authority of the broker": broker and broker.ca,
        "certificate for the broker": broker and broker.certificate,
        "certificate of twin opcua": opcua.certificate,
    }
    for part, path in files.items():
        if path is not None:
            yield _certificate(part, path)


def _certificate(part: str, path: Path) -> Check:
    try:
        certificate = read_certificate(path)
    except (OSError, ValueError) as error:
        return problem(part, f"{path} cannot be read: {error}", "correct the path or the file")
    return days_left(part, (certificate.valid_until - datetime.now(UTC)).total_seconds() / 86_400)


def check_machine_code() -> Check:
    """Whether `twin prepare` was here."""
    from twin.kernels import compiled  # brings numba, which decides where it is kept

    folder = str(cast("Any", compiled.config).CACHE_DIR or "")
    functions = sum(1 for _ in Path(folder).rglob("*.nbi")) if folder else 0
    if not folder:
        do = "give this user a writable home, or set XDG_CACHE_HOME or NUMBA_CACHE_DIR"
        return warning("machine code", "cannot be kept: each start of twin run compiles for a minute or more", do)
    if not functions:
        do = "twin prepare, as the user of twin run; else its first start takes that time"
        return warning("machine code", f"{folder}: none is made for this release yet", do)
    return ok("machine code", f"{functions} functions in {folder}")


def check_spools(folder: Path) -> Iterator[Check]:
    """Of each edge-*.yaml beside the settings whose spool is on this machine."""
    for path in sorted(folder.glob("edge-*.yaml")):
        part = f"spool {path.stem}"
        try:
            yield _spool(part, path)
        except ConfigError as error:
            yield skipped(part, error.problems[0], f"correct {path}, or ask where its agent runs")
        except Retryable as error:
            yield warning(part, str(error), "try again")


def _spool(part: str, path: Path) -> Check:
    settings = load_agent(path)
    if not settings.spool.path.exists():
        said = f"{settings.spool.path} is not on this machine"
        return skipped(part, said, f"ask there: twin edge status --config {path.name}")
    return _of_status(part, spool_status(path, _LOOK_S))


def _of_status(part: str, found: Status) -> Check:
    waits = max((found.at_ns - one.oldest_ns for one in (found.live, found.history) if one.oldest_ns), default=0) / 1e9
    said = f"{found.fill_percent:g} % full, {found.live.batches + found.history.batches} batches wait"
    if waits > 0:
        said += f", the oldest for {duration_words(waits)}"
    if found.dropping:
        do = "bring the broker and twin run back; raise spool.max_bytes if the disk allows it"
        return problem(part, f"{said}; the oldest values are being lost", do)
    if found.agent_runs is False:
        return problem(part, f"{said}; its agent does not run", "start it: twin edge run --config …")
    if found.fill_percent > FULL_PERCENT:
        return warning(part, said, "see why it does not empty: broker, twin run, twin edge status")
    if found.disk_free_bytes < LITTLE_FREE_BYTES:
        return warning(part, f"{said}; {size_words(found.disk_free_bytes)} free on the disk", "make room on the disk")
    return ok(part, said)
