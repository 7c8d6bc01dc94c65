"""paho's socket inside the event loop: dial, read, write, keep alive, pause.

In: a paho client that nobody else drives. Out: calls of its callbacks in the loop, and one call of `on_lost` when the
bytes make no sense. While reading is paused the broker is still pinged, so a slow consumer is not taken for a dead one.
"""

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt import MQTTException

from twin.errors import Retryable
from twin.wire.tls import TidySocket, TlsSettings, explain

TICK_S = 1.0
READS_PER_TURN = 16  # packets taken before other tasks get their turn
_UNREADABLE = (OSError, ValueError, IndexError, TypeError, struct.error, MQTTException)  # what damaged packets raise


class PahoSocket:
    """Drives one paho client for the life of one connection."""

    def __init__(
        self, inner: paho.Client, keepalive_s: int, tls: TlsSettings | None, on_lost: Callable[[str], None]
    ) -> None:
        self.progress: int = 0  # counted up by whoever handles a packet; reading goes on while it grows
        self._inner: paho.Client = inner
        self._keepalive_s: int = keepalive_s
        self._tls: TlsSettings | None = tls
        self._on_lost: Callable[[str], None] = on_lost
        self._loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self._paused: bool = False
        self._pinged_at_s: float = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._dialled: socket.socket | None = None

    async def dial(self, host: str, port: int, **options: Any) -> None:  # noqa: ANN401
        """TCP and TLS in a thread, the CONNECT packet sent, then everything else in the loop.

        Raises:
            Retryable: not reachable.
        """
        attempt = self._loop.run_in_executor(
            None, lambda: self._inner.connect(host, port, self._keepalive_s, **options)
        )
        try:
            await asyncio.shield(attempt)
        except asyncio.CancelledError:
            attempt.add_done_callback(lambda done: done.cancelled() or done.exception() or self.drop())
            raise
        except (OSError, ValueError) as error:
            reason = explain(error, host, self._tls) if isinstance(error, OSError) else None
            if (
                isinstance(error, ConnectionError)
                and self._tls is not None
                and not isinstance(error, ConnectionRefusedError)
            ):
                reason = f"it closed the connection when TLS was begun ({error}); is {port} its TLS port?"
            raise Retryable(f"the broker at {host}:{port} cannot be reached: {reason or error}") from error
        self._watch()

    @property
    def trouble(self) -> str | None:
        """Why TLS ended the connection, None when it did not."""
        wire = self._dialled
        error = wire.trouble if isinstance(wire, TidySocket) else None
        return None if error is None else explain(error, "", self._tls)

    @property
    def paused(self) -> bool:
        """True while nothing is read."""
        return self._paused

    def pause(self) -> None:
        """Stop reading; what the broker sends waits in the network and then in the broker."""
        wire = self._wire()
        if wire is not None and not self._paused:
            self._paused = True
            self._pinged_at_s = time.monotonic()
            self._loop.remove_reader(wire)

    def resume(self) -> None:
        """Read again."""
        wire = self._wire()
        self._paused = False
        if wire is not None:
            self._loop.add_reader(wire, self._read)
            self._loop.call_soon(self._read)

    def close(self) -> None:
        """Say goodbye as far as the socket takes it at once; never waits."""
        self.stop()
        if self._wire() is not None:
            self._drive(self._inner.disconnect)
            self._drive(self._inner.loop_write)
        self.drop()

    def stop(self) -> None:
        """No more keep-alive."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def drop(self) -> None:
        """Close without a word."""
        wire = self._wire()
        if wire is not None and wire.fileno() >= 0:
            self._loop.remove_reader(wire)
            self._loop.remove_writer(wire)
            wire.close()

    def _wire(self) -> socket.socket | None:
        wire = self._inner.socket()
        return wire if isinstance(wire, socket.socket) else None

    def _watch(self) -> None:
        wire = self._wire()
        if wire is None:
            self._on_lost("the connection closed at once")
            return
        self._dialled = wire
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._inner.on_socket_close = self._on_socket_close
        self._inner.on_socket_register_write = self._on_socket_register_write
        self._inner.on_socket_unregister_write = self._on_socket_unregister_write
        self._loop.add_reader(wire, self._read)
        self._timer = self._loop.call_later(TICK_S, self._tick)
        self._write()

    def _read(self) -> None:
        for _ in range(READS_PER_TURN):
            before, wire = self.progress, self._wire()
            if wire is None or self._paused:
                return
            self._drive(self._inner.loop_read)
            if self.progress == before and not self._buffered():
                return
        if self._buffered():
            self._loop.call_soon(self._read)

    def _buffered(self) -> bool:
        """Bytes that TLS has already taken from the kernel: no selector will tell of them."""
        wire = self._wire()
        return isinstance(wire, ssl.SSLSocket) and wire.fileno() >= 0 and wire.pending() > 0

    def _write(self) -> None:
        self._drive(self._inner.loop_write)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick)
        now_s = time.monotonic()
        if not self._paused:
            self._drive(self._inner.loop_misc)
        elif now_s - self._pinged_at_s >= self._keepalive_s / 2:
            self._pinged_at_s = now_s  # paho's own watch would take the unread answer for a dead broker
            self._drive(self._inner._send_pingreq)  # pyright: ignore[reportPrivateUsage]

    def _drive(self, step: Callable[[], object]) -> None:
        try:
            step()
        except _UNREADABLE as error:
            self.drop()
            self._on_lost(f"the broker sent what cannot be read: {error!r}")

    def _on_socket_close(self, _client: paho.Client, _data: object, wire: Any) -> None:  # noqa: ANN401
        self._loop.remove_reader(wire)
        self._loop.remove_writer(wire)

    def _on_socket_register_write(self, _client: paho.Client, _data: object, wire: Any) -> None:  # noqa: ANN401
        self._loop.add_writer(wire, self._write)

    def _on_socket_unregister_write(self, _client: paho.Client, _data: object, wire: Any) -> None:  # noqa: ANN401
        self._loop.remove_writer(wire)
