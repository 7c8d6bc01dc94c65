"""What amqtt 0.12 does not do with QoS 1, for the demo's broker: nothing that it has acknowledged is forgotten.

As it comes, it drops a message that is not acknowledged within 5 s, all that is on its way to a client that goes, and
what a client sent just before it went; it takes a client for gone that was back before its old connection was missed;
and it waits for acknowledgements where the client waits for it.
"""

import asyncio
from typing import Any, cast

from amqtt.adapters import ReaderAdapter, WriterAdapter  # pyright: ignore[reportMissingTypeStubs]
from amqtt.broker import Broker, RetainedApplicationMessage  # pyright: ignore[reportMissingTypeStubs]
from amqtt.mqtt.constants import QOS_1  # pyright: ignore[reportMissingTypeStubs]
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler  # pyright: ignore[reportMissingTypeStubs]
from amqtt.mqtt.puback import PubackPacket  # pyright: ignore[reportMissingTypeStubs]
from amqtt.session import (  # pyright: ignore[reportMissingTypeStubs]
    ApplicationMessage,
    OutgoingApplicationMessage,
    Session,
)

_IN_FLIGHT = 1_000  # messages on their way to one client; the rest waits in its session


class KeepingHandler(BrokerProtocolHandler):
    """Sends and goes on; what is not acknowledged stays in the session, and is sent again on the next connection."""

    _started = False

    async def start(self) -> None:
        """After CONNACK: what was on its way, then what waited."""
        session = cast("Session", self.session)
        if not session.transitions.is_connected():  # the end of the connection before has come in between
            session.transitions.connect()
        await super().start()
        self._started = True
        await self.send_waiting()

    async def stop(self) -> None:
        """What comes from now on waits."""
        self._started = False
        await super().stop()

    async def mqtt_publish(
        self, topic: str, data: bytes | bytearray, qos: int | None, retain: bool, ack_timeout: int | None = None
    ) -> OutgoingApplicationMessage:
        """QoS 1 goes through the session and returns when the message is sent or waits there."""
        if qos == QOS_1 and not retain:
            session = cast("Session", self.session)
            session.retained_messages.put_nowait(RetainedApplicationMessage(None, topic, data, qos))
            await self.send_waiting()
        elif self._started:  # nothing may come before CONNACK
            return await super().mqtt_publish(topic, data, qos, retain, ack_timeout)
        return OutgoingApplicationMessage(None, topic, qos, data, retain)

    async def send_waiting(self) -> None:
        """What waits in the session, as far as it may be on its way."""
        session = cast("Session", self.session)
        while self._started and len(session.inflight_out) < _IN_FLIGHT and not session.retained_messages.empty():
            waiting = session.retained_messages.get_nowait()
            await super().mqtt_publish(waiting.topic, waiting.data, QOS_1, retain=False)

    async def _handle_qos1_message_flow(self, app_message: ApplicationMessage) -> None:
        session = cast("Session", self.session)
        if not isinstance(app_message, OutgoingApplicationMessage) or app_message.packet_id is None:
            await super()._handle_qos1_message_flow(cast("Any", app_message))
            return
        session.inflight_out[app_message.packet_id] = app_message
        app_message.publish_packet = app_message.build_publish_packet(dup=app_message.publish_packet is not None)
        await self._send_packet(app_message.publish_packet)

    async def handle_puback(self, puback: PubackPacket) -> None:
        """It has arrived: room for the next one."""
        session = cast("Session", self.session)
        session.inflight_out.pop(puback.packet_id, None)
        await self.send_waiting()


class KeepingBroker(Broker):
    """Takes what its clients have sent, also when they have gone meanwhile."""

    async def _initialize_client_session(
        self, reader: ReaderAdapter, writer: WriterAdapter, remote_address: str, remote_port: int
    ) -> tuple[BrokerProtocolHandler, Session]:
        _, session = await super()._initialize_client_session(reader, writer, remote_address, remote_port)
        return KeepingHandler(self.plugins_manager, loop=self._loop), session

    async def _retain_broadcast_message(self, broadcast: dict[str, Any], qos: int, target_session: Session) -> None:
        await super()._retain_broadcast_message(broadcast, qos, target_session)
        handler = self._get_handler(target_session)
        if isinstance(handler, KeepingHandler):  # it may be back already
            await handler.send_waiting()

    async def _publish_session_retained_messages(self, session: Session) -> None:
        """The handler has sent them already."""

    async def _handle_disconnect(
        self, client_session: Session, handler: BrokerProtocolHandler, disconnect_waiter: "asyncio.Future[Any]"
    ) -> None:
        """A connection that another one has taken over says nothing about its session."""
        if self._get_handler(client_session) is handler:
            await super()._handle_disconnect(client_session, handler, disconnect_waiter)

    async def _client_message_loop(self, client_session: Session, handler: BrokerProtocolHandler) -> None:
        await super()._client_message_loop(client_session, handler)
        while not client_session.delivered_message_queue.empty():
            came: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            came.set_result(client_session.delivered_message_queue.get_nowait())
            await self._handle_message_delivery(client_session, handler, came)
