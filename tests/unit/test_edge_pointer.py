"""Where values stand in a JSON document: pointers, and the steps beyond RFC 6901."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.pointer import MISSING, Pointer


def test_pointers_find_what_rfc_6901_says():
    document = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "m~n": 8, "c%d": 2, " ": 7}
    expected = {
        "": document,
        "/foo": ["bar", "baz"],
        "/foo/0": "bar",
        "/": 0,
        "/a~1b": 1,
        "/m~0n": 8,
        "/c%d": 2,
        "/ ": 7,
    }
    assert {text: Pointer(text).first(document) for text in expected} == expected
    assert Pointer("/foo/2").first(document) is MISSING
    assert Pointer("/foo/bar").first(document) is MISSING


@pytest.mark.parametrize("text", ["x", "/{Slot}", "/[id]", "/{a}/{a}", "/{a:[}", "/**/a/**", "/{a...}/b"])
def test_a_pointer_that_cannot_be_meant_is_refused(text):
    with pytest.raises(ValueError, match=r"pointer|understood|twice|brace|regular expression|any depth|last step"):
        Pointer(text)


DOCUMENT = {
    "a": {"b": [{"id": "x", "v": 1}, {"id": "y", "v": 2, "deep": {"id": "z", "v": 3}}]},
    "switch:0": {"apower": 8.9},
    "switch:1": {"apower": 7},
    "cover:0": {"apower": 1},
    "s/w": {"v": 4},
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/a/b/*/v", [(1, ()), (2, ())]),
        ("/a/b/[id=y]/v", [(2, ())]),
        ("/a/b/[id={which}]/v", [(1, ("x",)), (2, ("y",))]),
        ("/a/b/[id={which:[xz]}]/v", [(1, ("x",))]),
        ("/a/b/{index}/v", [(1, ("0",)), (2, ("1",))]),
        ("/{kind}:{channel}/apower", [(8.9, ("switch", "0")), (7, ("switch", "1")), (1, ("cover", "0"))]),
        ("/switch:{channel:[1-9]}/apower", [(7, ("1",))]),
        ("/**/v", [(1, ()), (2, ()), (3, ()), (4, ())]),
        ("/**/[id={which}]/v", [(1, ("x",)), (2, ("y",)), (3, ("z",))]),
        ("/a/[id=x]", []),
        ("/{name}/v", [(4, ("s/w",))]),
        ("/s~1w/{path...}", [(4, ("v",))]),
    ],
)
def test_a_step_finds_what_it_says(text, found):
    assert [(one.trail[-1], one.words) for one in Pointer(text).all(DOCUMENT)] == found


def test_leaves_of_any_depth_get_the_way_to_them_as_name():
    document = {"pos": {"x": 1, "y": {"z": 2}}, "list": [1, {"w": 3}], "t": None, "empty": {}}
    leaves = {one.words[0]: one.trail[-1] for one in Pointer("/{path...}", separator=".").all(document)}
    assert leaves == {"pos.x": 1, "pos.y.z": 2, "list": [1, {"w": 3}], "t": None}
    nested = {"hoist": [{"load": [{"value": 1}, {"value": 2}]}], "note": "x", "value": {"value": 3}}
    stopped = [(one.words[0], one.trail[-1]) for one in Pointer("/{p...}", stop_at=["value"]).all(nested)]
    assert stopped == [("hoist/load", {"value": 1}), ("hoist/load", {"value": 2}), ("value", {"value": 3})]


def test_all_that_a_value_lies_in_comes_with_it():
    (found,) = Pointer("/a/b/[id=y]/**/[id=z]/v").all(DOCUMENT)
    inside = DOCUMENT["a"]["b"][1]["deep"]
    assert found.trail == (DOCUMENT, DOCUMENT["a"], DOCUMENT["a"]["b"], DOCUMENT["a"]["b"][1], inside, 3)


def test_captures_that_are_known_are_put_in_whatever_they_hold():
    document = [{"id": "a]/{b}*", "v": 1}, {"id": "c", "v": 2}]
    bound = Pointer("/[id={which}]/{key}").bind({"which": "a]/{b}*", "key": "v"})
    assert (bound.first(document), bound.captures) == (1, ())
    assert Pointer("/{key}/x").bind({"key": "*"}).first({"*": {"x": 5}, "a": {"x": 6}}) == 5


def test_a_count_tells_none_from_nothing_said():
    faults = Pointer("/errors/[level=FATAL]")
    assert faults.count({"errors": [{"level": "FATAL"}, {"level": "x"}]}) == 1
    assert faults.count({"errors": []}) == 0
    assert faults.count({}) is MISSING


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcv"), inner, max_size=4),
    max_leaves=20,
)
PATHS = ["/a/b", "/**/v", "/{x}/*", "/{x...}", "/**/[v={w}]", "/[a={x}]/b", "/**/{x:[ab]}/0", "/*/{x...}"]


@given(JSON, st.sampled_from(PATHS))
def test_every_pointer_finds_its_values_in_any_document_and_each_lies_in_the_one_before(document, text):
    for one in Pointer(text).all(document):
        assert one.trail[0] is document
        for around, inside in zip(one.trail, one.trail[1:], strict=False):
            members = around.values() if isinstance(around, dict) else around
            assert any(inside is member for member in members)
        json.dumps(one.words)
