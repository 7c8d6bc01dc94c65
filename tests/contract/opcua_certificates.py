"""Certificates as sites have them: self-signed, issued, expired, for other hosts."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.sources.opcua_certificate import Certificate

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    certificate: Certificate
    key: rsa.RSAPrivateKey

    def write(self, folder: Path, name: str) -> "Files":
        """Certificate and key as files, in both forms of the certificate."""
        files = Files(folder / f"{name}.der", folder / f"{name}-key.pem", folder / f"{name}.pem", self.certificate)
        files.der.write_bytes(self.certificate.der)
        files.pem.write_bytes(self.certificate.parsed.public_bytes(Encoding.PEM))
        files.key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        files.key.chmod(0o600)
        return files


@dataclass(frozen=True)
class Files:
    der: Path
    key: Path
    pem: Path
    certificate: Certificate


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    """One per name: making them takes long."""
    assert name
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certify(
    name: str,
    issuer: Pair | None = None,
    *,
    hosts: tuple[str, ...] = ("127.0.0.1",),
    authority: bool = False,
    path_length: int | None = None,
    begins: timedelta = -DAY,
    lasts: timedelta = 365 * DAY,
    use: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
) -> Pair:
    now, own = datetime.now(UTC), key(name)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [ip_address(host) if host[0].isdigit() else host for host in hosts]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.parsed.subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + begins + lasts)
        .add_extension(x509.BasicConstraints(authority, path_length), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, content_commitment=True, key_encipherment=True, data_encipherment=True,
                key_agreement=False, key_cert_sign=authority, crl_sign=authority, encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )
    )  # fmt: skip
    if not authority:
        uri = x509.UniformResourceIdentifier(f"urn:fabriquay:{name}")
        addresses = [x509.DNSName(one) if isinstance(one, str) else x509.IPAddress(one) for one in names]
        builder = builder.add_extension(x509.SubjectAlternativeName([uri, *addresses]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    signed = builder.sign(own if issuer is None else issuer.key, hashes.SHA256())
    return Pair(Certificate(signed), own)


def revoke(issuer: Pair, *certificates: Certificate, due: timedelta = 30 * DAY) -> x509.CertificateRevocationList:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.parsed.subject)
        .last_update(now - 60 * DAY)
        .next_update(now + due)
    )
    for one in certificates:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(one.parsed.serial_number).revocation_date(now - DAY).build()
        )
    return builder.sign(issuer.key, hashes.SHA256())
