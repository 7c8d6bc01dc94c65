"""What the configuration of an OPC UA source accepts."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edge.sources.opcua_settings import OpcUaSecurity, OpcUaSettings, permission, split_node

ITEM = {"node": "nsu=urn:x;s=mill-1.load", "signal": "factory/mill-1/load"}


def settings(**changes: Any) -> OpcUaSettings:
    return OpcUaSettings.model_validate(
        {"kind": "opcua", "name": "mills", "url": "opc.tcp://plc:4840/x", "items": [ITEM], **changes}
    )


@pytest.mark.parametrize(
    ("node", "parts"),
    [
        ("nsu=urn:x;s=a.b", ("urn:x", 0, "s=a.b")),
        ("ns=2;s=a;b", (None, 2, "s=a;b")),
        ("i=2258", (None, 0, "i=2258")),
        ("ns=3;g=09087e75-8e5e-499b-954f-f2a9603db28a", (None, 3, "g=09087e75-8e5e-499b-954f-f2a9603db28a")),
    ],
)
def test_every_form_of_node_id_is_understood(node: str, parts: tuple[str | None, int, str]) -> None:
    assert split_node(node) == parts


@pytest.mark.parametrize("node", ["", "mill", "ns=x;s=a", "i=abc", "i=4294967296", "ns=2;g=1", "nsu=;s=a", "ns=2;s="])
def test_what_is_no_node_id_is_refused(node: str) -> None:
    with pytest.raises(ValidationError, match="node id"):
        settings(items=[{**ITEM, "node": node}])


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"url": "http://plc"}, "opc.tcp"),
        ({"url": "opc.tcp://user:pw@plc:1"}, "credentials"),
        ({"items": [ITEM, ITEM]}, "two items"),
        ({"password": "x"}, "username"),
        ({"lifetime_count": 30, "keep_alive_count": 11}, "three times"),
        ({"security": {"policy": "Basic256Sha256"}}, "both"),
        ({"security": {"policy": "Basic256Sha256", "mode": "Sign"}}, "certificate"),
        (
            {"security": {"policy": "Basic256Sha256", "mode": "Sign", "certificate": "a", "private_key": "b"}},
            "trust_any_server",
        ),
        ({"securty": {}}, "Extra"),
    ],
)
def test_contradictions_are_refused_with_what_to_do(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        settings(**changes)


def test_passwords_do_not_show() -> None:
    said = "opc.tcp://plc:4840/x may get the password in plain text"
    shown = repr(settings(username="edge", password="hush", security={"allow_plain_password": said}))
    assert "hush" not in shown


def test_the_reference_names_every_key_of_security_and_the_sentences() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "opcua-security.md").read_text()
    assert [key for key in OpcUaSecurity.model_fields if f"| `{key}` |" not in text] == []
    for key in ("allow_deprecated", "allow_expired", "allow_plain_password"):
        assert permission(key, "<url>").partition(": ")[2] in text
