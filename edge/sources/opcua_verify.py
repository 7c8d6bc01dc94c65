"""Whether a server is trusted. In: the certificates that it shows, the trust folder's, the time. Out: a verdict.

Pure. asyncua's own validator is not used: it runs only when a session is made, not when one is taken up again, cannot
do without a trusted certificate, checks revocation by the serial number alone, and knows nothing of host names.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address

from cryptography import x509
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge.sources.opcua_certificate import Certificate

WARN_DAYS = 30


@dataclass(frozen=True, slots=True)
class Known:
    """What the trust folder holds."""

    trusted: tuple[Certificate, ...] = ()
    issuers: tuple[Certificate, ...] = ()
    revocations: tuple[x509.CertificateRevocationList, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`refusal` is what is wrong with "the server's certificate …", empty when it is accepted."""

    refusal: str = ""
    unknown: bool = False  # nobody has said yet whether it is trusted
    warnings: tuple[str, ...] = field(default=())


def judge(shown: Sequence[Certificate], known: Known, now: datetime, *, allow_expired: bool) -> Verdict:
    """Trust in the first of the certificates that a server shows."""
    leaf = shown[0]
    by_hand = any(leaf.der == one.der for one in known.trusted)
    if not by_hand and not _issued(shown, known.issuers, now):
        return Verdict("is not trusted", unknown=True)
    if _revoked(shown, known.revocations):
        return Verdict("was revoked by its issuer")
    wrong = leaf.ill_timed(now)
    if wrong and not allow_expired:
        return Verdict(wrong)
    return Verdict(warnings=tuple(_stale(known.revocations, now)))


def names_wrong(leaf: Certificate, host: str, application_uri: str) -> list[str]:
    """Warnings about names that do not fit, each a clause of "the server's certificate …"."""
    found: list[str] = []
    if not any(_same_host(host, name) for name in leaf.host_names):
        found.append(f"is made for {', '.join(leaf.host_names[:5]) or 'no host'}, not for {host}")
    if application_uri and application_uri != leaf.application_uri:
        found.append(f"names the application {leaf.application_uri or 'not at all'}, the server says {application_uri}")
    return found


def expiry(owner: str, certificate: Certificate, now: datetime) -> str:
    """A warning when a certificate has less than 30 days left, or none at all; else empty."""
    wrong, days = certificate.ill_timed(now), certificate.days_left(now)
    if wrong:
        return f"{owner} {wrong}"
    if days < WARN_DAYS:
        return f"{owner} expires in {days} day{'' if days == 1 else 's'}, on {certificate.valid_until:%Y-%m-%d}"
    return ""


def _same_host(host: str, name: str) -> bool:
    try:
        return ip_address(host) == ip_address(name)
    except ValueError:
        return host.rstrip(".").lower() == name.rstrip(".").lower()


def _issued(shown: Sequence[Certificate], issuers: Sequence[Certificate], now: datetime) -> bool:
    """Whether a chain leads from the first certificate to one of the issuers."""
    if not issuers:
        return False
    leaf = shown[0]
    at = min(max(now, leaf.valid_from), leaf.valid_until)  # that it has expired is told apart from that it is unknown
    authority = (
        verification.ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, verification.Criticality.AGNOSTIC, _is_authority)
        .may_be_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, _signs_certificates)
    )
    server = verification.ExtensionPolicy.permit_all().may_be_present(
        x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, _serves
    )
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store([one.parsed for one in issuers]))
        .time(at)
        .extension_policies(ca_policy=authority, ee_policy=server)
        .build_client_verifier()
    )
    try:
        verifier.verify(leaf.parsed, [one.parsed for one in shown[1:]])
    except (verification.VerificationError, ValueError):
        return False
    return True


def _is_authority(_policy: object, _certificate: object, extension: x509.BasicConstraints) -> None:
    if not extension.ca:
        raise ValueError("not an authority")


def _signs_certificates(_policy: object, _certificate: object, extension: x509.KeyUsage | None) -> None:
    if extension is not None and not extension.key_cert_sign:
        raise ValueError("must not sign certificates")


def _serves(_policy: object, _certificate: object, extension: x509.ExtendedKeyUsage | None) -> None:
    if extension is not None and ExtendedKeyUsageOID.SERVER_AUTH not in extension:
        raise ValueError("not a server's")


def _revoked(shown: Sequence[Certificate], revocations: Sequence[x509.CertificateRevocationList]) -> bool:
    """By issuer and serial number. Who may write into the folder may revoke: the list's signature is not asked for."""
    return any(
        one.parsed.issuer == listed.issuer
        and listed.get_revoked_certificate_by_serial_number(one.parsed.serial_number) is not None
        for one in shown
        for listed in revocations
    )


def _stale(revocations: Sequence[x509.CertificateRevocationList], now: datetime) -> list[str]:
    return [
        f"is checked against a revocation list that was due for renewal on {listed.next_update_utc:%Y-%m-%d}"
        for listed in revocations
        if listed.next_update_utc is not None and listed.next_update_utc < now
    ]
