"""The gateway's report: the figures of the contract, rates over ten seconds, dead letters within their cap."""

import json

from edge.dead_letters import DeadLetter, DeadLetters
from edge.health import HealthReport, RateMeter, memory_bytes, rfc3339
from edge.health_warnings import SpoolSigns, warnings
from edge.priority import Priority
from edge.sources.source import SourceState, SourceStatus
from edge.spool import open_spool
from edge.uplink_window import Drain
from twin.wire.reading import Lane, Quality, Reading
from twin.wire.receipt import Receipt
from twin.wire.schema import NodeSchema, SchemaEntry

NOW_NS = 1_767_225_600_123_000_000
SECOND_NS = 1_000_000_000


async def test_the_report_tells_backlog_drops_and_every_source(tmp_path):
    now_ns = NOW_NS
    schema = NodeSchema("gate-7", (SchemaEntry(0, "a/b/c", "measurement", ""),))
    status = SourceStatus(
        "press",
        "opcua",
        SourceState.DOWN,
        "refused",
        NOW_NS,
        5,
        NOW_NS,
        {"items": 3, "clock_offset_s": -1.5, "certificate_days": 12},
    )
    drain = Drain(2_000_000.0)
    async with open_spool(tmp_path / "s.db", schema=schema, max_bytes=1 << 20, clock=lambda: now_ns) as spool:
        report = HealthReport("gate-7", "abc", spool, lambda: [status], lambda: now_ns, drain)
        report()
        await spool.keep([Reading(0, NOW_NS, 1.0, Quality.GOOD, 0, NOW_NS)])
        drain.sent_bytes = 6_000
        now_ns += 3 * SECOND_NS
        told = report()
    assert json.loads(json.dumps(told)) == told
    assert told.pop("memory_bytes") == memory_bytes() or memory_bytes() > 1_000_000
    assert told.pop("version")
    backlog = told.pop("backlog")
    assert (backlog["batches"], backlog["readings"], backlog["oldest_at"]) == (1, 1, "2026-01-01T00:00:00.123Z")
    assert backlog["bytes"] > 0
    assert told == {
        "format": 1,
        "node": "gate-7",
        "status": "online",
        "at": "2026-01-01T00:00:03.123Z",
        "configuration": "abc",
        "uptime_s": 3,
        "drain": {"allowed_bytes_per_s": 2_000_000.0, "sent_bytes": 6_000, "bytes_per_s": 2_000.0, "empty_in_s": 0},
        "drops": {"batches": 0, "readings": 0, "by_priority": {"low": 0, "normal": 0, "high": 0}},
        "clock_offset_s": -1.5,
        "certificate_days": 12,
        "desired": None,
        "warnings": [
            "source press is down: refused",
            "the certificate of source press expires in 12 days; renew it",
        ],
        "sources": [
            {
                "name": "press",
                "kind": "opcua",
                "status": "down",
                "detail": "refused",
                "since": "2026-01-01T00:00:00.123Z",
                "values": 5,
                "values_per_s": 0.0,
                "newest_at": "2026-01-01T00:00:00.123Z",
                "facts": {"items": 3, "clock_offset_s": -1.5, "certificate_days": 12},
            }
        ],
    }


async def test_the_report_says_when_the_backlog_is_gone_and_when_it_grows_instead(tmp_path):
    now_ns, schema = NOW_NS, NodeSchema("gate-7", (SchemaEntry(0, "a/b/c", "measurement", ""),))
    async with open_spool(tmp_path / "s.db", schema=schema, max_bytes=1 << 20, clock=lambda: now_ns) as spool:
        report = HealthReport("gate-7", "abc", spool, list, lambda: now_ns, Drain(1e6))
        for second in range(90):
            await spool.keep([Reading(0, NOW_NS + second, 1.0, Quality.GOOD, 0, NOW_NS)])
            now_ns += SECOND_NS
            told = report()
            assert bool(told["warnings"]) == (second >= 60)
        assert told["warnings"] == ["the backlog grows; its oldest batch waits since 2026-01-01T00:00:00.123Z"]
        await spool.demote_backlog_to_history()
        assert report()["drain"]["empty_in_s"] is None
        for number in range(1, 31):
            await spool.settle(Receipt(spool.epoch, 2 * number))
            now_ns += SECOND_NS
            told = report()
        assert told["drain"]["empty_in_s"] == 15
        assert told["backlog"]["batches"] == 30


async def test_the_report_says_which_classes_a_full_spool_drops_until_it_has_room_again(tmp_path):
    now_ns, schema = NOW_NS, NodeSchema("gate-7", (SchemaEntry(0, "a/b/c", "measurement", ""),))
    async with open_spool(
        tmp_path / "s.db", schema=schema, max_bytes=20_000, clock=lambda: now_ns, priorities={0: Priority.LOW}
    ) as spool:
        report = HealthReport("gate-7", "abc", spool, list, lambda: now_ns, Drain(1e6))
        report()
        for turn in range(60):
            await spool.keep([Reading(0, NOW_NS + turn * 500 + i, i**0.5, 0, 0, NOW_NS) for i in range(500)])
        told = report()
        assert told["warnings"] == ["the spool is full and drops the oldest readings (low priority)"]
        assert told["drops"]["by_priority"]["low"] == told["drops"]["readings"] > 0
        newest = max(one.number for one in await spool.take(Lane.LIVE, 1000))
        await spool.settle(Receipt(spool.epoch, newest))
        assert report()["warnings"] == []


def test_a_source_that_works_but_not_rightly_is_warned_of_once(tmp_path):
    off = SourceStatus(
        "press", "opcua", SourceState.CONNECTED, "the certificate ends in 3 days", 0, 0, 0, {"certificate_days": 3}
    )
    fine = SourceStatus("saw", "opcua", SourceState.CONNECTED, "", 0, 0, 0, {"certificate_days": 300})
    over = SourceStatus("lathe", "opcua", SourceState.CONNECTED, "", 0, 0, 0, {"certificate_days": -1})
    assert warnings([fine, off, over], SpoolSigns(trouble="the spool cannot write: disk full")) == [
        "the spool cannot write: disk full",
        "source press: the certificate ends in 3 days",
        "the certificate of source lathe has expired; renew it",
    ]


def test_a_rate_is_the_mean_of_about_ten_seconds():
    meter = RateMeter()
    rates = [meter.per_s(100 * min(second, 20), second * SECOND_NS) for second in range(60)]
    assert rates[0] == 0.0
    assert rates[5] == rates[20] == 100.0
    assert 0 < rates[25] < 100
    assert rates[40] == 0.0


def test_an_instant_beyond_the_calendar_is_cut_and_not_an_error():
    assert rfc3339((1 << 63) - 1).startswith("2262")
    assert rfc3339(-5) == "1970-01-01T00:00:00.000Z"


def test_dead_letters_tell_the_reason_and_stay_within_their_cap(tmp_path):
    path = tmp_path / "folder" / "dead.jsonl"
    log = DeadLetters(path, 20_000)
    for number in range(100):
        log.write([DeadLetter(NOW_NS, "malformed", f"number {number}", "a/b", b'{"x": \xff' + b"." * 5000)])
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["dead.jsonl", "dead.jsonl.1"]
    assert sum(file.stat().st_size for file in files) <= 20_000
    last = json.loads(path.read_text().splitlines()[-1])
    assert last["detail"] == "number 99"
    assert last["received_at"] == "2026-01-01T00:00:00.123+00:00"
    assert (last["reason"], last["topic"], last["bytes"]) == ("malformed", "a/b", 5007)
    assert last["payload"].startswith('{"x": \\xff...')


def test_a_folder_that_cannot_be_written_costs_the_letters_only(tmp_path):
    (tmp_path / "file").write_text("")
    DeadLetters(tmp_path / "file" / "dead.jsonl", 20_000).write([DeadLetter(NOW_NS, "x", "y", "z", b"")])
