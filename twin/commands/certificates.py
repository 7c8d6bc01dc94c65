"""`twin edge trust …`: the certificates of an agent's OPC UA sources. In: its settings. Out: lines for people, or JSON.

Works on the disk only; a running agent sees what changed within seconds.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from edge.config import AgentSettings, load_agent
from edge.sources.opcua_certificate import Certificate, read_certificate
from edge.sources.opcua_own import Place, load_own, make_own, own_hosts, own_place
from edge.sources.opcua_settings import OpcUaSettings
from edge.sources.opcua_trust import Kept, Shelf, TrustFolder
from twin.errors import ConfigError

_SHORT = 16  # digits of a thumbprint in a table
_FEWEST = 4  # digits that a person must give
_ACCEPT_AT_SERVER = """\
The server must accept this certificate, too. Compare the thumbprint before you do.
  Siemens S7-1500  TIA Portal: import the file in the certificate manager, then add it in the CPU's properties under
                   OPC UA > Server > Security > Secure channel > Trusted clients, and download to the CPU.
  Ignition         Gateway page: Config > OPC UA > Security > Server: Trust the quarantined certificate.
  Kepware          OPC UA Configuration Manager > Trusted Clients: Import the file, or Trust the one with a cross.
  node-opcua       move it from rejected/ to trusted/certs/ in the folder of the server's certificate manager.
  any other        let the agent connect once; then trust the certificate in the server's list of rejected clients,
                   or copy the file into its folder of trusted clients (often pki/trusted/certs; most want .der)."""


def list_certificates(config: Path, *, as_json: bool) -> Iterator[str]:
    """Every certificate of every trust folder."""
    now = datetime.now(UTC)
    for folder in _folders(load_agent(config)):
        kept = folder.certificates()
        if as_json:
            for one in kept:
                yield json.dumps({"state": one.shelf, "file": str(one.path), **one.certificate.facts(now)})
            continue
        yield f"{folder.path}: {len(kept)} certificate{'' if len(kept) == 1 else 's'}"
        if kept:
            yield from _table(kept, now)
        yield from folder.problems()


def accept(config: Path, thumbprint: str) -> str:
    """Trust a server from now on.

    Raises:
        ConfigError: there is not exactly one certificate with such a thumbprint, or the folder cannot be written.
    """
    certificate = _decide(config, thumbprint, TrustFolder.accept)
    wrong = certificate.ill_timed(datetime.now(UTC))
    note = f"; it {wrong}, so the server is refused all the same" if wrong else ""
    return f"{certificate.thumbprint} is trusted ({certificate.subject}){note}"


def reject(config: Path, thumbprint: str) -> str:
    """Do not trust a server any more.

    Raises:
        ConfigError: there is not exactly one certificate with such a thumbprint, or the folder cannot be written.
    """
    certificate = _decide(config, thumbprint, TrustFolder.reject)
    return f"{certificate.thumbprint} is not trusted ({certificate.subject})"


def _decide(config: Path, thumbprint: str, decision: Callable[[TrustFolder, Certificate], None]) -> Certificate:
    found = _find(config, thumbprint)
    for folder, certificate in found:
        try:
            decision(folder, certificate)
        except OSError as error:
            raise ConfigError(
                f"{folder.path} cannot be written ({error.strerror}); run this as the agent's user"
            ) from error
    return found[0][1]


def show_own(config: Path) -> Iterator[str]:
    """Our certificates, and where to accept them on the common servers."""
    now = datetime.now(UTC)
    for names, place in _own_places(load_agent(config)):
        certificate = load_own(place).certificate
        yield f"certificate of {names}"
        yield f"  file         {place.certificate}"
        yield f"  thumbprint   {_spaced(certificate.thumbprint)}"
        yield f"  SHA-256      {certificate.sha256}"
        yield f"  application  {certificate.application_uri}"
        yield f"  hosts        {', '.join(certificate.host_names)}"
        yield f"  valid until  {certificate.valid_until:%Y-%m-%d}, {certificate.days_left(now)} days left"
        yield ""
    yield _ACCEPT_AT_SERVER


def create_own(config: Path, hosts: Sequence[str], days: int) -> Iterator[str]:
    """Make our certificates, keys and trust folders where they are missing; nothing is overwritten.

    Raises:
        ConfigError: a file is there without its other half, or a folder cannot be written.
    """
    settings = load_agent(config)
    for _, place in _own_places(settings):
        if place.certificate.exists() and place.private_key.exists():
            made, word = read_certificate(place.certificate), "is there already"
        else:
            made = make_own(place, settings.node, [*own_hosts(), *hosts], datetime.now(UTC), days)
            word = f"made; its key is {place.private_key}"
        yield f"{place.certificate}: {word}, thumbprint {_spaced(made.thumbprint)}, until {made.valid_until:%Y-%m-%d}"
    for folder in _folders(settings, needed=False):
        try:
            folder.make()
        except OSError as error:
            raise ConfigError(
                f"{folder.path} cannot be made ({error.strerror}); check the path and its rights"
            ) from error
        yield f"{folder.path}: trust folder"


def _opcua(settings: AgentSettings) -> list[OpcUaSettings]:
    return [source for source in settings.sources if isinstance(source, OpcUaSettings)]


def _folders(settings: AgentSettings, *, needed: bool = True) -> list[TrustFolder]:
    paths = dict.fromkeys(source.security.trust for source in _opcua(settings) if source.security.trust is not None)
    if needed and not paths:
        raise ConfigError("no OPC UA source has a trust folder; name one under security: trust: <folder>")
    return [TrustFolder(path) for path in paths]


def _own_places(settings: AgentSettings) -> list[tuple[str, Place]]:
    """Every certificate of ours once, with the names of the sources that use it."""
    found: dict[Path, tuple[list[str], Place]] = {}
    for source in _opcua(settings):
        place = own_place(source)
        if place is not None:
            found.setdefault(place.certificate, ([], place))[0].append(source.name)
    if not found:
        raise ConfigError("no OPC UA source names our certificate; give certificate and private_key under security")
    return [(", ".join(names), place) for names, place in found.values()]


def _find(config: Path, thumbprint: str) -> list[tuple[TrustFolder, Certificate]]:
    """The one certificate that is meant, in every folder that has it."""
    wanted = re.sub(r"[\s:]", "", thumbprint).lower()
    if len(wanted) < _FEWEST or not re.fullmatch("[0-9a-f]+", wanted):
        raise ConfigError(f"{thumbprint!r} is no thumbprint; give its first {_FEWEST} or more hexadecimal digits")
    found = [
        (folder, kept.certificate)
        for folder in _folders(load_agent(config))
        for kept in folder.certificates(Shelf.TRUSTED, Shelf.REJECTED)
        if kept.certificate.thumbprint.startswith(wanted)
    ]
    return the_only(found, thumbprint, config)


def the_only(
    found: list[tuple[TrustFolder, Certificate]], thumbprint: str, config: Path
) -> list[tuple[TrustFolder, Certificate]]:
    """What was found, if it is one certificate, in however many folders.

    Raises:
        ConfigError: it is none, or more than one.
    """
    distinct = sorted({certificate.thumbprint for _, certificate in found})
    if not found:
        raise ConfigError(
            f"no server with the thumbprint {thumbprint} was seen; see `twin edge trust list -c {config}`"
        )
    if len(distinct) > 1:
        raise ConfigError(f"{thumbprint} fits {', '.join(distinct)}; give more digits")
    return found


def _table(kept: Sequence[Kept], now: datetime) -> Iterator[str]:
    head = ("STATE", "THUMBPRINT", "VALID UNTIL", "DAYS", "APPLICATION", "HOSTS", "SUBJECT")
    rows = [head, *(_row(one, now) for one in kept)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(kept: Kept, now: datetime) -> tuple[str, ...]:
    one = kept.certificate
    state = (
        f"{kept.shelf}, {'expired' if one.valid_until < now else 'not yet valid'}" if one.ill_timed(now) else kept.shelf
    )
    return (
        str(state),
        one.thumbprint[:_SHORT],
        f"{one.valid_until:%Y-%m-%d}",
        str(one.days_left(now)),
        one.application_uri or "-",
        ",".join(one.host_names) or "-",
        one.subject,
    )


def _spaced(thumbprint: str) -> str:
    return " ".join(thumbprint[place : place + 4].upper() for place in range(0, len(thumbprint), 4))
