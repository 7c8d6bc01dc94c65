"""Policy, certificates and trust of an OPC UA channel. In: settings, the trust folder. Out: asyncua's client, secured.

Never a silent downgrade: what the settings name is used, or the connection fails. Whether the server is trusted is
decided before the secure channel is opened, so also before a session is taken up again, and again every few seconds.
"""

import asyncio
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from edge.sources.opcua_certificate import Certificate, read_certificate, split_chain, utc
from edge.sources.opcua_library import Opaque, ua
from edge.sources.opcua_own import Own, Place, load_own, own_place, user_place
from edge.sources.opcua_policy import POLICIES, policy_name
from edge.sources.opcua_settings import OpcUaSettings
from edge.sources.opcua_token import choose_token
from edge.sources.opcua_trust import TrustFolder
from edge.sources.opcua_verify import Verdict, expiry, judge, names_wrong
from twin.errors import ConfigError, Retryable

log = logging.getLogger(__name__)

_LOOK_S = 5.0  # until a certificate that was rejected, revoked or has expired ends the connection


class Untrusted(Retryable):
    """A certificate is not accepted; a person has to do something about it."""


class Security:
    """What one source knows of its own certificate and of its server's."""

    def __init__(self, settings: OpcUaSettings, clock: Callable[[], int]) -> None:
        self._settings: OpcUaSettings = settings
        self._clock: Callable[[], int] = clock
        self._own: Own | None = None
        self._user: Own | None = None
        self._shown: list[Certificate] = []  # the server's certificate, then its issuers'
        self._trusted: bool = False
        self._misfits: tuple[str, ...] = ()  # between the server's certificate and its address
        self._stale: tuple[str, ...] = ()  # in what decides on trust
        self._told: set[str] = set()

    async def prepare(self, client: Opaque) -> None:
        """Give the client its policy and certificates, and decide on the server's; no session exists yet.

        Raises:
            ConfigError: a certificate or key file is missing or cannot be used.
            Retryable: a certificate is not accepted, or the server does not offer what the settings name.
        """
        security = self._settings.security
        await asyncio.to_thread(self._load)
        if security.policy == "None" or self._own is None:
            return
        shown, application_uri = await self._server_shows(client)
        host = urlsplit(self._settings.url).hostname or ""
        self._misfits = tuple(names_wrong(shown[0], host, application_uri))
        await asyncio.to_thread(self._decide, shown)
        policy = POLICIES[security.policy](
            shown[0].parsed, self._own.certificate.parsed, self._own.key, ua.MessageSecurityMode[security.mode]
        )
        client.application_uri = self._own.certificate.application_uri
        if self._user is not None:
            client.user_certificate, client.user_private_key = self._user.certificate.parsed, self._user.key
        client.security_policy = policy
        client.uaclient.set_security(policy)

    def choose_token(self, client: Opaque) -> None:
        """Once the session exists: let the client use the best of the server's user tokens; see `opcua_token`."""
        client._policy_ids = choose_token(client._policy_ids, self._settings)

    @contextmanager
    def explained(self, *words: str) -> Generator[None]:
        """Say of a failure that has one of these words, or of any, that the server may not have accepted us yet.

        Servers do not: some close the connection, some answer with a message that cannot be read.
        """
        try:
            yield
        except Retryable as error:
            if self._own is None or (words and not any(word in str(error) for word in words)):
                raise
            ours = self._own.certificate.thumbprint[:16]
            raise Retryable(
                f"{error}; if the server has not accepted our certificate {ours} yet, "
                "see `twin edge trust show -c …` for where to do so"
            ) from error

    async def watch(self) -> None:
        """See for ever that the server of this connection is still trusted.

        Raises:
            Retryable: it is not any more.
        """
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._shown:
                try:
                    await asyncio.to_thread(self._decide, self._shown)
                except OSError as error:
                    raise Retryable(f"the trust folder cannot be read: {error}") from error

    def warnings(self) -> list[str]:
        """What is not in order although we are connected, each a sentence without its full stop."""
        now = utc(self._clock())
        found: list[str] = []
        for whose, own in (("our certificate", self._own), ("the user's certificate", self._user)):
            if own is not None:
                found.append(expiry(whose, own.certificate, now))
        if self._shown:
            found += [f"the server's certificate {one}" for one in (*self._misfits, *self._stale)]
            found.append(expiry("the server's certificate", self._shown[0], now))
        return [one for one in found if one]

    def facts(self) -> dict[str, object]:
        """For the health report."""
        now = utc(self._clock())
        security = self._settings.security
        return {
            "policy": security.policy,
            "mode": security.mode,
            "own_certificate": None if self._own is None else self._own.certificate.facts(now),
            "user_certificate": None if self._user is None else self._user.certificate.facts(now),
            "server_certificate": self._shown[0].facts(now) | {"accepted": self._trusted} if self._shown else None,
        }

    def days_left(self) -> int | None:
        """Of the certificate that ends first; None where there is none."""
        now = utc(self._clock())
        known = [own.certificate for own in (self._own, self._user) if own is not None] + self._shown[:1]
        return min((certificate.days_left(now) for certificate in known), default=None)

    def _load(self) -> None:
        if self._settings.security.policy == "None":
            return
        place = own_place(self._settings)
        self._own = self._loaded(place, self._own)
        self._in_time(place, self._own, "our certificate", "`twin edge trust create -c …` makes a new one")
        place = user_place(self._settings)
        self._user = self._loaded(place, self._user)
        self._in_time(place, self._user, "the user's certificate", "give a new one")

    def _loaded(self, place: Place | None, before: Own | None) -> Own | None:
        try:
            return None if place is None else load_own(place)
        except ConfigError as error:
            if before is not None:  # they were there once: they are being replaced
                raise Untrusted(error.problems[0]) from error
            raise ConfigError(f"source {self._settings.name}: {problem}" for problem in error.problems) from error

    def _in_time(self, place: Place | None, own: Own | None, whose: str, remedy: str) -> None:
        wrong = "" if own is None else own.certificate.ill_timed(utc(self._clock()))
        if wrong and place is not None:
            raise Untrusted(
                f"{whose} {place.certificate} {wrong}: move it and its key away, {remedy}, let the server accept that"
            )

    async def _server_shows(self, client: Opaque) -> tuple[list[Certificate], str]:
        """The server's certificate with its chain, and what the server calls itself: pinned, or asked for."""
        pinned = self._settings.security.server_certificate
        if pinned is not None:
            return [await asyncio.to_thread(self._pinned, pinned)], ""
        endpoint = self._endpoint(await client.connect_and_get_server_endpoints())
        shown = split_chain(bytes(endpoint.ServerCertificate or b""))
        if not shown:
            raise Retryable("the server shows no certificate")
        return shown, str(endpoint.Server.ApplicationUri or "")

    def _pinned(self, path: Path) -> Certificate:
        where = f"source {self._settings.name}: security.server_certificate: {path}"
        try:
            return read_certificate(path)
        except FileNotFoundError as error:
            raise ConfigError(f"{where} does not exist; correct the path") from error
        except (OSError, ValueError) as error:
            raise ConfigError(f"{where} cannot be used ({error}); replace it") from error

    def _endpoint(self, offered: list[Opaque]) -> Opaque:
        security = self._settings.security
        wanted = f"{security.policy} {security.mode}"
        offers = {f"{policy_name(str(one.SecurityPolicyUri))} {_mode_name(one.SecurityMode)}": one for one in offered}
        if wanted not in offers:
            raise Retryable(
                f"the server does not offer {wanted}, and nothing else is used; "
                f"it offers {', '.join(sorted(offers)) or 'nothing'}"
            )
        return offers[wanted]

    def _decide(self, shown: list[Certificate]) -> None:
        verdict = self._verdict(shown)
        self._shown, self._trusted, self._stale = shown, not verdict.refusal, verdict.warnings
        if verdict.refusal:
            raise Untrusted(self._refusal(shown[0], verdict))
        for warning in self.warnings():
            if warning not in self._told:  # days left are part of it: once a day
                self._told.add(warning)
                log.warning("source %s: %s", self._settings.name, warning)

    def _verdict(self, shown: list[Certificate]) -> Verdict:
        security, now = self._settings.security, utc(self._clock())
        if security.trust_any_server:
            return Verdict()
        if security.server_certificate is None and security.trust is not None:
            known = TrustFolder(security.trust).known()
            return judge(shown, known, now, allow_expired=bool(security.allow_expired))
        return Verdict("" if security.allow_expired else shown[0].ill_timed(now))

    def _refusal(self, leaf: Certificate, verdict: Verdict) -> str:
        """One sentence: what is wrong with the certificate, and what to do."""
        what = f"the server's certificate {leaf.thumbprint} ({leaf.subject}) {verdict.refusal}"
        folder = self._settings.security.trust
        if not verdict.unknown or folder is None:
            return f"{what}: give the server a new one, then accept that"
        wrong = leaf.ill_timed(utc(self._clock()))
        what += f" and {wrong}" if wrong else ""
        try:
            TrustFolder(folder).note(leaf)
        except OSError as error:
            return f"{what}, and cannot be kept in {folder} ({error.strerror}): give the agent the right to write there"
        return f"{what}: if it is the server's, run `twin edge trust accept {leaf.thumbprint[:16]} -c …`"


def _mode_name(mode: int) -> str:
    return str(ua.MessageSecurityMode(mode).name).rstrip("_")
