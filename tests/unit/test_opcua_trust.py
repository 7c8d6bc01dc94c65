"""Who is trusted: pure verdicts, the folder on disk, our own certificates, the choice of a user token."""

import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge.sources import opcua_trust
from edge.sources.opcua_certificate import Certificate, read_certificate, split_chain
from edge.sources.opcua_own import Place, load_own, make_own
from edge.sources.opcua_policy import POLICIES
from edge.sources.opcua_settings import OpcUaSettings, permission
from edge.sources.opcua_token import choose_token
from edge.sources.opcua_trust import Shelf, TrustFolder
from edge.sources.opcua_verify import Known, expiry, judge, names_wrong
from tests.contract.opcua_certificates import DAY, Pair, certify, revoke
from twin.errors import ConfigError, Retryable

NOW = datetime.now(UTC)
ROOT = certify("root", authority=True)
MIDDLE = certify("middle", ROOT, authority=True, path_length=0)
ISSUED = certify("line-1", MIDDLE)
ALONE = certify("line-2")


def refusal(shown: list[Pair], known: Known, *, allow_expired: bool = False) -> str:
    return judge([one.certificate for one in shown], known, NOW, allow_expired=allow_expired).refusal


def by_hand(pair: Pair) -> Known:
    return Known(trusted=(pair.certificate,))


def issued_by(pair: Pair, *lists: x509.CertificateRevocationList) -> Known:
    return Known(issuers=(pair.certificate,), revocations=lists)


def test_nobody_is_trusted_by_an_empty_folder() -> None:
    verdict = judge([ALONE.certificate], Known(), NOW, allow_expired=False)
    assert verdict.unknown
    assert verdict.refusal == "is not trusted"


def test_who_was_accepted_is_trusted_and_nobody_else() -> None:
    assert refusal([ALONE], by_hand(ALONE)) == ""
    assert refusal([certify("line-2")], by_hand(ALONE)) == "is not trusted"  # the same key and name, made anew


def test_a_chain_to_an_issuer_is_trusted_with_or_without_the_steps_between() -> None:
    assert refusal([ISSUED, MIDDLE], issued_by(ROOT)) == ""
    assert refusal([ISSUED], issued_by(MIDDLE)) == ""
    assert refusal([ISSUED], issued_by(ROOT)) == "is not trusted"  # the step between is unknown
    assert refusal([ISSUED], Known(trusted=(ROOT.certificate,))) == "is not trusted"  # trusted/ is for servers


@pytest.mark.parametrize(
    "shown",
    [
        [certify("line-3", ALONE), ALONE],  # issued by who is no authority
        [certify("line-3", certify("deep", MIDDLE, authority=True)), certify("deep", MIDDLE, authority=True), MIDDLE],
        [certify("line-3", MIDDLE, use=ExtendedKeyUsageOID.CLIENT_AUTH), MIDDLE],
        [certify("line-3", Pair(MIDDLE.certificate, certify("thief").key)), MIDDLE],
    ],
    ids=["no-authority", "chain-too-long", "a-client", "forged"],
)
def test_a_chain_that_does_not_hold_is_not_trusted(shown: list[Pair]) -> None:
    known = Known(issuers=(ROOT.certificate,), trusted=(ALONE.certificate,))
    assert refusal(shown, known) == "is not trusted"


def test_an_expired_certificate_is_refused_unless_it_is_allowed() -> None:
    for late in (certify("late", begins=-20 * DAY, lasts=10 * DAY), certify("late", ROOT, begins=-20 * DAY, lasts=DAY)):
        known = Known(trusted=(late.certificate,), issuers=(ROOT.certificate,))
        assert refusal([late], known).startswith("expired on ")
        assert refusal([late], known, allow_expired=True) == ""
    early = certify("early", begins=DAY)
    assert refusal([early], by_hand(early)).startswith("is not valid before ")


def test_who_was_revoked_is_refused_even_when_accepted_by_hand() -> None:
    listed = revoke(MIDDLE, ISSUED.certificate)
    assert refusal([ISSUED, MIDDLE], issued_by(ROOT, listed)) == "was revoked by its issuer"
    assert refusal([ISSUED], Known((ISSUED.certificate,), (), (listed,))) == "was revoked by its issuer"
    assert refusal([ISSUED, MIDDLE], issued_by(ROOT, revoke(ROOT, MIDDLE.certificate))) == "was revoked by its issuer"


def test_the_same_serial_number_of_another_issuer_is_not_revoked() -> None:
    assert refusal([ISSUED, MIDDLE], issued_by(ROOT, revoke(ALONE, ISSUED.certificate))) == ""


def test_a_revocation_list_past_its_date_is_a_warning() -> None:
    verdict = judge([ISSUED.certificate], issued_by(MIDDLE, revoke(MIDDLE, due=-DAY)), NOW, allow_expired=False)
    assert verdict.refusal == ""
    assert "due for renewal" in verdict.warnings[0]


def test_names_that_do_not_fit_are_warnings() -> None:
    one = certify("line-4", hosts=("Line-4.plant", "10.0.0.4")).certificate
    assert names_wrong(one, "line-4.PLANT.", "urn:fabriquay:line-4") == []
    assert names_wrong(one, "10.0.0.4", "") == []
    assert names_wrong(one, "10.0.0.5", "") == ["is made for Line-4.plant, 10.0.0.4, not for 10.0.0.5"]
    assert "urn:other" in names_wrong(one, "10.0.0.4", "urn:other")[0]


@pytest.mark.parametrize(
    ("days", "text"), [(31, ""), (29, "expires in 29 days, on"), (1, "expires in 1 day, on"), (-1, "expired on")]
)
def test_thirty_days_before_the_end_there_is_a_warning(days: int, text: str) -> None:
    one = certify("short", begins=-60 * DAY, lasts=(60 + days) * DAY + timedelta(hours=1)).certificate
    said = expiry("our certificate", one, NOW)
    assert said.startswith(f"our certificate {text}") if text else not said


def test_a_chain_in_one_string_is_taken_apart() -> None:
    chain = split_chain(ISSUED.certificate.der + MIDDLE.certificate.der)
    assert [one.subject for one in chain] == ["CN=line-1", "CN=middle"]
    with pytest.raises(ValueError, match=r"pars|short|too"):
        split_chain(ISSUED.certificate.der + b"more")


def test_a_chain_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 10 certificates"):
        split_chain(ISSUED.certificate.der * 11)


def test_control_characters_of_a_stranger_reach_no_terminal() -> None:
    assert "\x1b" not in certify("evil\x1b[2J").certificate.subject


def test_an_unknown_certificate_is_written_once(tmp_path: Path) -> None:
    folder = TrustFolder(tmp_path / "trust")
    assert folder.note(ALONE.certificate)
    assert not folder.note(ALONE.certificate)
    (kept,) = folder.certificates()
    assert kept.path == tmp_path / "trust" / "rejected" / f"{ALONE.certificate.thumbprint}.der"
    assert kept.certificate.der == ALONE.certificate.der


def test_ever_new_certificates_do_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opcua_trust, "_MOST_REJECTED", 3)
    folder, shown = TrustFolder(tmp_path), [certify("line-5").certificate for _ in range(5)]
    for one in shown:
        folder.note(one)
    assert {kept.certificate.thumbprint for kept in folder.certificates()} == {one.thumbprint for one in shown[2:]}


def test_accept_and_reject_move_it_also_when_a_person_named_the_file(tmp_path: Path) -> None:
    folder = TrustFolder(tmp_path)
    folder.make()
    (tmp_path / "trusted" / "line 2.pem").write_bytes(ALONE.certificate.parsed.public_bytes(Encoding.PEM))
    assert refusal([ALONE], folder.known()) == ""
    folder.reject(ALONE.certificate)
    assert [kept.shelf for kept in folder.certificates()] == [Shelf.REJECTED]
    assert refusal([ALONE], folder.known()) == "is not trusted"
    folder.accept(ALONE.certificate)
    assert [kept.shelf for kept in folder.certificates()] == [Shelf.TRUSTED]


def test_an_unreadable_certificate_is_passed_over_and_an_unreadable_revocation_list_is_not(tmp_path: Path) -> None:
    folder = TrustFolder(tmp_path)
    folder.accept(ALONE.certificate)
    (tmp_path / "trusted" / "broken.der").write_bytes(b"broken")
    assert refusal([ALONE], folder.known()) == ""
    (tmp_path / "crl" / "broken.crl").write_bytes(b"broken")
    with pytest.raises(Retryable, match=r"broken\.crl is no revocation list"):
        folder.known()
    first, second = folder.problems()
    assert "broken.der is no certificate" in first
    assert "broken.crl is no revocation list" in second
    (tmp_path / "crl" / "broken.crl").write_bytes(revoke(ROOT).public_bytes(Encoding.PEM))
    assert len(folder.known().revocations) == 1


def place(folder: Path, password: str | None = None, ending: str = "pem") -> Place:
    return Place(folder / "pki" / f"own.{ending}", folder / "pki" / f"own-key.{ending}", password)


@pytest.mark.parametrize(("ending", "password"), [("pem", None), ("der", None), ("pem", "hush")])
def test_our_own_certificate_is_what_a_server_asks_for(tmp_path: Path, ending: str, password: str | None) -> None:
    where = place(tmp_path, password, ending)
    make_own(where, "gate-7", ["gate-7.plant", "10.0.0.7"], NOW, 1825)
    own = load_own(where)
    extensions = own.certificate.parsed.extensions
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature and usage.content_commitment and usage.key_encipherment and usage.data_encipherment  # noqa: PT018
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert own.certificate.application_uri == "urn:gate-7.plant:fabriquay:gate-7"
    assert own.certificate.host_names == ("gate-7.plant", "10.0.0.7")
    assert 1824 <= own.certificate.days_left(NOW) <= 1825
    assert stat.S_IMODE(where.private_key.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="exists without the other"):
        make_own(where, "gate-7", ["gate-7"], NOW, 1)


def test_a_key_of_another_certificate_and_a_wrong_password_are_told(tmp_path: Path) -> None:
    where = place(tmp_path, "hush")
    make_own(where, "gate-7", ["gate-7"], NOW, 10)
    with pytest.raises(ConfigError, match=r"security\.private_key: .* cannot be used"):
        load_own(where._replace(password="loud"))
    stranger = ALONE.write(tmp_path, "stranger")
    with pytest.raises(ConfigError, match="is not the key of"):
        load_own(where._replace(private_key=stranger.key, password=None))
    assert isinstance(read_certificate(stranger.pem), Certificate)
    with pytest.raises(ConfigError) as caught:
        load_own(place(tmp_path / "nowhere"))
    assert len(caught.value.problems) == 2


URL = "opc.tcp://plc:4840"
SECURE = {"policy": "Basic256Sha256", "mode": "SignAndEncrypt", "certificate": "a", "private_key": "b", "trust": "t"}


def settings(security: dict[str, Any], **changes: Any) -> OpcUaSettings:
    item = {"node": "ns=1;s=a", "signal": "plant/a"}
    given = {"kind": "opcua", "name": "plc", "url": URL, "items": [item], "security": security, **changes}
    return OpcUaSettings.model_validate(given)


def offer(policy: str, kind: ua.UserTokenType = ua.UserTokenType.UserName) -> ua.UserTokenPolicy:
    uri = (
        POLICIES[policy].URI
        if policy in POLICIES
        else policy and f"http://opcfoundation.org/UA/SecurityPolicy#{policy}"
    )
    return ua.UserTokenPolicy(PolicyId=policy, TokenType=kind, SecurityPolicyUri=uri)


USER = {"username": "edge", "password": "secret"}


def test_the_best_token_is_taken_wherever_it_stands_in_the_list() -> None:
    offers = [offer("None"), offer("Basic128Rsa15"), offer("Aes256Sha256RsaPss"), offer("Basic256Sha256")]
    assert choose_token(offers, settings(SECURE, **USER)) == [offers[3]]
    assert choose_token(offers[:3], settings(SECURE, **USER)) == [offers[2]]
    assert choose_token(offers[:2], settings(SECURE, **USER)) == [offers[0]]  # the channel encrypts it
    assert choose_token([offer("")], settings(SECURE, **USER)) == [offer("")]


def test_a_password_is_not_sent_in_plain_text() -> None:
    signed = SECURE | {"mode": "Sign"}
    with pytest.raises(
        Retryable, match=r'allow_plain_password: "opc\.tcp://plc:4840 may get the password in plain text"'
    ):
        choose_token([offer("None")], settings(signed, **USER))
    allowed = signed | {"allow_plain_password": f"{URL} may get the password in plain text"}
    assert choose_token([offer("None")], settings(allowed, **USER)) == [offer("None")]
    with pytest.raises(Retryable, match="Basic128Rsa15 only"):
        choose_token([offer("Basic128Rsa15")], settings(signed, **USER))


def test_a_server_without_the_right_kind_of_user_is_told() -> None:
    anonymous = offer("None", ua.UserTokenType.Anonymous)
    with pytest.raises(Retryable, match="takes no user names at this endpoint; it takes Anonymous"):
        choose_token([anonymous], settings(SECURE, **USER))
    with pytest.raises(Retryable, match="takes no user certificates"):
        choose_token([offer("")], settings(SECURE, user_certificate="c", user_private_key="d"))


@pytest.mark.parametrize(
    ("security", "changes", "word"),
    [
        (SECURE | {"policy": "Basic256"}, {}, permission("allow_deprecated", URL)),
        (SECURE | {"policy": "Basic128Rsa15", "allow_deprecated": "yes"}, {}, "permits nothing in these words"),
        (
            SECURE | {"allow_expired": "opc.tcp://other:1 keeps its expired certificate"},
            {},
            permission("allow_expired", URL),
        ),
        ({}, USER, permission("allow_plain_password", URL)),
        (SECURE | {"trust_any_server": True}, {}, "not with them"),
        (SECURE, {"user_certificate": "c"}, "need each other"),
        (SECURE, {"user_certificate": "c", "user_private_key": "d", "username": "edge"}, "not both"),
        ({}, {"user_certificate": "c", "user_private_key": "d"}, "policy other than None"),
    ],
)
def test_a_weakness_is_refused_with_the_words_that_permit_it(security: dict[str, Any], changes: Any, word: str) -> None:
    with pytest.raises(ValueError, match=re.escape(word)):
        settings(security, **changes)


def test_the_words_permit_it() -> None:
    said = {"allow_deprecated": f"{URL} speaks nothing better"}
    assert settings(SECURE | {"policy": "Basic128Rsa15"} | said).security.policy == "Basic128Rsa15"
    assert settings({"allow_plain_password": f"{URL} may get the password in plain text"}, **USER).username == "edge"
