"""The agent's figures for Prometheus: read by Prometheus' own parser, fetched over a real socket."""

import asyncio
import logging
import socket
from contextlib import asynccontextmanager

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.metrics import MetricsSettings, exposition
from edge.metrics_server import serve_metrics
from tests.servers import free_port
from tests.waiting import until

REPORT = {
    "node": "gate-7",
    "version": "1.0",
    "configuration": "ab12",
    "uptime_s": 3,
    "memory_bytes": 44_000_000,
    "warnings": ["one", "two"],
    "backlog": {"batches": 2, "readings": 300, "bytes": 4000, "oldest_at": "2026-01-01T00:00:00.500Z"},
    "drain": {"allowed_bytes_per_s": 2e6, "sent_bytes": 12},
    "drops": {"batches": 1, "readings": 6, "by_priority": {"low": 5, "normal": 1, "high": 0}},
    "sources": [
        {
            "name": 'pr"ess\\\n',
            "kind": "opcua",
            "status": "connected",
            "values": 7,
            "newest_at": None,
            "facts": {"clock_offset_s": -0.25, "certificate_days": 12},
        },
        {"name": "gates", "kind": "mqtt", "status": "down", "values": 9, "newest_at": None, "facts": {}},
    ],
}


def read(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation and family.type in ("gauge", "counter") for family in families)
    samples = [sample for family in families for sample in family.samples]
    found = {
        (sample.name.removeprefix("fabriquay_edge_"), tuple(sample.labels.values())): sample.value for sample in samples
    }
    assert len(found) == len(samples)
    return found


def test_every_figure_is_read_as_it_was_meant():
    press = ('pr"ess\\\n', "opcua")
    assert read(exposition(REPORT)) == {
        ("info", ("gate-7", "1.0", "ab12")): 1,
        ("uptime_seconds", ()): 3,
        ("memory_bytes", ()): 44_000_000,
        ("warnings", ()): 2,
        ("backlog_batches", ()): 2,
        ("backlog_readings", ()): 300,
        ("backlog_bytes", ()): 4000,
        ("backlog_oldest_timestamp_seconds", ()): 1767225600.5,
        ("dropped_readings_total", ("low",)): 5,
        ("dropped_readings_total", ("normal",)): 1,
        ("dropped_readings_total", ("high",)): 0,
        ("history_sent_bytes_total", ()): 12,
        ("history_allowed_bytes_per_second", ()): 2e6,
        ("source_up", press): 1,
        ("source_up", ("gates", "mqtt")): 0,
        ("source_values_total", press): 7,
        ("source_values_total", ("gates", "mqtt")): 9,
        ("source_clock_offset_seconds", press): -0.25,
        ("source_certificate_days", press): 12,
    }


def test_what_is_not_known_is_left_out():
    report = {**REPORT, "backlog": {**REPORT["backlog"], "oldest_at": None}, "sources": []}
    names = {name for name, _ in read(exposition(report))}
    assert "backlog_oldest_timestamp_seconds" not in names
    assert not any(name.startswith("source_") for name in names)


@asynccontextmanager
async def served(port: int):
    task = asyncio.create_task(serve_metrics(MetricsSettings(port=port), lambda: exposition(REPORT)))
    try:
        yield task
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def answer(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    found = await reader.read()
    writer.close()
    await writer.wait_closed()
    return found


async def answering(port: int) -> None:
    for _ in range(500):
        try:
            await answer(port, b"GET / HTTP/1.1\r\n\r\n")
        except OSError:
            await asyncio.sleep(0.01)
        else:
            return
    raise AssertionError("nobody listens")


async def test_a_scrape_gets_the_figures_and_anything_else_a_plain_refusal():
    port = free_port()
    async with served(port):
        await answering(port)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            page = await client.get("/metrics?x=1")
            assert page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert page.text == exposition(REPORT)
            head = await client.head("/metrics")
            assert (head.status_code, head.content) == (200, b"")
            assert int(head.headers["content-length"]) == len(page.content)
            assert (await client.get("/other")).status_code == 404
            assert (await client.post("/metrics", content=b"x")).status_code == 405
        assert (await answer(port, b"G" * 40_000)).startswith(b"HTTP/1.1 400")
        assert (await answer(port, b"GET /metrics HTTP/1.1\r\n\r\n")).endswith(exposition(REPORT).encode())


async def test_a_port_that_is_taken_is_told_once_and_tried_again(caplog: pytest.LogCaptureFixture):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with served(port):
            await until(lambda: caplog.records, "the log")
            taken.close()
            caplog.set_level(logging.INFO)
            await until(lambda: any("metrics are on" in record.message for record in caplog.records), "the figures")
    assert sum(record.levelno == logging.ERROR for record in caplog.records) == 1
