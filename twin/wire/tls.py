"""TLS to the broker: the files, and what is wrong when it fails. In: settings, errors of ssl. Out: sentences."""

import select
import ssl
from pathlib import Path
from typing import Self

from pydantic import model_validator

from twin.errors import Retryable
from twin.settings import Settings

_REFUSAL_S = 0.5  # a broker that takes us sends session tickets within a round trip; one that does not, an alert


class TidySocket(ssl.SSLSocket):
    """Closes itself when the handshake fails, since then nobody else knows it; remembers what went wrong later.

    With TLS 1.3 a broker refuses our certificate only after the handshake. What it says is lost when we speak first and
    its system resets the connection, and paho swallows the rest; so we listen for a moment.
    """

    trouble: OSError | None = None

    def do_handshake(self, block: bool = False) -> None:
        """As the base does, but tidy; and a refusal right after it counts as one of its own."""
        try:
            super().do_handshake(block)
            if self.version() == "TLSv1.3":
                self._listen()
        except BaseException:
            self.close()
            raise

    def _listen(self) -> None:
        poll = select.poll()
        poll.register(self, select.POLLIN)
        if not poll.poll(_REFUSAL_S * 1000):
            return
        timeout_s = self.gettimeout()
        self.settimeout(0)
        try:
            super().recv(1)  # an MQTT broker never speaks first: this takes tickets and alerts only
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        finally:
            self.settimeout(timeout_s)

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """As the base does, but remember an alert."""
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.trouble = error
            raise


class TlsSettings(Settings):
    """TLS to the broker; without `ca` the system's certificates decide."""

    ca: Path | None = None
    certificate: Path | None = None  # ours, where the broker wants one
    key: Path | None = None  # default: it is in the file of the certificate

    @model_validator(mode="after")
    def _a_key_belongs_to_a_certificate(self) -> Self:
        if self.key is not None and self.certificate is None:
            raise ValueError("a key is of no use without its certificate; give certificate, too")
        return self

    def context(self) -> ssl.SSLContext:
        """The files, read; Retryable when they cannot be, since they may be renewed at any time."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            raise Retryable(f"tls.ca: {_unreadable(error, self.ca)}") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sslsocket_class = TidySocket
        if self.certificate is not None:
            self._load(self.certificate, context)
        return context

    def _load(self, certificate: Path, context: ssl.SSLContext) -> None:
        asked: list[bool] = []

        def no_pass_phrase() -> bytes:
            asked.append(True)  # without this the library would ask for it at the terminal, and wait
            return b""

        try:
            context.load_cert_chain(certificate, self.key, password=no_pass_phrase)
        except OSError as error:
            if asked:
                phrase = "has a pass phrase; store the key without one, for the agent only"
                raise Retryable(f"tls.certificate: {self.key or certificate} {phrase}") from error
            raise Retryable(f"tls.certificate: {self._mismatch(error)}") from error

    def _mismatch(self, error: OSError) -> str:
        reason = _reason(error)
        if "MISMATCH" in reason:
            return f"{self.key or self.certificate} is not the key of {self.certificate}; give the one it was made with"
        if isinstance(error, FileNotFoundError | PermissionError):
            missing = next((path for path in (self.certificate, self.key) if path and not _can_be_read(path)), None)
            return _unreadable(error, missing)
        where = f"{self.certificate} and {self.key}" if self.key else f"{self.certificate}"
        return f"{where} must hold a certificate and its key as PEM: {error}"


def explain(error: OSError, host: str, tls: TlsSettings | None) -> str | None:
    """What is wrong and what to do, None when it is nothing of TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrust(error, host, tls)
    if isinstance(error, ssl.SSLError):
        return _refusal(_reason(error), tls)
    return None


def _distrust(error: ssl.SSLCertVerificationError, host: str, tls: TlsSettings | None) -> str:
    message = error.verify_message
    authority = tls.ca if tls and tls.ca else "the system's authorities"
    if "expired" in message:
        return "the broker's certificate has expired; renew it at the broker (or set this machine's clock)"
    if "not yet valid" in message:
        return "the broker's certificate is not valid yet; check the clocks of the broker and of this machine"
    if "mismatch" in message:
        return f"the broker's certificate is not for {host!r}; connect by a name in it, or have it made for this one"
    if "revoked" in message:
        return "the broker's certificate has been revoked; renew it at the broker"
    return f"the broker's certificate is not signed by {authority} ({message}); give who signed it as tls.ca"


def _refusal(reason: str, tls: TlsSettings | None) -> str:
    ours = tls.certificate if tls else None
    if "WRONG_VERSION_NUMBER" in reason or "RECORD_LAYER_FAILURE" in reason:
        return "the broker does not speak TLS on this port; use its TLS port (8883 as a rule), or remove tls"
    if "ALERT" not in reason:
        return f"TLS fails: {reason}"
    if ours is None:
        return f"the broker wants a client certificate; give tls.certificate and tls.key ({reason})"
    if "EXPIRED" in reason:
        return f"the broker says that our certificate {ours} has expired; renew it"
    if "UNKNOWN_CA" in reason:
        return (
            f"the broker does not know who signed our certificate {ours}; add the authority there, or get another one"
        )
    if "REVOKED" in reason:
        return f"the broker says that our certificate {ours} has been revoked; get a new one"
    return f"the broker refuses our certificate {ours} ({reason}); is it for clients, valid, and known to the broker?"


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", "") or error)


def _unreadable(error: OSError, path: Path | None) -> str:
    if isinstance(error, FileNotFoundError | PermissionError):
        return f"{path} cannot be read ({error.strerror}); check the path and its permissions"
    return f"{path} holds no certificate; it must be a PEM file"


def _can_be_read(path: Path) -> bool:
    try:
        path.open("rb").close()
    except OSError:
        return False
    return True
