"""An OPC UA application's certificate as people compare it. In: DER or PEM. Out: thumbprint, names, validity.

A certificate may come from a hostile server: whatever it says of itself is shortened and printable here.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

_LONGEST_TEXT = 200
_LONGEST_CHAIN = 10
_DAY = timedelta(days=1)


class Certificate:
    """One X.509 certificate; names that cannot be read, as old devices have some, are none."""

    def __init__(self, parsed: x509.Certificate) -> None:
        self.parsed: x509.Certificate = parsed
        self.der: bytes = parsed.public_bytes(Encoding.DER)
        # SHA-1 is what every OPC UA tool shows; certificates are compared by all their bytes.
        self.thumbprint: str = hashlib.sha1(self.der, usedforsecurity=False).hexdigest()
        self.sha256: str = hashlib.sha256(self.der).hexdigest()
        self.subject: str = _printable(parsed.subject.rfc4514_string())
        self.valid_from: datetime = parsed.not_valid_before_utc
        self.valid_until: datetime = parsed.not_valid_after_utc
        names = _names(parsed)
        uris = [] if names is None else names.get_values_for_type(x509.UniformResourceIdentifier)
        dns = [] if names is None else names.get_values_for_type(x509.DNSName)
        addresses = [] if names is None else names.get_values_for_type(x509.IPAddress)
        self.application_uri: str = _printable(uris[0]) if uris else ""
        self.host_names: tuple[str, ...] = tuple(_printable(str(name)) for name in [*dns, *addresses])

    def days_left(self, now: datetime) -> int:
        """Whole days until it expires; negative when it has."""
        return (self.valid_until - now) // _DAY

    def ill_timed(self, now: datetime) -> str:
        """Why it does not hold now; empty when it does."""
        if now > self.valid_until:
            return f"expired on {self.valid_until:%Y-%m-%d}"
        if now < self.valid_from:
            return f"is not valid before {self.valid_from:%Y-%m-%d %H:%M} UTC"
        return ""

    def facts(self, now: datetime) -> dict[str, object]:
        """JSON-able, for the health report and `twin edge trust list --json`."""
        return {
            "thumbprint": self.thumbprint,
            "sha256": self.sha256,
            "subject": self.subject,
            "application_uri": self.application_uri,
            "host_names": list(self.host_names),
            "valid_from": _instant(self.valid_from),
            "valid_until": _instant(self.valid_until),
            "days_left": self.days_left(now),
        }


def parse_der(der: bytes) -> Certificate:
    """One certificate from its bytes.

    Raises:
        ValueError: it cannot be read.
    """
    return Certificate(x509.load_der_x509_certificate(der))


def read_certificate(path: Path) -> Certificate:
    """The first certificate of a file, DER or PEM, whatever its name ends with.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no certificate.
    """
    content = path.read_bytes()
    if b"-----BEGIN" in content:
        content = x509.load_pem_x509_certificate(content).public_bytes(Encoding.DER)
    return parse_der(content)


def split_chain(blob: bytes) -> list[Certificate]:
    """What a server shows: its certificate, then perhaps those of its issuers, all in one string of bytes.

    Raises:
        ValueError: it cannot be read.
    """
    chain: list[Certificate] = []
    while blob:
        if len(chain) == _LONGEST_CHAIN:
            raise ValueError(f"more than {_LONGEST_CHAIN} certificates in a chain")
        length = (
            int.from_bytes(blob[2:4], "big") + 4
        )  # a sequence with a length of two bytes: no certificate is shorter
        chain.append(parse_der(blob[:length]))
        blob = blob[length:]
    return chain


def utc(now_ns: int) -> datetime:
    """Nanoseconds since 1970 as an aware instant."""
    return datetime.fromtimestamp(now_ns / 1e9, UTC)


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _names(parsed: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return None


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "�" for sign in text[:_LONGEST_TEXT])
