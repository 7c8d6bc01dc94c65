"""A server that sends without end, at any place where it can: a TCP server of ours that begins as OPC UA does."""

import asyncio
import itertools
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import pytest

from edge.sources.source import SourceState
from tests.contract.opcua_rig import MemorySink, node, running, source_of, source_settings
from tests.waiting import until

MOST = 1 << 20  # bytes; what the source is told to take
KERNEL = 8 << 20  # bytes; what lies in the buffers of both sockets, generously


def chunk(sequence: int, body: int) -> bytes:
    """An intermediate one, of a channel that is not open yet: number and token 0."""
    return b"MSGC" + struct.pack("<5I", body + 24, 0, 0, sequence, 1) + bytes(body)


def large_chunks() -> Iterator[bytes]:
    return (chunk(number, 60_000) for number in itertools.count(1))


def tiny_chunks() -> Iterator[bytes]:
    for start in itertools.count(1, 100):
        yield b"".join(chunk(number, 1) for number in range(start, start + 100))


def one_chunk() -> Iterator[bytes]:
    yield b"OPNF" + struct.pack("<II", (1 << 32) - 1, 0)
    yield from itertools.repeat(bytes(60_000))


class Rogue:
    """Agrees to everything, then pours; counts per connection what the other side let it send."""

    def __init__(self, pour: Callable[[], Iterator[bytes]]) -> None:
        self._pour = pour
        self.hello: tuple[int, ...] = ()
        self.sent: list[int] = []
        self.left: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at = len(self.sent)
        self.sent.append(0)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            (size,) = struct.unpack("<4xI", await reader.readexactly(8))
            self.hello = struct.unpack("<5I", (await reader.readexactly(size - 8))[:20])
            largest = (1 << 32) - 1
            writer.write(b"ACKF" + struct.pack("<6I", 28, 0, largest, largest, 0, 0))
            await reader.readexactly(8)
            for piece in self._pour():
                writer.write(piece)
                await writer.drain()
                self.sent[at] += len(piece)
        self.left += 1
        writer.transport.abort()


@asynccontextmanager
async def rogue(pour: Callable[[], Iterator[bytes]]) -> AsyncIterator[tuple[Rogue, int]]:
    made = Rogue(pour)
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as server:
        yield made, server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("pour", "words", "most"),
    [
        (large_chunks, f"more than {MOST} bytes", MOST),
        (tiny_chunks, f"more than {MOST // 8192 + 1} chunks", MOST),
        (one_chunk, "a chunk of more than 1048576 bytes", MOST),
    ],
)
async def test_a_server_that_sends_without_end_is_left_with_the_reason(pour, words: str, most: int) -> None:
    async with rogue(pour) as (server, port):
        source = source_of(source_settings(port, [node("v0")], max_message_bytes=MOST))
        async with running(source, MemorySink()):
            await until(lambda: source.status().state is SourceState.DOWN, "the source to leave")
            assert words in source.status().detail
            await until(lambda: server.left, "the connection to end")
    assert max(server.sent) <= most + KERNEL


async def test_the_hello_says_how_much_an_answer_may_take() -> None:
    async with rogue(one_chunk) as (server, port):
        source = source_of(source_settings(port, [node("v0")], max_message_bytes=MOST))
        async with running(source, MemorySink()):
            await until(lambda: server.hello, "the Hello")
    _, receive, send, message, chunks = server.hello
    assert (receive, send) == (65_535, 65_535)
    assert (message, chunks) == (MOST, MOST // 8192 + 1)
