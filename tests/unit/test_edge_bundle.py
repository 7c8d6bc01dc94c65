"""Signed configurations: what was signed comes out, whatever else is refused with its reason."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle import Bundle, new_key, opened, read_key, unverified
from twin.errors import ConfigError, Rejected

MAPPINGS = {"own.yaml": "topic: a/b", "folder/Other-1.yaml": "ä"}


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    pem, public = new_key()
    path = tmp_path_factory.mktemp("keys") / "key.pem"
    path.write_bytes(pem)
    return read_key(path), public


def bundle(**more) -> Bundle:
    return Bundle(**{"node": "gate-7", "serial": 7, "configuration": "node: gate-7\n", "mappings": MAPPINGS, **more})


def test_what_was_signed_comes_out(key):
    private, public = key
    found = opened(bundle(least_share=0.2).signed(private), public)
    assert (found.node, found.serial, found.configuration, found.mappings, found.least_share) == (
        "gate-7",
        7,
        "node: gate-7\n",
        MAPPINGS,
        0.2,
    )
    assert found.fingerprint == unverified(bundle(least_share=0.2).signed(private)).fingerprint != ""
    assert opened(bundle(serial=8).signed(private), public).fingerprint != found.fingerprint


def test_another_key_or_a_changed_document_is_refused(key):
    private, _ = key
    payload = bundle().signed(private)
    with pytest.raises(Rejected) as caught:
        opened(payload, new_key()[1])
    assert caught.value.reason == "bad-signature"
    changed = json.loads(payload)
    changed["document"] = changed["document"].replace("gate-7", "gate-8")
    with pytest.raises(Rejected) as caught:
        opened(json.dumps(changed).encode(), key[1])
    assert caught.value.reason == "bad-signature"


@pytest.mark.parametrize(
    "wrong",
    [
        {"node": "Gate 7"},
        {"serial": 0},
        {"serial": True},
        {"serial": 1 << 60},
        {"configuration": 3},
        {"least_share": "all"},
        {"mappings": {"../up.yaml": ""}},
        {"mappings": {"/etc/passwd": ""}},
        {"mappings": {"a/../../b": ""}},
        {"mappings": {".hidden": ""}},
        {"mappings": {"edge.yaml": ""}},
        {"mappings": {"": ""}},
        {"mappings": {"a": 5}},
    ],
)
def test_a_document_that_is_none_is_refused_though_it_is_signed(key, wrong):
    private, public = key
    with pytest.raises(Rejected) as caught:
        opened(bundle(**wrong).signed(private), public)
    assert caught.value.reason == "malformed"


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda it: json.dumps(it).encode())
)
def test_anything_else_is_malformed(payload):
    with pytest.raises(Rejected) as caught:
        unverified(payload)
    assert caught.value.reason == "malformed"


def test_a_file_that_is_no_key_is_told(tmp_path):
    path = tmp_path / "key.pem"
    with pytest.raises(ConfigError, match="cannot be read"):
        read_key(path)
    path.write_text("no key")
    with pytest.raises(ConfigError, match="no private key"):
        read_key(path)
