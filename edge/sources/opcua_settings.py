"""What the configuration says of one OPC UA server. In: a mapping from YAML. Out: a frozen `OpcUaSettings`.

No asyncua here: `twin edge check` must not pay for it.
"""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from edge.priority import Word
from edge.thin_settings import Thin
from twin.settings import Settings

_NODE = re.compile(r"(?:nsu=(?P<uri>[^;]+);|ns=(?P<index>\d{1,5});)?(?P<identifier>[isgb]=.+)", re.DOTALL)
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

Hidden = Annotated[str | None, Field(repr=False)]
DEPRECATED = ("Basic256", "Basic128Rsa15")
_PERMISSIONS = {
    "allow_deprecated": "speaks nothing better",
    "allow_expired": "keeps its expired certificate",
    "allow_plain_password": "may get the password in plain text",
}


def split_node(text: str) -> tuple[str | None, int, str]:
    """``nsu=<uri>;s=…`` or ``ns=2;s=…`` → (namespace URI or None, namespace index, ``s=…``).

    Raises:
        ValueError: when it is neither.
    """
    match = _NODE.fullmatch(text)
    if match is None or not _identifier_is_sound(match["identifier"]):
        raise ValueError("must be a node id: nsu=<namespace uri>;s=<name> (or i=, g=, b=), or ns=<index>;s=<name>")
    return match["uri"], int(match["index"] or 0), match["identifier"]


def _identifier_is_sound(identifier: str) -> bool:
    kind, value = identifier[0], identifier[2:]
    if kind == "i":
        return value.isascii() and value.isdecimal() and int(value) < 2**32
    return kind != "g" or _GUID.fullmatch(value) is not None


def permission(key: str, url: str) -> str:
    """What must stand in the file, key and value, to permit a weakness of one server."""
    return f'{key}: "{url} {_PERMISSIONS[key]}"'


def _node(text: str) -> str:
    split_node(text)
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "opc.tcp" or not parts.hostname:
        raise ValueError("must be opc.tcp://<host>:<port>/<path>")
    if parts.username or parts.password:
        raise ValueError("must not hold credentials; use the keys username and password")
    return text


class OpcUaSecurity(Settings):
    """The secure channel: policy, mode, our certificate, and which of the server's are accepted."""

    policy: Literal[
        "None", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss", "Basic256", "Basic128Rsa15"
    ] = "None"
    mode: Literal["None", "Sign", "SignAndEncrypt"] = "None"
    certificate: Path | None = None  # ours, .pem or .der; its URI is the application URI
    private_key: Path | None = None
    private_key_password: Hidden = None
    server_certificate: Path | None = None  # the only one that is accepted
    trust: Path | None = None  # folder of the accepted ones, see `twin edge trust`; for who is not pinned
    trust_any_server: bool = False  # explicit: take whatever certificate the server shows
    allow_deprecated: str = ""  # these three: the sentence of `permission`, for one server
    allow_expired: str = ""
    allow_plain_password: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.policy == "None") != (self.mode == "None"):
            raise ValueError("policy and mode must both be None or both be set")
        if self.policy == "None":
            return self
        if self.certificate is None or self.private_key is None:
            raise ValueError(f"policy {self.policy} needs certificate and private_key")
        chosen = self.server_certificate is not None or self.trust is not None
        if chosen == self.trust_any_server:
            raise ValueError("give trust or server_certificate, or (not with them) say trust_any_server: true")
        return self


class OpcUaItem(Settings):
    """One node that is monitored, and the signal that it feeds."""

    node: Annotated[str, AfterValidator(_node)]
    signal: str  # path of the signal
    kind: Literal["measurement", "counter", "state", "text"] = "measurement"
    unit: str = ""
    sampling_ms: Annotated[float, Field(ge=0, le=86_400_000)] | None = None
    queue: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    deadband: Annotated[float, Field(gt=0)] | None = None  # absolute, in the node's unit, applied by the server
    priority: Word = "normal"  # when the spool is full, low goes before normal and normal before high
    thin: Thin | None = None  # what of it the edge leaves out
    events: bool = False  # the node's events and alarms, as texts, instead of its value
    least_severity: Annotated[int, Field(ge=0, le=1000)] = 0  # of an event that is kept

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.events and (self.kind != "text" or self.deadband is not None or self.sampling_ms is not None):
            raise ValueError("events are texts without deadband and sampling; say kind: text")
        if self.thin is not None:
            self.thin.refuse(self.kind)
        return self


class OpcUaSettings(Settings):
    """One OPC UA server and the nodes that are read from it."""

    kind: Literal["opcua"]
    name: Annotated[str, Field(pattern=r"[a-z0-9][a-z0-9-]{0,62}")]
    url: Annotated[str, AfterValidator(_url)]
    redundant_urls: tuple[Annotated[str, AfterValidator(_url)], ...] = ()  # servers with the same nodes
    redundancy: Literal["failover", "hot"] = "failover"  # one of them is read at a time, or all of them at once
    security: OpcUaSecurity = OpcUaSecurity()
    username: str | None = None
    password: Hidden = None
    user_certificate: Path | None = None  # instead of a user name
    user_private_key: Path | None = None
    user_private_key_password: Hidden = None
    publishing_interval_ms: Annotated[float, Field(ge=10, le=60_000)] = 500.0
    sampling_interval_ms: Annotated[float, Field(ge=0, le=86_400_000)] = 100.0
    queue_size: Annotated[int, Field(ge=1, le=1_000_000)] = (
        100  # values that the server holds per node while we are away
    )
    trigger: Literal["timestamp", "value"] = "timestamp"  # report a repeated value with a new source time, or not
    publishes_in_flight: Annotated[int, Field(ge=1, le=10)] = 3
    keep_alive_count: Annotated[int, Field(ge=1, le=1000)] = 10  # publishing intervals without data until a keep-alive
    lifetime_count: Annotated[int, Field(ge=30, le=1_000_000)] = (
        600  # publishing intervals that a subscription outlives us
    )
    missed_keep_alives: Annotated[int, Field(ge=1, le=20)] = 2  # this many in silence, and the link counts as dead
    session_timeout_s: Annotated[float, Field(ge=10, le=86_400)] = 300.0
    request_timeout_s: Annotated[float, Field(ge=1, le=120)] = 10.0
    max_message_bytes: Annotated[int, Field(ge=1 << 20, le=1 << 30)] = 64 << 20  # a server that sends more is left
    profile: str | None = None  # of the server's make, where it does not say it itself: siemens-s7-1200, …
    tolerated_outage_s: Annotated[float, Field(ge=0)] = 5.0  # a node that loses values sooner is warned of
    clock: Literal["correct", "report"] = "correct"  # of the server, when it is off
    clock_tolerance_s: Annotated[float, Field(ge=0.1, le=86_400)] = 2.0
    history: Literal["auto", "off"] = "auto"  # fill gaps from the server's own history, where it keeps one
    history_values_per_s: Annotated[float, Field(ge=1, le=1_000_000)] = 5_000.0  # that are asked of it at most
    history_delay_s: Annotated[float, Field(ge=0, le=3600)] = 5.0  # after a gap, until the server has written its end
    retry_items_s: Annotated[float, Field(ge=1, le=86_400)] = 60.0  # how often refused nodes are tried again
    items: Annotated[tuple[OpcUaItem, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.lifetime_count < 3 * self.keep_alive_count:
            raise ValueError("lifetime_count must be at least three times keep_alive_count")
        if self.redundancy == "hot" and not self.redundant_urls:
            raise ValueError("redundancy: hot needs redundant_urls, the servers that are read beside url")
        if self.password is not None and self.username is None:
            raise ValueError("password needs username")
        _check_user(self)
        _check_permissions(self)
        seen: set[str] = set()
        for item in self.items:
            if item.signal in seen:
                raise ValueError(f"signal {item.signal} is fed by two items; remove one of them")
            seen.add(item.signal)
        return self


def _check_user(settings: OpcUaSettings) -> None:
    if (settings.user_certificate is None) != (settings.user_private_key is None):
        raise ValueError("user_certificate and user_private_key need each other")
    if settings.user_certificate is None:
        return
    if settings.username is not None:
        raise ValueError("give username or user_certificate, not both")
    if settings.security.policy == "None":
        raise ValueError("user_certificate needs a security policy other than None")


def _check_permissions(settings: OpcUaSettings) -> None:
    security, url = settings.security, settings.url
    for key in _PERMISSIONS:
        said, right = getattr(security, key), permission(key, url)
        if said and f'{key}: "{said}"' != right:
            raise ValueError(f"security: {key} permits nothing in these words; write {right}")
    if security.policy in DEPRECATED and not security.allow_deprecated:
        better = "Basic256Sha256, Aes128Sha256RsaOaep or Aes256Sha256RsaPss"
        raise ValueError(
            f"security: policy {security.policy} is deprecated; use {better}, "
            f"or where there is none say {permission('allow_deprecated', url)}"
        )
    if settings.password is not None and security.policy == "None" and not security.allow_plain_password:
        raise ValueError(
            "a password with policy None can be read on the network; choose a policy, "
            f"or say under security {permission('allow_plain_password', url)}"
        )
