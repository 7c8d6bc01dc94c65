"""The OPC UA source over signed and encrypted channels, with certificates that fit and some that do not."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge.sources.opcua import OpcUaSource
from edge.sources.source import SourceState
from tests.contract.opcua_rig import (
    MemorySink,
    ServerProcess,
    node,
    running,
    source_of,
    source_settings,
)
from tests.fault.proxy import Proxy
from tests.waiting import until
from twin.errors import ConfigError

pytestmark = pytest.mark.asyncio(loop_scope="module")

POLICIES = ("Basic256Sha256_Sign", "Basic256Sha256_SignAndEncrypt", "Aes256Sha256RsaPss_SignAndEncrypt")


async def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key, cert = folder / f"{name}-key.pem", folder / f"{name}.der"
    use = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    await setup_self_signed_certificate(key, cert, f"urn:fabriquay:{name}", socket.gethostname(), use, {})
    return cert, key


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[ServerProcess]:
    """One for all these tests: its start takes seconds."""
    tmp_path = tmp_path_factory.mktemp("secured")
    cert, key = await certificate(tmp_path, "test-server")
    await certificate(tmp_path, "edge")
    secured = ("--certificate", str(cert), "--key", str(key), "--policy", *POLICIES)
    process = ServerProcess(tmp_path, secured)
    await process.start()
    yield process
    await process.kill()


def secured(server: ServerProcess, port: int = 0, password: str = "secret", **security: object) -> OpcUaSource:
    folder = server.folder
    return source_of(
        source_settings(
            port or server.port,
            [node("v0")],
            username="edge",
            password=password,
            security={
                "policy": "Basic256Sha256",
                "mode": "SignAndEncrypt",
                "certificate": folder / "edge.der",
                "private_key": folder / "edge-key.pem",
                "server_certificate": folder / "test-server.der",
            }
            | security,
        )
    )


@pytest.mark.parametrize("choice", POLICIES)
async def test_values_arrive_over_a_secured_channel_that_is_resumed_after_a_cut(
    server: ServerProcess, choice: str
) -> None:
    policy, mode = choice.split("_")
    sink = MemorySink()
    with Proxy(lambda: server.port) as proxy:
        source = secured(server, proxy.port, policy=policy, mode=mode)
        async with running(source, sink):
            await until(lambda: len(sink.readings) > 5, "values")
            with proxy.cut():
                await until(lambda: source.status().state is SourceState.DOWN, "the source notices")
            await until(lambda: source.status().state is SourceState.CONNECTED, "the source is back")
            enough = len(sink.readings) + 5
            await until(lambda: len(sink.readings) > enough, "more values")
            assert source.status().facts["subscriptions"] == 1
    assert sink.gaps == []


async def assert_stays_out(source: OpcUaSource) -> None:
    sink = MemorySink()
    async with running(source, sink) as task:
        await until(lambda: source.status().state is SourceState.DOWN, "the source is refused")
        assert not task.done()
    assert sink.readings == []


async def test_another_certificate_than_the_pinned_one_is_not_accepted(server: ServerProcess) -> None:
    stranger, _ = await certificate(server.folder, "stranger")
    await assert_stays_out(secured(server, server_certificate=stranger))


async def test_a_policy_that_the_server_does_not_offer_is_never_downgraded(server: ServerProcess) -> None:
    await assert_stays_out(secured(server, policy="Aes128Sha256RsaOaep"))


async def test_a_wrong_password_is_refused_and_tried_again(server: ServerProcess) -> None:
    source = secured(server, password="wrong")
    await assert_stays_out(source)
    assert "BadUserAccessDenied" in source.status().detail


async def test_any_server_is_taken_only_when_the_settings_say_so(server: ServerProcess) -> None:
    source, sink = secured(server, server_certificate=None, trust_any_server=True), MemorySink()
    async with running(source, sink):
        await until(lambda: sink.readings, "values")


async def test_a_certificate_that_is_not_there_is_a_mistake_of_the_configuration(server: ServerProcess) -> None:
    source = secured(server, certificate=Path("nowhere.der"))
    async with asyncio.timeout(10):
        with pytest.raises(ConfigError, match=r"security\.certificate: nowhere\.der does not exist"):
            await source.run(MemorySink())
