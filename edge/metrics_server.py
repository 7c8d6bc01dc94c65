"""The agent's figures over HTTP, for Prometheus. In: ``GET /metrics``. Out: the text of `edge.metrics`.

A port that is taken costs the figures, never the readings: it is told once and tried again.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from edge.metrics import CONTENT_TYPE, MetricsSettings
from twin.wire.backoff import Backoff

logger = logging.getLogger(__name__)

_MOST_BYTES = 16_384  # of a request's head
_PATIENCE_S = 5.0
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}


async def serve_metrics(settings: MetricsSettings, text: Callable[[], str]) -> None:
    """Answer for ever; `text` is asked at every request and must be quick."""
    backoff = Backoff()
    told = False
    while True:
        try:
            server = await asyncio.start_server(partial(_answer, text), settings.host, settings.port, limit=_MOST_BYTES)
        except OSError as error:
            if not told:
                logger.error("no metrics on %s:%d: %s; choose another port", settings.host, settings.port, error)
            told = True
            await backoff.wait()
            continue
        logger.info("metrics are on http://%s:%d/metrics", settings.host, settings.port)
        async with server:
            await server.serve_forever()


async def _answer(text: Callable[[], str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, TimeoutError):
        try:
            async with asyncio.timeout(_PATIENCE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(head, text))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.write(_page(400, "not a request\n"))
        finally:
            writer.close()
        await writer.wait_closed()


def _response(head: bytes, text: Callable[[], str]) -> bytes:
    method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    if method not in (b"GET", b"HEAD"):
        return _page(405, "only GET\n")
    if path != b"/metrics":
        return _page(404, "the figures are at /metrics\n")
    return _page(200, text(), with_body=method == b"GET")


def _page(status: int, body: str, *, with_body: bool = True) -> bytes:
    content = body.encode()
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {CONTENT_TYPE}\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + (content if with_body else b"")
