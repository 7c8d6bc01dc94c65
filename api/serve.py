"""The api as a process: uvicorn with the settings that the live feed needs.

In: `ApiSettings`. Out: a server until it is cancelled. A bug in a background task ends the process, so that the
supervisor starts it again.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Generator
from typing import Any

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.settings import ApiSettings
from twin.errors import ConfigError

log = logging.getLogger(__name__)

GRACE_S = 2  # open streams end with the process; clients come back
BACKLOG = 1024
STUCK_PEER_MS = 30_000  # the kernel ends connections whose peer takes nothing for so long


class _Server(uvicorn.Server):
    """Shutdown is cancellation: the process around decides what a signal means."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def run_api(settings: ApiSettings) -> None:
    """Serve until cancelled.

    Raises:
        ConfigError: the plant is wrong or the address cannot be had.
    """
    app = create_app(settings)
    listener = listen(settings)
    await serve(app, settings, listener)


async def serve(app: FastAPI, settings: ApiSettings, listener: socket.socket) -> None:
    """Serve an app on an open socket until cancelled or until one of its background tasks breaks."""
    config = _config(app, settings)
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        listener.close()
        raise ConfigError(f"api.tls: {error}; check the certificate, the key and their permissions") from error
    server = _Server(config)
    host, port = listener.getsockname()[:2]
    log.info("listening on %s://%s:%d", "https" if settings.tls else "http", host, port)
    broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    app.state.broken = broken
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
    try:
        await asyncio.wait({serving, broken}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        await serving
        listener.close()
    if broken.done():
        broken.result()


def listen(settings: ApiSettings) -> socket.socket:
    """The open socket; port 0 takes any free one."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Named as TCP, for only then does asyncio switch Nagle's delay off; it costs 40 ms per answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STUCK_PEER_MS)  # accepted sockets inherit it
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"api.host, api.port: cannot listen on {settings.host}:{settings.port} ({error.strerror}); choose others"
        ) from error
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def _config(app: FastAPI, settings: ApiSettings) -> uvicorn.Config:
    tls: dict[str, Any] = {}
    if settings.tls is not None:
        tls = {"ssl_certfile": settings.tls.certificate, "ssl_keyfile": settings.tls.key}
        if settings.tls.client_ca is not None:
            tls |= {"ssl_ca_certs": str(settings.tls.client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return uvicorn.Config(
        app,
        **tls,
        forwarded_allow_ips=list(settings.proxies),
        ws="websockets-sansio",
        ws_per_message_deflate=False,  # ten times the CPU for frames of this size
        ws_max_size=settings.live.max_message_bytes,
        timeout_graceful_shutdown=GRACE_S,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
    )
