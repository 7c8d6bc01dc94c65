"""Certificates that are ours, with their private keys. In: the paths in the settings. Out: both, checked; or new ones.

A new one is self-signed, as OPC UA application certificates are on most sites, and names the application by its URI.
"""

import os
import socket
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.sources.opcua_certificate import Certificate, read_certificate
from edge.sources.opcua_settings import OpcUaSettings
from twin.errors import ConfigError

_KEY_BITS = 2048  # the one size that every policy takes


class Own(NamedTuple):
    """A certificate and the key that proves that it is ours."""

    certificate: Certificate
    key: rsa.RSAPrivateKey


class Place(NamedTuple):
    """Where the settings say that a certificate and its key lie, and how the settings call the two."""

    certificate: Path
    private_key: Path
    password: str | None
    prefix: str = "security."  # of the keys certificate and private_key


def own_place(settings: OpcUaSettings) -> Place | None:
    """Where our application's certificate and its key should lie; None without a secure channel."""
    security = settings.security
    if security.certificate is None or security.private_key is None:
        return None
    return Place(security.certificate, security.private_key, security.private_key_password)


def user_place(settings: OpcUaSettings) -> Place | None:
    """Where the certificate of the user and its key should lie; None for a user name or nobody."""
    if settings.user_certificate is None or settings.user_private_key is None:
        return None
    return Place(settings.user_certificate, settings.user_private_key, settings.user_private_key_password, "user_")


def load_own(place: Place) -> Own:
    """Read both and see that they belong together.

    Raises:
        ConfigError: a file is missing, is not what it should be, or the key is another certificate's.
    """
    named = (("certificate", place.certificate), ("private_key", place.private_key))
    missing = [
        f"{place.prefix}{name}: {path} does not exist; correct the path{_making(place)}"
        for name, path in named
        if not _is_there(path)
    ]
    if missing:
        raise ConfigError(missing)
    try:
        certificate = read_certificate(place.certificate)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{place.prefix}certificate: {place.certificate} cannot be used ({error}); make it anew"
        ) from error
    key = _read_key(place)
    if key.public_key() != certificate.parsed.public_key():
        raise ConfigError(
            f"{place.prefix}private_key: {place.private_key} is not the key of {place.certificate}; give its own"
        )
    if place.prefix == "security." and not certificate.application_uri:
        raise ConfigError(f"security.certificate: {place.certificate} names no application URI; make it anew")
    return Own(certificate, key)


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # its folder is closed to us; reading it says so
        return True


def _making(place: Place) -> str:
    return ", or make it with: twin edge trust create -c …" if place.prefix == "security." else ""


def _read_key(place: Place) -> rsa.RSAPrivateKey:
    password = None if place.password is None else place.password.encode()
    try:
        content = place.private_key.read_bytes()
        load = serialization.load_pem_private_key if b"-----BEGIN" in content else serialization.load_der_private_key
        key = load(content, password)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"{place.prefix}private_key: {place.private_key} cannot be used ({error}); check the file and its password"
        ) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ConfigError(f"{place.prefix}private_key: {place.private_key} is no RSA key, which these policies need")
    return key


def make_own(place: Place, node: str, hosts: Sequence[str], now: datetime, days: int) -> Certificate:
    """Make a new key and a self-signed certificate and write both; the key is readable by its owner only.

    Raises:
        ConfigError: one of the files exists, or cannot be written.
    """
    for path in (place.certificate, place.private_key):
        if path.exists():
            raise ConfigError(f"{path} exists without the other of the pair; move it away or bring the other back")
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    made = _self_signed(key, node, hosts, now, days)
    encryption = (
        serialization.NoEncryption()
        if place.password is None
        else serialization.BestAvailableEncryption(place.password.encode())
    )
    secret = key.private_bytes(_encoding(place.private_key), serialization.PrivateFormat.PKCS8, encryption)
    try:
        _write_new(place.private_key, secret, 0o600)
        _write_new(place.certificate, made.public_bytes(_encoding(place.certificate)), 0o644)
    except OSError as error:
        raise ConfigError(
            f"{error.filename} cannot be written ({error.strerror}); check the path and its rights"
        ) from error
    return Certificate(made)


def own_hosts() -> list[str]:
    """The names of this machine."""
    name = socket.gethostname()
    return list(dict.fromkeys((name, *(full for full in (socket.getfqdn(),) if full.startswith(f"{name}.")))))


def _self_signed(key: rsa.RSAPrivateKey, node: str, hosts: Sequence[str], now: datetime, days: int) -> x509.Certificate:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, f"Fabriquay edge agent {node}"[:64]),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Fabriquay"),
        ]
    )
    uri = x509.UniformResourceIdentifier(f"urn:{hosts[0]}:fabriquay:{node}")
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # the server's clock may be behind
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([uri, *map(_host_name, hosts)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def _host_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _encoding(path: Path) -> serialization.Encoding:
    return serialization.Encoding.DER if path.suffix.lower() == ".der" else serialization.Encoding.PEM


def _write_new(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
