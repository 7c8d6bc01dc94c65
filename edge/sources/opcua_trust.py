"""The trust folder: which OPC UA servers may be read. In: certificates, and what a person decides. Out: files on disk.

``trusted/`` servers that were accepted, ``issuers/`` authorities whose servers are accepted, ``crl/`` their revocation
lists, ``rejected/`` servers that nobody has accepted yet or that were turned away. A file may be DER or PEM.
"""

import os
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from cryptography import x509

from edge.sources.opcua_certificate import Certificate, read_certificate
from edge.sources.opcua_verify import Known
from twin.errors import Retryable

_MOST_REJECTED = 50  # a hostile server may show a new one each time
_ENDINGS = (".der", ".pem", ".crt", ".cer")
_LIST_ENDINGS = (".crl", *_ENDINGS)


class Shelf(StrEnum):
    """A folder of certificates; its name is the state of those that lie there."""

    TRUSTED = "trusted"
    REJECTED = "rejected"
    ISSUERS = "issuers"


class Kept(NamedTuple):
    """One certificate on disk."""

    shelf: Shelf
    path: Path
    certificate: Certificate


class TrustFolder:
    """One folder; several sources may share it, and files may be put into it by hand."""

    def __init__(self, path: Path) -> None:
        self.path: Path = path

    def make(self) -> None:
        """Make what of it is missing.

        Raises:
            OSError: it cannot be made.
        """
        for name in (*Shelf, "crl"):
            (self.path / name).mkdir(parents=True, exist_ok=True)

    def certificates(self, *shelves: Shelf) -> list[Kept]:
        """What lies in these folders, or in all of them; a file that is no certificate is passed over.

        Raises:
            Retryable: a folder cannot be read.
        """
        found: list[Kept] = []
        for shelf in shelves or tuple(Shelf):
            for path in _files(self.path / shelf, _ENDINGS):
                try:
                    found.append(Kept(shelf, path, read_certificate(path)))
                except (OSError, ValueError):
                    continue  # `problems` tells of it
        return found

    def known(self) -> Known:
        """What decides on trust.

        Raises:
            Retryable: a folder or a revocation list cannot be read.
        """
        kept = self.certificates(Shelf.TRUSTED, Shelf.ISSUERS)
        return Known(
            tuple(one.certificate for one in kept if one.shelf is Shelf.TRUSTED),
            tuple(one.certificate for one in kept if one.shelf is Shelf.ISSUERS),
            tuple(_read_list(path) for path in _files(self.path / "crl", _LIST_ENDINGS)),
        )

    def problems(self) -> Iterator[str]:
        """Files that are not what their folder is for, and folders that cannot be read."""
        for shelf in Shelf:
            yield from self._problems(self.path / shelf, _ENDINGS, read_certificate)
        yield from self._problems(self.path / "crl", _LIST_ENDINGS, _read_list)

    def _problems(self, folder: Path, endings: tuple[str, ...], read: Callable[[Path], object]) -> Iterator[str]:
        try:
            for path in _files(folder, endings):
                try:
                    read(path)
                except (OSError, ValueError) as error:
                    yield f"{path} is no certificate ({error}); replace or remove it"
                except Retryable as error:
                    yield str(error)
        except Retryable as error:
            yield str(error)

    def note(self, certificate: Certificate) -> bool:
        """Put an unknown certificate into ``rejected/``; False when it lies there already.

        Raises:
            OSError: it cannot be written.
        """
        self.make()
        kept = self.certificates(Shelf.REJECTED)
        if any(one.certificate.der == certificate.der for one in kept):
            return False
        if len(kept) >= _MOST_REJECTED:
            min(kept, key=lambda one: one.path.stat().st_mtime_ns).path.unlink(missing_ok=True)
        self._write(Shelf.REJECTED, certificate)
        return True

    def accept(self, certificate: Certificate) -> None:
        """From now on it is trusted."""
        self._move(certificate, Shelf.TRUSTED, Shelf.REJECTED)

    def reject(self, certificate: Certificate) -> None:
        """From now on it is not trusted by itself; its issuer may still vouch for it."""
        self._move(certificate, Shelf.REJECTED, Shelf.TRUSTED)

    def _move(self, certificate: Certificate, to: Shelf, away_from: Shelf) -> None:
        self.make()
        if not any(one.certificate.der == certificate.der for one in self.certificates(to)):
            self._write(to, certificate)
        for one in self.certificates(away_from):
            if one.certificate.der == certificate.der:
                one.path.unlink(missing_ok=True)

    def _write(self, shelf: Shelf, certificate: Certificate) -> None:
        path = self.path / shelf / f"{certificate.thumbprint}.der"
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(certificate.der)
        unfinished.chmod(0o644)  # no secret, and the agent may be another user than the one at the command line
        unfinished.replace(path)


def _files(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """The files of a folder that may be what it is for; none where there is no folder.

    Raises:
        Retryable: the folder cannot be read.
    """
    try:
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in endings)
    except OSError as error:
        raise Retryable(f"{folder} cannot be read ({error.strerror}); give the right to read it") from error


def _read_list(path: Path) -> x509.CertificateRevocationList:
    """Unlike a certificate, a revocation list that cannot be read must not be passed over.

    Raises:
        Retryable: it cannot be read.
    """
    try:
        content = path.read_bytes()
        if b"-----BEGIN" in content:
            return x509.load_pem_x509_crl(content)
        return x509.load_der_x509_crl(content)
    except (OSError, ValueError) as error:
        raise Retryable(f"{path} is no revocation list ({error}); replace or remove it") from error
