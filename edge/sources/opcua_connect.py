"""Connecting to an OPC UA server: socket, Hello, secure channel, and the session, taken up again where possible.

In: settings and what is remembered of an earlier session. Out: a `Channel`; in the end the connection is cut.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from edge.sources.opcua_bounds import say_hello
from edge.sources.opcua_channel import Channel, Refused, SessionMemory, door
from edge.sources.opcua_library import Client, Opaque
from edge.sources.opcua_security import Security
from edge.sources.opcua_settings import OpcUaSettings
from twin.errors import Retryable


@asynccontextmanager
async def open_channel(
    settings: OpcUaSettings, memory: SessionMemory | None, security: Security
) -> AsyncGenerator[Channel]:
    """Connect and take up the remembered session, or make a new one; in the end the connection is cut.

    The session is closed only when we are cancelled: after a failure it is wanted again.

    Raises:
        ConfigError: certificate or key cannot be used.
        Retryable: anything else.
    """
    client = Client(settings.url, timeout=settings.request_timeout_s)
    client.name = client.description = "Fabriquay edge agent"
    client.application_uri = "urn:fabriquay:edge"
    client.product_uri = "urn:fabriquay"
    client.session_timeout = int(settings.session_timeout_s * 1000)
    client.uaclient.pre_request_hook = None  # its supervisor is not used
    if settings.username is not None:
        client.set_user(settings.username)
        client.set_password(settings.password or "")
    try:
        async with asyncio.timeout(4 * settings.request_timeout_s):
            with door("connect"):
                await security.prepare(client)
                await client.connect_socket()
                await say_hello(client, settings.max_message_bytes)
            with security.explained(), door("open the secure channel"):
                await client.open_secure_channel()
            resumed = memory is not None and await _resume(client, memory)
            if not resumed:
                with security.explained("BadCertificate", "BadSecurityChecks"), door("create the session"):
                    await client.create_session()
                    security.choose_token(client)
                    await _activate(client)
    except TimeoutError as error:
        _cut(client)
        raise Retryable("connect: the server is too slow") from error
    except BaseException:
        _cut(client)
        raise
    channel = Channel(client, resumed=resumed)
    try:
        yield channel
    except asyncio.CancelledError:
        await channel.close()
        raise
    finally:
        channel.drop()


def _cut(client: Opaque) -> None:
    protocol = client.uaclient.protocol
    if protocol is not None and protocol.transport is not None:
        protocol.transport.abort()


async def _resume(client: Opaque, memory: SessionMemory) -> bool:
    """Activate the remembered session on the new channel; False when the server has forgotten it."""
    session = client.uaclient.session
    session.restore_authentication_token(memory.token)
    client._server_nonce = memory.nonce
    client._policy_ids = memory.token_policies
    if not client.security_policy.peer_certificate:
        client.security_policy.peer_certificate = memory.server_certificate
    try:
        with door("resume the session"):
            await _activate(client)
    except Refused:
        session.reset_authentication_token()
        client._server_nonce = None
        return False
    return True


async def _activate(client: Opaque) -> None:
    await client.activate_session(
        username=client._username,
        password=client._password,
        certificate=client.user_certificate,
    )
