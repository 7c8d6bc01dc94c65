"""The trust folder against a real server: unknown, accepted, changed, rejected, expired; nothing lower, nothing in plain text."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import ValidationError

from edge.sources import opcua_security
from edge.sources.opcua import OpcUaSource
from edge.sources.opcua_trust import Shelf, TrustFolder
from edge.sources.source import SourceState
from tests.contract.opcua_certificates import DAY, Files, Pair, certify, revoke
from tests.contract.opcua_rig import (
    MemorySink,
    ServerProcess,
    assert_every_hole_is_in_a_gap,
    more,
    node,
    running,
    source_of,
    source_settings,
)
from tests.waiting import until
from twin.errors import ConfigError

CURRENT = ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
OLD = ("Basic256", "Basic128Rsa15")
EVERY = tuple(f"{policy}_{mode}" for policy in CURRENT for mode in ("Sign", "SignAndEncrypt"))


class Site:
    """A server with a certificate, an agent's certificate, and a trust folder between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = ServerProcess(folder)
        self.trust = TrustFolder(folder / "trust")
        self.own = certify("edge").write(folder, "edge")
        self.user = certify("user").write(folder, "user")

    async def serve(self, pair: Pair, *policies: str) -> Files:
        """(Re)start the server with this certificate; it is on the same port as before."""
        await self.server.kill()
        files = pair.write(self.folder, "server")
        self.server.arguments = (
            "--certificate", str(files.der), "--key", str(files.key), "--uri", files.certificate.application_uri,
            "--user-certificate", str(self.user.der), "--policy", *(policies or EVERY),
        )  # fmt: skip
        await self.server.start()
        return files

    def source(self, changes: dict[str, object] | None = None, **security: object) -> OpcUaSource:
        secured = {
            "policy": "Basic256Sha256", "mode": "SignAndEncrypt", "certificate": self.own.der,
            "private_key": self.own.key, "trust": self.trust.path, **security,
        }  # fmt: skip
        given = {"username": "edge", "password": "secret"} if changes is None else changes
        return source_of(source_settings(self.server.port, [node("v0")], **given, security=secured))

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.server.port}/test"

    def logins(self) -> list[str]:
        path = self.folder / "logins"
        return path.read_text().split() if path.exists() else []


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncGenerator[Site]:
    made = Site(tmp_path)
    yield made
    await made.server.kill()


async def refused(source: OpcUaSource, *words: str) -> str:
    await until(lambda: all(word in source.status().detail for word in words), lambda: f"{words}; {source.status()}")
    assert source.status().state is SourceState.DOWN
    return source.status().detail


async def test_an_unknown_server_is_refused_before_the_password_and_read_once_it_is_accepted(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    server = (await site.serve(certify("server"))).certificate
    source, sink = site.source(), MemorySink()
    async with running(source, sink):
        detail = await refused(source, "is not trusted")
        assert f"`twin edge trust accept {server.thumbprint[:16]} -c …`" in detail
        assert detail in caplog.text
        assert [(kept.shelf, kept.certificate.der) for kept in site.trust.certificates()] == [
            (Shelf.REJECTED, server.der)
        ]
        assert source.status().facts["security"]["server_certificate"]["accepted"] is False
        assert site.logins() == []
        site.trust.accept(server)
        await more(sink, source, 5)
        facts = source.status().facts["security"]
        assert facts["server_certificate"]["thumbprint"] == server.thumbprint
        assert facts["server_certificate"]["days_left"] == 363
        assert facts["own_certificate"]["days_left"] == 363
        assert source.status().detail == ""
    assert set(site.logins()) == {"edge"}


async def test_a_certificate_that_changes_is_refused_and_told_and_the_gap_is_accounted_for(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    first = (await site.serve(certify("server"))).certificate
    site.trust.accept(first)
    source, sink = site.source(), MemorySink()
    async with running(source, sink):
        await more(sink, source, 10)
        other = (await site.serve(certify("server"))).certificate
        before = len(site.logins())
        detail = await refused(source, other.thumbprint, "is not trusted")
        assert detail in caplog.text
        assert len(site.logins()) == before
        until_then = len(sink.readings)
        await until(lambda: len(site.server.emitted()) > 20, "the server goes on without us")
        assert len(sink.readings) == until_then
        site.trust.accept(other)
        await more(sink, source, 10)
    assert assert_every_hole_is_in_a_gap(sink, site.server, 1) > 0


async def test_who_is_rejected_while_it_is_read_is_left_within_seconds(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opcua_security, "_LOOK_S", 0.1)
    server = (await site.serve(certify("server"))).certificate
    site.trust.accept(server)
    source, sink = site.source(), MemorySink()
    async with running(source, sink):
        await more(sink, source, 5)
        site.trust.reject(server)
        await refused(source, "is not trusted")
        site.trust.accept(server)
        await more(sink, source, 5)


async def test_a_chain_to_an_issuer_is_accepted_until_it_is_revoked(site: Site) -> None:
    root = certify("root", authority=True)
    server = (await site.serve(certify("server", root))).certificate
    site.trust.make()
    root.write(site.trust.path / "issuers", "plant")
    source, sink = site.source(), MemorySink()
    async with running(source, sink):
        await more(sink, source, 5)
        (site.trust.path / "crl" / "plant.crl").write_bytes(revoke(root, server).public_bytes(Encoding.DER))
        await refused(source, "was revoked by its issuer")


async def test_an_expired_server_is_refused_unless_it_is_allowed_in_words(site: Site) -> None:
    server = (await site.serve(certify("server", begins=-20 * DAY, lasts=10 * DAY))).certificate
    site.trust.accept(server)
    source = site.source()
    async with running(source, MemorySink()):
        await refused(source, "expired on", "give the server a new one")
        assert site.logins() == []
    source, sink = site.source(allow_expired=f"{site.url} keeps its expired certificate"), MemorySink()
    async with running(source, sink):
        await more(sink, source, 5)
        assert "the server's certificate expired on" in source.status().detail


async def test_a_server_whose_certificate_expires_while_it_is_read_is_left(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opcua_security, "_LOOK_S", 0.1)
    site.trust.accept((await site.serve(certify("server", lasts=DAY + timedelta(seconds=15)))).certificate)
    source, sink = site.source(), MemorySink()
    async with running(source, sink):
        await more(sink, source, 5)
        assert "expires in 0 days" in source.status().detail
        await refused(source, "expired on", "give the server a new one")


async def test_a_pinned_certificate_that_has_expired_is_refused(site: Site) -> None:
    server = await site.serve(certify("server", begins=-20 * DAY, lasts=10 * DAY))
    source = site.source(trust=None, server_certificate=server.pem)
    async with running(source, MemorySink()):
        await refused(source, "expired on")
    assert site.logins() == []


async def test_the_last_thirty_days_and_a_foreign_host_name_are_told_while_it_reads(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    server = (await site.serve(certify("server", hosts=("plc-9",), lasts=11 * DAY))).certificate
    site.own = certify("edge", lasts=4 * DAY).write(site.folder, "edge")
    site.trust.accept(server)
    source, sink = site.source(), MemorySink()
    async with running(source, sink):
        await more(sink, source, 5)
        told = source.status().detail.split("; ")
    assert told[0].startswith("our certificate expires in 2 days, on ")
    assert told[1] == "the server's certificate is made for plc-9, not for 127.0.0.1"
    assert told[2].startswith("the server's certificate expires in 9 days, on ")
    assert all(caplog.text.count(one) == 1 for one in told)


async def test_our_own_expired_certificate_is_not_shown_to_anybody_and_a_new_one_needs_no_restart(site: Site) -> None:
    site.trust.accept((await site.serve(certify("server"))).certificate)
    site.own = certify("edge", lasts=DAY / 2).write(site.folder, "edge")
    source, sink = site.source(), MemorySink()
    async with running(source, sink):
        await refused(source, "our certificate", "expired on", "twin edge trust create")
        assert site.logins() == []
        site.own.der.unlink()  # as a person does before making a new one
        await refused(source, "edge.der does not exist")
        certify("edge").write(site.folder, "edge")
        await more(sink, source, 5)


@pytest.mark.parametrize("offered", [("NoSecurity",), ("NoSecurity", "Basic256Sha256_Sign", "Basic256_SignAndEncrypt")])
async def test_a_server_that_offers_only_less_is_refused(site: Site, offered: tuple[str, ...]) -> None:
    site.trust.accept((await site.serve(certify("server"), *offered)).certificate)
    source = site.source()
    async with running(source, MemorySink()):
        detail = await refused(source, "does not offer Basic256Sha256 SignAndEncrypt, and nothing else is used")
        assert "None None" in detail
    assert site.logins() == []


@pytest.mark.parametrize("choice", EVERY)
async def test_every_current_policy_reads_with_the_password_protected(site: Site, choice: str) -> None:
    policy, mode = choice.split("_")
    site.trust.accept((await site.serve(certify("server"), choice)).certificate)
    source, sink = site.source(policy=policy, mode=mode), MemorySink()
    async with running(source, sink):
        await more(sink, source, 5)
    assert set(site.logins()) == {"edge"}


@pytest.mark.parametrize("policy", OLD)
async def test_a_deprecated_policy_works_for_the_server_that_the_words_name(site: Site, policy: str) -> None:
    site.trust.accept((await site.serve(certify("server"), f"{policy}_SignAndEncrypt")).certificate)
    source, sink = site.source(policy=policy, allow_deprecated=f"{site.url} speaks nothing better"), MemorySink()
    async with running(source, sink):
        await more(sink, source, 5)


async def test_a_user_certificate_is_taken_instead_of_a_user_name(site: Site) -> None:
    site.trust.accept((await site.serve(certify("server"))).certificate)
    user = {"user_certificate": site.user.pem, "user_private_key": site.user.key}
    source, sink = site.source(user), MemorySink()
    async with running(source, sink):
        await more(sink, source, 5)
    assert set(site.logins()) == {"no-name"}
    stranger = certify("stranger").write(site.folder, "stranger")
    source = site.source({"user_certificate": stranger.pem, "user_private_key": stranger.key})
    async with running(source, MemorySink()):
        await refused(source, "BadUserAccessDenied")


async def test_a_user_certificate_that_has_expired_is_not_shown_to_anybody(site: Site) -> None:
    site.trust.accept((await site.serve(certify("server"))).certificate)
    late = certify("user", lasts=DAY / 2).write(site.folder, "late")
    source = site.source({"user_certificate": late.pem, "user_private_key": late.key})
    async with running(source, MemorySink()):
        await refused(source, "the user's certificate", "expired on")
    assert site.logins() == []


async def test_a_password_without_any_security_needs_the_words_and_works_with_them(site: Site) -> None:
    await site.serve(certify("server"), "NoSecurity")
    items, user = [node("v0")], {"username": "edge", "password": "secret"}
    with pytest.raises(ValidationError, match="can be read on the network"):
        source_settings(site.server.port, items, **user)
    said = {"allow_plain_password": f"{site.url} may get the password in plain text"}
    source, sink = source_of(source_settings(site.server.port, items, **user, security=said)), MemorySink()
    async with running(source, sink):
        await more(sink, source, 5)


async def test_a_user_certificate_with_a_foreign_key_is_a_mistake_of_the_configuration(site: Site) -> None:
    await site.serve(certify("server"))
    source = site.source({"user_certificate": site.user.pem, "user_private_key": site.own.key})
    async with asyncio.timeout(10):
        with pytest.raises(ConfigError, match=r"user_private_key: .* is not the key of"):
            await source.run(MemorySink())


async def test_a_folder_that_cannot_be_written_is_told_and_nobody_is_trusted(site: Site) -> None:
    await site.serve(certify("server"))
    site.trust.path.write_text("a file in the place of the folder")
    source = site.source()
    async with running(source, MemorySink()):
        await refused(source, "is not trusted, and cannot be kept in")
    assert site.logins() == []
