"""Certificates for tests of TLS: an authority of our own, what it issues to servers and to clients, as PEM files."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Days = tuple[int, int]  # valid from and until, relative to now


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates and puts them into `folder`; its own is `ca`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        built = (
            self._certificate(self._name, self._key.public_key(), (-30, 30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca = folder / f"{name}.crt"
        self.ca.write_bytes(built.public_bytes(serialization.Encoding.PEM))

    def server(self, name: str, *, host: str = "localhost", days: Days = (-1, 10)) -> Issued:
        """`name`.crt and `name`.key for a server that is reached as `host`."""
        return self._issue(name, x509.DNSName(host), host, days)

    def client(self, name: str, *, days: Days = (-1, 10)) -> Issued:
        """`name`.crt and `name`.key for a client of that name; again for the same name replaces the files."""
        return self._issue(name, x509.DNSName(name), name, days)

    def _issue(self, file: str, alternative: x509.GeneralName, subject: str, days: Days) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        built = (
            self._certificate(_name(subject), key.public_key(), days)
            .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        issued = Issued(self._folder / f"{file}.crt", self._folder / f"{file}.key")
        issued.certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
        issued.key.touch(mode=0o600)
        issued.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return issued

    def _certificate(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: Days) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
