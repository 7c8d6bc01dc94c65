from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from api.board import Board, Noun, aged
from twin.errors import Rejected

NOW = datetime(2026, 3, 2, 10, 15, 0, tzinfo=UTC)


def state(path: str, **more: Any) -> bytes:
    document = {
        "format": 1,
        "path": path,
        "at": "2026-03-02T10:00:00Z",
        "freshness": {"newest_at": "2026-03-02T09:59:59Z", "age_s": 1.0, "reason": "live", "explanation": "fine"},
        "signals": {"current": {"value": 1.5, "fresh": True}},
    }
    return orjson.dumps(document | more)


def test_only_what_changed_after_a_cursor_is_handed_out_latest_first() -> None:
    board = Board()
    for path in ("a", "b", "c", "a"):
        board.put(Noun.ASSET, path, state(path))
    assert [entry.key for entry in board.changed_after(0)] == ["a", "c", "b"]
    assert [entry.key for entry in board.changed_after(2)] == ["a", "c"]
    assert list(board.changed_after(board.cursor)) == []


def test_an_empty_payload_withdraws_a_document_and_shows_as_a_change() -> None:
    board = Board()
    board.put(Noun.ASSET, "a", state("a"))
    seen = board.cursor
    board.put(Noun.ASSET, "a", b"")
    board.put(Noun.ASSET, "never-there", b"")
    assert board.get(Noun.ASSET, "a") is None
    assert [(entry.key, entry.payload) for entry in board.changed_after(seen)] == [("a", None)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b"[]", "malformed"),
        (b"null", "malformed"),
        (b'{"format":2,"path":"a"}', "unknown-format"),
        (b'{"format":1,"path":"b"}', "wrong-topic"),
        (b'{"format":1,"path":"a","signals":[1]}', "malformed"),
        (b'{"format":1,"path":"a","signals":{"x":1}}', "malformed"),
    ],
)
def test_what_is_no_state_of_this_asset_is_rejected_and_the_last_good_one_stays(payload: bytes, reason: str) -> None:
    board = Board()
    board.put(Noun.ASSET, "a", state("a"))
    with pytest.raises(Rejected) as caught:
        board.put(Noun.ASSET, "a", payload)
    assert caught.value.reason == reason
    entry = board.get(Noun.ASSET, "a")
    assert entry is not None
    assert entry.payload == state("a")


def test_a_document_is_passed_on_byte_by_byte_and_loses_its_signals_only_when_asked() -> None:
    board = Board()
    board.put(Noun.ASSET, "a", state("a"))
    entry = board.get(Noun.ASSET, "a")
    assert entry is not None
    assert entry.rendered(signals=True) is entry.payload
    assert "signals" not in orjson.loads(entry.rendered(signals=False))
    assert entry.rendered(signals=False) is entry.rendered(signals=False)


def test_nothing_looks_live_once_the_feed_is_silent_and_ages_go_on() -> None:
    board = Board()
    board.put(Noun.ASSET, "a", state("a"))
    before = board.cursor
    board.age(NOW, "silent")
    (entry,) = board.changed_after(before)
    document = orjson.loads(entry.rendered(signals=True))
    assert document["freshness"] == {
        "newest_at": "2026-03-02T09:59:59Z",
        "age_s": 901.0,
        "reason": "feed-silent",
        "explanation": "silent",
    }
    assert document["signals"]["current"] == {"value": 1.5, "fresh": False}


@pytest.mark.parametrize("reason", ["stale", "gateway-offline", "never"])
def test_a_better_reason_for_old_values_survives_a_silent_feed(reason: str) -> None:
    freshness = {"newest_at": None, "age_s": None, "reason": reason, "explanation": "because"}
    document = orjson.loads(aged(state("a", freshness=freshness), NOW, "silent"))
    assert document["freshness"] == freshness
