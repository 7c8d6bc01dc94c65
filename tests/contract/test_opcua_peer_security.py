"""Trust, policies and users against a server that this project did not write: node-opcua."""

from pathlib import Path

import pytest

from edge.sources.opcua import OpcUaSource
from edge.sources.opcua_trust import TrustFolder
from edge.sources.source import SourceState
from tests.contract.opcua_certificates import DAY, certify
from tests.contract.opcua_rig import (
    MemorySink,
    assert_nothing_is_missing,
    more,
    node,
    running,
    source_of,
    source_settings,
)
from tests.contract.test_opcua_peer import peer
from tests.fault.proxy import Proxy
from tests.waiting import until

POLICIES = ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")


@pytest.fixture
def trust(tmp_path: Path) -> TrustFolder:
    return TrustFolder(tmp_path / "trust")


def secured(folder: Path, port: int, changes: dict[str, object] | None = None, **security: object) -> OpcUaSource:
    own = certify("edge").write(folder, "edge")
    given = {"username": "edge", "password": "secret"} if changes is None else changes
    settings = source_settings(
        port, [node("v0")], **given, sampling_interval_ms=0,
        security={
            "policy": "Basic256Sha256", "mode": "SignAndEncrypt", "certificate": own.der, "private_key": own.key,
            "trust": folder / "trust", **security,
        },
    )  # fmt: skip
    return source_of(settings)


async def refused(source: OpcUaSource, *words: str) -> None:
    async with running(source, MemorySink()):
        await until(
            lambda: all(word in source.status().detail for word in words), lambda: f"{words}; {source.status()}"
        )
        assert source.status().state is SourceState.DOWN


async def read(source: OpcUaSource) -> None:
    sink = MemorySink()
    async with running(source, sink):
        await more(sink, source, 10)


async def test_unknown_then_accepted_then_read_with_each_policy_and_mode(tmp_path: Path, trust: TrustFolder) -> None:
    server = certify("server").write(tmp_path, "server").certificate
    async with peer(tmp_path, "--items", "1", "--security", str(tmp_path)) as process:
        await refused(secured(tmp_path, process.port), server.thumbprint[:16], "is not trusted")
        trust.accept(server)
        for policy in POLICIES:
            for mode in ("Sign", "SignAndEncrypt"):
                await read(secured(tmp_path, process.port, policy=policy, mode=mode))
        wrong = {"username": "edge", "password": "wrong"}
        await refused(secured(tmp_path, process.port, wrong), "BadUserAccessDenied")


async def test_another_certificate_on_the_same_address_is_refused_until_it_is_accepted(
    tmp_path: Path, trust: TrustFolder
) -> None:
    trust.accept(certify("server").write(tmp_path, "server").certificate)
    port = 0
    async with peer(tmp_path, "--items", "1", "--security", str(tmp_path)) as process:
        port = process.port
        source, sink = secured(tmp_path, port), MemorySink()
        async with running(source, sink):
            await more(sink, source, 10)
            other = certify("server").write(tmp_path, "server").certificate
            await process.kill()
            await process.start()
            await until(lambda: other.thumbprint in source.status().detail, lambda: str(source.status()))
            trust.accept(other)
            await more(sink, source, 10)


async def test_a_server_that_offers_only_what_is_lower_is_refused(tmp_path: Path, trust: TrustFolder) -> None:
    trust.accept(certify("server").write(tmp_path, "server").certificate)
    lower = ("--policies", "None,Basic256", "--modes", "None,Sign,SignAndEncrypt")
    async with peer(tmp_path, "--items", "1", "--security", str(tmp_path), *lower) as process:
        await refused(secured(tmp_path, process.port), "does not offer Basic256Sha256 SignAndEncrypt")


async def test_an_expired_certificate_is_refused_although_it_was_accepted(tmp_path: Path, trust: TrustFolder) -> None:
    trust.accept(certify("server", begins=-20 * DAY, lasts=10 * DAY).write(tmp_path, "server").certificate)
    async with peer(tmp_path, "--items", "1", "--security", str(tmp_path)) as process:
        await refused(secured(tmp_path, process.port), "expired on")
        keeps = f"opc.tcp://127.0.0.1:{process.port}/test keeps its expired certificate"
        await read(secured(tmp_path, process.port, allow_expired=keeps))


async def test_a_chain_that_the_server_sends_leads_to_an_issuer(tmp_path: Path, trust: TrustFolder) -> None:
    root = certify("root", authority=True)
    middle = certify("middle", root, authority=True)
    step = middle.write(tmp_path, "middle")
    server = certify("server", middle).write(tmp_path, "server")
    server.pem.write_bytes(server.pem.read_bytes() + step.pem.read_bytes())
    trust.make()
    root.write(trust.path / "issuers", "plant")
    async with peer(tmp_path, "--items", "1", "--security", str(tmp_path)) as process:
        await read(secured(tmp_path, process.port))
        (trust.path / "issuers" / "plant.der").unlink()
        (trust.path / "issuers" / "plant.pem").unlink()
        await refused(secured(tmp_path, process.port), "is not trusted")


async def test_a_user_certificate_lets_its_holder_in_and_nobody_else(tmp_path: Path, trust: TrustFolder) -> None:
    trust.accept(certify("server").write(tmp_path, "server").certificate)
    user, stranger = certify("user").write(tmp_path, "user"), certify("stranger").write(tmp_path, "stranger")
    (tmp_path / "users").mkdir()
    (tmp_path / "users" / "user.der").write_bytes(user.certificate.der)
    async with peer(tmp_path, "--items", "1", "--security", str(tmp_path)) as process:
        await read(secured(tmp_path, process.port, {"user_certificate": user.der, "user_private_key": user.key}))
        foreign = {"user_certificate": stranger.der, "user_private_key": stranger.key}
        await refused(secured(tmp_path, process.port, foreign), "the server answers Bad")


async def test_a_server_that_has_not_accepted_us_yet_is_told_with_what_to_do(
    tmp_path: Path, trust: TrustFolder, caplog: pytest.LogCaptureFixture
) -> None:
    trust.accept(certify("server").write(tmp_path, "server").certificate)
    async with peer(tmp_path, "--items", "1", "--security", str(tmp_path), "--wary") as process:
        source, sink = secured(tmp_path, process.port), MemorySink()
        rejected, trusted = tmp_path / "keys" / "rejected", tmp_path / "keys" / "trusted" / "certs"
        async with running(source, sink):
            await until(lambda: "twin edge trust show" in source.status().detail, lambda: str(source.status()))
            thumbprint = source.status().facts["security"]["own_certificate"]["thumbprint"]
            assert thumbprint[:16] in source.status().detail
            await until(lambda: list(rejected.glob("*")), "the server keeps it")
            (shown,) = rejected.glob("*")
            assert thumbprint in shown.name  # the two sides show the same one
            shown.rename(trusted / shown.name)
            await more(sink, source, 5)
    assert caplog.text.count("Exception raised while parsing") <= 1


async def test_a_subscription_that_outlives_its_session_is_transferred_and_nothing_is_missing(
    tmp_path: Path, trust: TrustFolder, caplog: pytest.LogCaptureFixture
) -> None:
    """To the same user; to nobody in particular a server must not transfer on an open line (Part 4, 5.14.7)."""
    caplog.set_level("INFO", logger="edge.sources")
    trust.accept(certify("server").write(tmp_path, "server").certificate)
    user = {"username": "edge", "password": "secret", "session_timeout_s": 10}  # the shortest one
    async with peer(tmp_path, "--items", "1", "--security", str(tmp_path)) as server:
        with Proxy(lambda: server.port) as proxy:
            source, sink = secured(tmp_path, proxy.port, user), MemorySink()
            async with running(source, sink):
                await more(sink, source, 10)
                away_since_ns = max(server.emitted())
                with proxy.cut():
                    await until(lambda: max(server.emitted()) - away_since_ns > 16e9, "the session to end")
                await more(sink, source, 400)
        outcomes = [line.rpartition(" ")[2] for line in caplog.messages if "connected to" in line]
        assert outcomes == ["created", "transferred"]
        assert_nothing_is_missing(sink, server, 1)
