"""Both ends of the broker: publishes and messages over paho, inside asyncio, and nowhere else.

In: settings, topics, payloads. Out: messages through a bounded queue (when it is full the socket is not read, nothing
is dropped), and publishes that end when the broker has acknowledged or denied them. MQTT 5 where the broker speaks
it, else 3.1.1. A connection that ends, ends for good: the caller connects again, with `twin.wire.backoff`.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from twin.errors import Retryable
from twin.settings import resolve_secret
from twin.wire.broker import BrokerSettings, Message, PublishDenied, TlsSettings
from twin.wire.mqtt_socket import PahoSocket

__all__ = ["BrokerSettings", "Client", "Message", "PublishDenied", "TlsSettings", "connect"]

MOST_INBOUND_BYTES = 64 << 20
MOST_UNACKNOWLEDGED = 256  # publishes in flight; fewer when the broker says so
CONNECT_TIMEOUT_S = 10.0
UNSUPPORTED_VERSION = 132

Answer = asyncio.Future[None]


class _UnsupportedProtocol(Retryable):
    """The broker answered, but not in this version of MQTT."""


class Client:
    """One connection. Made by `connect`; all of it runs in the event loop."""

    def __init__(self, inner: paho.Client, protocol: str, keepalive_s: int, max_inbound: int) -> None:
        self.protocol: str = protocol  # "5" or "3.1.1"
        self.session_present: bool = False
        self._inner: paho.Client = inner
        self._socket: PahoSocket = PahoSocket(inner, keepalive_s, self._end)
        self._ended: str | None = None
        self._connected: Answer = _answer()
        self._max_packet_bytes: int = 0  # 0 = the broker names no limit
        self._max_inbound: int = max_inbound
        self._inbound: deque[Message] = deque()
        self._inbound_bytes: int = 0
        self._news: asyncio.Event = asyncio.Event()
        self._allowed: int = MOST_UNACKNOWLEDGED
        self._unacknowledged: int = 0
        self._queued: deque[tuple[Message, Answer]] = deque()
        self._publishing: dict[int, tuple[Answer, int]] = {}
        self._subscribing: dict[int, Answer] = {}
        inner.on_connect = self._on_connect
        inner.on_disconnect = self._on_disconnect
        inner.on_message = self._on_message
        inner.on_publish = self._on_publish
        inner.on_subscribe = self._on_subscribe

    async def subscribe(self, topics: Sequence[tuple[str, int]], *, timeout_s: float = 10) -> None:
        """Subscribe to topics with their QoS; Retryable when refused, not answered, or disconnected."""
        self._check()
        code, packet_id = self._inner.subscribe(list(topics))
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or packet_id is None:
            raise Retryable(f"cannot subscribe: {paho.error_string(code)}")
        answer = self._subscribing[packet_id] = _answer()
        await _wait(answer, timeout_s, "answer to the subscription")

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False, timeout_s: float = 10
    ) -> None:
        """Publish and wait for the broker's acknowledgement (QoS 1) or until it is sent (QoS 0).

        Raises:
            PublishDenied: the broker refuses it (MQTT 5 only: 3.1.1 has no word for it).
            Retryable: disconnected, or no acknowledgement in time; the message may have arrived all the same.
        """
        await _wait(self.publish_nowait(topic, payload, qos=qos, retain=retain), timeout_s, "acknowledgement")

    def publish_nowait(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> Answer:
        """Publish; the future ends as `publish` does. How many are open at once is the caller's window."""
        answer = _answer()
        if self._ended is not None:
            _settle(answer, Retryable(self._ended))
        elif self._max_packet_bytes and len(payload) + 3 * len(topic) + 32 > self._max_packet_bytes:
            _settle(answer, PublishDenied(f"the broker takes no messages beyond {self._max_packet_bytes} bytes"))
        else:
            self._queued.append((Message(topic, payload, qos, retain), answer))
            self._pump()
        return answer

    async def messages(self) -> AsyncIterator[Message]:
        """Every message; when the connection has ended and all were handed out, Retryable."""
        while True:
            while self._inbound:
                yield self._take()
            self._check()
            self._news.clear()
            await self._news.wait()

    def waiting(self) -> int:
        """Messages that have arrived and were not taken yet."""
        return len(self._inbound)

    def acknowledge(self, message: Message) -> None:
        """Tell the broker that this message need not come again (only with `manual_ack`)."""
        if message.qos and self._ended is None:
            self._inner.ack(message.packet_id, message.qos)

    async def open(self, settings: BrokerSettings, *, clean_session: bool, session_expiry_s: int) -> None:
        """Dial and wait for the broker's word; `connect` does it."""
        options: dict[str, Any] = {}
        if self.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)
            properties.ReceiveMaximum = min(65535, max(1, self._max_inbound))
            if not clean_session:
                properties.SessionExpiryInterval = session_expiry_s
            options = {"clean_start": clean_session, "properties": properties}
        await self._socket.dial(settings.host, settings.port, **options)
        await _wait(self._connected, CONNECT_TIMEOUT_S, "answer to the connect")

    def close(self) -> None:
        """End the connection; never waits. `connect` does it."""
        self._socket.close()
        self._end("this client was closed")

    def _check(self) -> None:
        if self._ended is not None:
            raise Retryable(self._ended)

    def _end(self, reason: str) -> None:
        if self._ended is not None:
            return
        self._ended = reason
        self._socket.stop()
        sent, queued = [answer for answer, _ in self._publishing.values()], [answer for _, answer in self._queued]
        for answer in [self._connected, *sent, *queued, *self._subscribing.values()]:
            _settle(answer, Retryable(reason))
        self._publishing.clear()
        self._queued.clear()
        self._subscribing.clear()
        self._news.set()

    def _pump(self) -> None:
        """Hand paho what the broker's receive maximum allows; the order of publishes stays."""
        while self._queued and self._ended is None and self._unacknowledged < self._allowed:
            message, answer = self._queued.popleft()
            if answer.done():  # given up while it waited
                continue
            info = self._inner.publish(message.topic, message.payload, qos=message.qos, retain=message.retain)
            if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._publishing[info.mid] = answer, message.qos
                self._unacknowledged += message.qos > 0
            else:
                _settle(answer, Retryable(f"cannot publish: {paho.error_string(info.rc)}"))

    def _take(self) -> Message:
        message = self._inbound.popleft()
        self._inbound_bytes -= len(message.payload)
        if self._socket.paused and not self._full(of=2):
            self._socket.resume()
        return message

    def _full(self, of: int = 1) -> bool:
        return of * len(self._inbound) >= self._max_inbound or of * self._inbound_bytes >= MOST_INBOUND_BYTES

    def _on_connect(
        self, _client: paho.Client, _data: object, flags: paho.ConnectFlags, code: ReasonCode, found: Properties | None
    ) -> None:
        if code.is_failure:
            kind = _UnsupportedProtocol if code.value == UNSUPPORTED_VERSION else Retryable
            _settle(self._connected, kind(f"the broker refuses the connection: {code}"))
            return
        self.session_present = flags.session_present
        self._max_packet_bytes = getattr(found, "MaximumPacketSize", 0)
        self._allowed = min(MOST_UNACKNOWLEDGED, getattr(found, "ReceiveMaximum", MOST_UNACKNOWLEDGED))
        _settle(self._connected)

    def _on_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, code: ReasonCode, _found: object
    ) -> None:
        _settle(self._connected, _UnsupportedProtocol(f"the broker closed without an answer: {code}"))
        self._end(f"the broker disconnected: {code}")

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self._socket.progress += 1
        payload = bytes(message.payload)
        self._inbound.append(Message(message.topic, payload, message.qos, message.retain, message.mid))
        self._inbound_bytes += len(payload)
        self._news.set()
        if self._full():
            self._socket.pause()

    def _on_publish(
        self, _client: paho.Client, _data: object, packet_id: int, code: ReasonCode, _found: object
    ) -> None:
        self._socket.progress += 1
        answer, qos = self._publishing.pop(packet_id, (None, 0))
        if answer is not None:
            _settle(answer, PublishDenied(f"the broker denies the publish: {code}") if code.is_failure else None)
        if qos:
            self._unacknowledged -= 1
            asyncio.get_running_loop().call_soon(self._pump)  # not from inside paho's locks

    def _on_subscribe(
        self, _client: paho.Client, _data: object, packet_id: int, codes: list[ReasonCode], _found: object
    ) -> None:
        denied = ", ".join(str(code) for code in codes if code.is_failure)
        if packet_id in self._subscribing:
            error = Retryable(f"the broker denies a subscription: {denied}") if denied else None
            _settle(self._subscribing.pop(packet_id), error)


@asynccontextmanager
async def connect(
    settings: BrokerSettings,
    *,
    client_id: str,
    will: Message | None = None,
    clean_session: bool = True,
    session_expiry_s: int = 3600,
    max_inbound: int = 1000,
    manual_ack: bool = False,
) -> AsyncGenerator[Client]:
    """A connection for the length of the block.

    Raises:
        Retryable: unreachable, refused, or not answered.
        ConfigError: the password's variable or file is missing.
    """

    async def dial(protocol: str) -> Client:
        inner = await asyncio.to_thread(_inner, settings, protocol, client_id, clean_session, manual_ack)
        if will is not None:
            inner.will_set(will.topic, will.payload, will.qos, will.retain)
        client = Client(inner, protocol, settings.keepalive_s, max_inbound)
        try:
            await client.open(settings, clean_session=clean_session, session_expiry_s=session_expiry_s)
        except BaseException:
            client.close()
            raise
        return client

    if settings.protocol == "auto":
        try:
            client = await dial("5")
        except _UnsupportedProtocol:
            client = await dial("3.1.1")
    else:
        client = await dial(settings.protocol)
    try:
        yield client
    finally:
        client.close()


def _inner(
    settings: BrokerSettings, protocol: str, client_id: str, clean_session: bool, manual_ack: bool
) -> paho.Client:
    inner = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id,
        clean_session=None if protocol == "5" else clean_session,
        protocol=MQTTProtocolVersion.MQTTv5 if protocol == "5" else MQTTProtocolVersion.MQTTv311,
        reconnect_on_failure=False,
        manual_ack=manual_ack,
    )
    inner.max_inflight_messages = 0  # the window is ours: paho's cannot change once the broker has named its own
    inner.connect_timeout = CONNECT_TIMEOUT_S
    if settings.username is not None:
        password = None if settings.password is None else resolve_secret(settings.password)
        inner.username_pw_set(settings.username, password)
    if settings.tls is not None:
        inner.tls_set_context(settings.tls.context())  # pyright: ignore[reportUnknownMemberType]
    return inner


def _answer() -> Answer:
    future: Answer = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody need look at it
    return future


async def _wait(answer: Answer, timeout_s: float, what: str) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await answer
    except TimeoutError as error:
        raise Retryable(f"no {what} from the broker within {timeout_s:g} s") from error


def _settle(answer: Answer, error: Exception | None = None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(None)
    else:
        answer.set_exception(error)
