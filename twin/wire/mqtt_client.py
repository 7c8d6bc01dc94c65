"""One connection to the broker: publishes until they are acknowledged or denied, messages through a bounded queue.

In: a paho client, made by `twin.wire.mqtt.connect`. Out: messages (while the queue is full the socket is not read, and
nothing is dropped), and a future per publish. A connection that ends, ends for good.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from twin.errors import Retryable
from twin.wire.broker import BrokerSettings, Message, PublishDenied
from twin.wire.mqtt_socket import PahoSocket

MOST_INBOUND_BYTES = 64 << 20
MOST_UNACKNOWLEDGED = 256  # publishes in flight; fewer when the broker says so
MOST_KNOWN_TOPICS = 100_000
CONNECT_TIMEOUT_S = 10.0
UNSUPPORTED_VERSION = 132

Answer = asyncio.Future[None]


class UnsupportedProtocol(Retryable):
    """The broker answered, but not in this version of MQTT."""


class Refused(Retryable):
    """The broker answered: it does not want us, or not on these topics."""


class Client:
    """One connection. Made by `connect`; all of it runs in the event loop."""

    def __init__(self, inner: paho.Client, protocol: str, settings: BrokerSettings, max_inbound: int) -> None:
        self.protocol: str = protocol  # "5" or "3.1.1"
        self.session_present: bool = False
        self._inner: paho.Client = inner
        self._socket: PahoSocket = PahoSocket(inner, settings.keepalive_s, settings.tls, self._end)
        self._has_tls: bool = settings.tls is not None
        self._ended: str | None = None
        self._connected: Answer = _answer()
        self._max_packet_bytes: int = 0  # 0 = the broker names no limit
        self._max_inbound: int = max_inbound
        self._inbound: deque[Message] = deque()
        self._inbound_bytes: int = 0
        self._news: asyncio.Event = asyncio.Event()
        self._filters: list[str] = []
        self._wanted: dict[str, bool] = {}
        self._resumed: bool = False
        self._allowed: int = MOST_UNACKNOWLEDGED
        self._unacknowledged: int = 0
        self._queued: deque[tuple[Message, Answer]] = deque()
        self._publishing: dict[int, tuple[Answer, int]] = {}
        self._subscribing: dict[int, Answer] = {}
        self._awaiting: int = 0  # subscriptions whose answer is waited for while nobody takes messages
        inner.on_connect = self._on_connect
        inner.on_disconnect = self._on_disconnect
        inner.on_message = self._on_message
        inner.on_publish = self._on_publish
        inner.on_subscribe = self._on_subscribe

    async def subscribe(self, topics: Sequence[tuple[str, int]], *, timeout_s: float = 10) -> None:
        """Subscribe to topics with their QoS and wait for the answer; what comes before it waits in memory, too.

        Raises:
            Refused: the broker denies one of them.
            Retryable: not answered, or disconnected.
        """
        self._awaiting += 1
        try:
            self._read_on()
            await _wait(self._subscribe(topics), timeout_s, "answer to the subscription")
        finally:
            self._awaiting -= 1

    def subscribe_nowait(self, topics: Sequence[tuple[str, int]]) -> None:
        """Subscribe to topics with their QoS; a denial ends the connection.

        For whoever reads on meanwhile: the answer may stand behind more messages than have room here (all retained
        ones, or what a session has kept for days), and would never be seen by one who waits for it first.
        """
        self._subscribe(topics).add_done_callback(self._on_subscribed)

    def _on_subscribed(self, answer: Answer) -> None:
        if not answer.cancelled() and (error := answer.exception()) is not None:
            self._end(str(error))

    def _subscribe(self, topics: Sequence[tuple[str, int]]) -> Answer:
        self._check()
        self._filters += [topic for topic, _ in topics if topic not in self._filters]
        self._wanted.clear()
        code, packet_id = self._inner.subscribe(list(topics))
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or packet_id is None:
            raise Retryable(f"cannot subscribe: {paho.error_string(code)}")
        answer = self._subscribing[packet_id] = _answer()
        return answer

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

    async def open(
        self, settings: BrokerSettings, *, clean_session: bool, session_expiry_s: int, receive_maximum: int = 0
    ) -> None:
        """Dial and wait for the broker's word; `connect` does it."""
        self._resumed = not clean_session
        options: dict[str, Any] = {"clean_start": clean_session} if self.protocol == "5" else {}
        if self.protocol == "5" and (receive_maximum or not clean_session):
            options["properties"] = properties = Properties(PacketTypes.CONNECT)
            if not clean_session:
                properties.SessionExpiryInterval = session_expiry_s
            if receive_maximum:
                properties.ReceiveMaximum = receive_maximum
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
        self._read_on(2)
        return message

    def _read_on(self, of: int = 1) -> None:
        """When there is room again; with `of=2` only when half of it is free, to pause less often."""
        if self._socket.paused and not self._full(of):
            self._socket.resume()

    def _full(self, of: int = 1) -> bool:
        too_many = of * len(self._inbound) >= self._max_inbound and not self._awaiting
        return too_many or of * self._inbound_bytes >= MOST_INBOUND_BYTES

    def _on_connect(
        self, _client: paho.Client, _data: object, flags: paho.ConnectFlags, code: ReasonCode, found: Properties | None
    ) -> None:
        if code.is_failure:
            kind = UnsupportedProtocol if code.value == UNSUPPORTED_VERSION else Refused
            _settle(self._connected, kind(f"the broker refuses the connection: {code}"))
            return
        self.session_present = flags.session_present
        self._max_packet_bytes = getattr(found, "MaximumPacketSize", 0)
        self._allowed = min(MOST_UNACKNOWLEDGED, getattr(found, "ReceiveMaximum", MOST_UNACKNOWLEDGED))
        _settle(self._connected)

    def _on_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, code: ReasonCode, _found: object
    ) -> None:
        trouble = self._socket.trouble
        if trouble is not None:
            _settle(self._connected, Retryable(trouble))
            self._end(trouble)
            return
        hint = "" if self._has_tls else "; if this is a port for TLS, say so with tls"
        _settle(self._connected, UnsupportedProtocol(f"the broker closed without an answer: {code}{hint}"))
        self._end(f"the broker disconnected: {code}")

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self._socket.progress += 1
        if not self._wants(message.topic):
            self._inner.ack(message.mid, message.qos)
            return
        payload = bytes(message.payload)
        self._inbound.append(Message(message.topic, payload, message.qos, message.retain, message.mid))
        self._inbound_bytes += len(payload)
        self._news.set()
        if self._full():
            self._socket.pause()

    def _wants(self, topic: str) -> bool:
        """False for what nobody subscribed to here: amqtt sends everybody's retained messages on every connect."""
        if self._resumed:  # the subscriptions may be older than this connection
            return True
        if topic not in self._wanted:
            if len(self._wanted) >= MOST_KNOWN_TOPICS:
                self._wanted.clear()
            self._wanted[topic] = any(paho.topic_matches_sub(found, topic) for found in self._filters)
        return self._wanted[topic]

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
            error = Refused(f"the broker denies a subscription: {denied}") if denied else None
            _settle(self._subscribing.pop(packet_id), error)


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
