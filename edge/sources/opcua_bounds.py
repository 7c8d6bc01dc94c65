"""How much a server may send at once: what a chunk and a message may take in memory, whatever the server has agreed to.

In: a connection of asyncua's, before its Hello. Out: the same with bounds of ours; a server that goes beyond them loses
the connection, and all who wait for an answer are told why. By itself the library offers chunks of 2 GB, keeps chunks
without limit, and takes what a server sets for its requests as the limits of its answers.
"""

import asyncio
from collections.abc import Callable

from edge.sources.opcua_library import Opaque, TransportLimits, ua, uatcp_to_binary

_CHUNK = 65_535  # bytes; what the Hello says
_MOST_CHUNK = 1 << 20  # bytes; what is put up with
_LEAST_CHUNK = 8_192  # bytes; servers may choose no smaller ones (Part 6, 7.1.2.3)


class TooLarge(ua.UaError):
    """The server does not keep to what the Hello has said."""


async def say_hello(client: Opaque, most_bytes: int) -> None:
    """Bound the connection and tell the server: no message of more than `most_bytes`, chunks of 64 KiB."""
    protocol = client.uaclient.protocol
    most_chunks = most_bytes // _LEAST_CHUNK + 1
    _bound(protocol, most_bytes, most_chunks)
    hello = ua.Hello()
    hello.EndpointUrl = client.server_url.geturl()
    hello.ReceiveBufferSize = hello.SendBufferSize = _CHUNK
    hello.MaxMessageSize, hello.MaxChunkCount = most_bytes, most_chunks
    acknowledged = protocol._callbackmap[0] = asyncio.get_running_loop().create_future()
    protocol.transport.write(uatcp_to_binary(ua.MessageType.Hello, hello))
    async with asyncio.timeout(protocol.timeout):
        await acknowledged


def _bound(protocol: Opaque, most_bytes: int, most_chunks: int) -> None:
    def fail(reason: str) -> None:
        protocol._connection._drop_incoming_parts()
        protocol.receive_buffer = None
        protocol._fail_all_pending(TooLarge(reason))
        if protocol.transport is not None:
            protocol.transport.abort()

    received = protocol.data_received

    def data_received(data: bytes) -> None:
        received(data)
        if protocol.receive_buffer is not None and len(protocol.receive_buffer) > _MOST_CHUNK:
            fail(f"the server sends a chunk of more than {_MOST_CHUNK} bytes; {_CHUNK} were asked for")

    protocol.data_received = data_received
    protocol._connection._limits = _Bounds(most_bytes, most_chunks, fail)


class _Bounds(TransportLimits):  # pyright: ignore[reportUntypedBaseClass]
    """The library's limits, of which an Acknowledge changes only the size of what we send."""

    def __init__(self, most_bytes: int, most_chunks: int, fail: Callable[[str], None]) -> None:
        super().__init__(_MOST_CHUNK, _CHUNK, most_chunks, most_bytes)  # pyright: ignore[reportUnknownMemberType]
        self._fail = fail

    def is_msg_size_within_limit(self, sz: int) -> bool:
        return self._is_within(sz, self.max_message_size, "bytes")

    def is_chunk_count_within_limit(self, sz: int) -> bool:
        return self._is_within(sz, self.max_chunk_count, "chunks")

    def update_client_limits(self, msg: Opaque) -> None:
        self.max_send_buffer = min(msg.ReceiveBufferSize or _CHUNK, _CHUNK)

    def _is_within(self, size: int, most: int, what: str) -> bool:
        if size > most:
            self._fail(
                f"the server sends a message of more than {most} {what}; if it must be so large, raise"
                " max_message_bytes of this source"
            )
        return size <= most
