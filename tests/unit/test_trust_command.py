"""`twin edge trust` and `twin edge check`, as a deployer types them."""

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from edge.sources.opcua_trust import TrustFolder
from tests.contract.opcua_certificates import DAY, certify
from twin.commands.certificates import the_only
from twin.commands.cli import app
from twin.errors import ConfigError

TEXT = """\
node: gate-7
broker: {{host: broker.example}}
spool: {{path: spool.db}}
sources:
  - kind: opcua
    name: line-1
    url: opc.tcp://10.0.0.1:4840
    security:
      policy: Basic256Sha256
      mode: SignAndEncrypt
      certificate: {folder}/own.der
      private_key: {folder}/own-key.pem
      trust: {folder}/trust
    items: [{{node: "ns=2;s=a", signal: factory/line-1/a}}]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "edge.yaml"
    path.write_text(TEXT.format(folder=tmp_path), encoding="utf-8")
    return path


def typed(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["edge", *map(str, arguments)])
    if isinstance(result.exception, Exception):
        raise result.exception
    return result


def test_created_once_shown_with_where_to_accept_it_and_checked(config: Path) -> None:
    folder = config.parent
    with pytest.raises(ConfigError) as caught:
        typed("check", "-c", config)
    remedy = "does not exist; correct the path, or make it with: twin edge trust create -c …"
    assert caught.value.problems == (
        f"{config}:11: sources.0.security.certificate: {folder}/own.der {remedy}",
        f"{config}:12: sources.0.security.private_key: {folder}/own-key.pem {remedy}",
    )
    made = typed("trust", "create", "-c", config, "--host", "10.0.0.7").stdout
    assert f"{folder}/own.der: made" in made
    assert stat.S_IMODE((folder / "own-key.pem").stat().st_mode) == 0o600
    assert sorted(path.name for path in (folder / "trust").iterdir()) == ["crl", "issuers", "rejected", "trusted"]
    before = (folder / "own.der").read_bytes()
    assert "is there already" in typed("trust", "create", "-c", config).stdout
    assert (folder / "own.der").read_bytes() == before
    shown = typed("trust", "show", "-c", config).stdout
    for word in ("own.der", ":fabriquay:gate-7", "10.0.0.7", "S7-1500", "Ignition", "Kepware", "node-opcua"):
        assert word in shown
    assert typed("check", "-c", config).stdout == f"{config}: ok, node gate-7, 1 sources\n"


def test_check_warns_of_what_will_break_and_refuses_what_is_broken(config: Path) -> None:
    folder = config.parent
    soon = certify("own", lasts=11 * DAY).write(folder, "own")
    soon.key.chmod(0o644)
    warned = typed("check", "-c", config).stdout
    assert ":12: sources.0.security.private_key: " in warned
    assert "can be read by others" in warned
    assert "expires in 9 days" in warned
    assert "trust does not exist" in warned
    certify("own", lasts=DAY / 2).write(folder, "own")
    (folder / "trust" / "issuers").mkdir(parents=True)
    (folder / "trust" / "issuers" / "plant.pem").write_text("nothing")
    with pytest.raises(ConfigError) as caught:
        typed("check", "-c", config)
    assert len(caught.value.problems) == 2
    assert "own.der expired on" in caught.value.problems[0]
    assert "plant.pem is no certificate" in caught.value.problems[1]


def states(config: Path) -> dict[str, str]:
    lines = typed("trust", "list", "-c", config, "--json").stdout.splitlines()
    return {one["thumbprint"]: one["state"] for one in map(json.loads, lines)}


def test_accept_and_reject_by_a_prefix_that_is_unique(config: Path) -> None:
    folder = TrustFolder(config.parent / "trust")
    ours, other = certify("line-1").certificate, certify("line-2", lasts=2 * DAY).certificate
    folder.note(ours)
    folder.note(other)
    table = typed("trust", "list", "-c", config).stdout
    assert "rejected  " + ours.thumbprint[:16] in table
    assert "urn:fabriquay:line-1" in table
    spaced = " ".join(ours.thumbprint.upper()[place : place + 2] for place in range(0, 12, 2))
    assert f"{ours.thumbprint} is trusted" in typed("trust", "accept", spaced, "-c", config).stdout
    assert states(config) == {ours.thumbprint: "trusted", other.thumbprint: "rejected"}
    typed("trust", "reject", ours.thumbprint, "-c", config)
    assert set(states(config).values()) == {"rejected"}


@pytest.mark.parametrize(
    ("thumbprint", "words"), [("ffff", "was seen"), ("ab", "is no thumbprint"), ("line", "is no thumb")]
)
def test_what_names_no_certificate_is_refused(config: Path, thumbprint: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        typed("trust", "accept", thumbprint, "-c", config)


def test_a_prefix_of_two_is_refused_with_both(config: Path) -> None:
    one, two = certify("line-1").certificate, certify("line-2").certificate
    one.thumbprint, two.thumbprint = "abcd" + "0" * 36, "abcd" + "1" * 36
    kept = [(TrustFolder(config.parent), certificate) for certificate in (one, two)]
    with pytest.raises(ConfigError, match=r"abcd0+, abcd1+; give more digits"):
        the_only(kept, "abcd", config)
