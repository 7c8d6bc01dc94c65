"""Traces over OTLP/HTTP to a small receiver of the protocol."""

import asyncio
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.contract.api_server import MILL, PLANT, api_settings, running_api
from tests.contract.conftest import Database
from tests.store.batches import admitted
from twin.ingest.commit import Committer
from twin.ingest.ports import Counters
from twin.monitor.run import Monitor
from twin.plant.load import load_plant
from twin.store.connect import open_store
from twin.traces import TracesSettings, install, span


@dataclass
class Collector:
    """What a collector was sent: spans by name, with their attributes and status."""

    port: int = 0
    services: set[str] = field(default_factory=set)
    spans: dict[str, dict[str, Any]] = field(default_factory=dict)

    def take(self, path: str, body: bytes) -> None:
        assert path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {
                one.value.string_value for one in resource.resource.attributes if one.key == "service.name"
            }
            for scope in resource.scope_spans:
                for one in scope.spans:
                    known = {each.key: each.value.string_value or each.value.int_value for each in one.attributes}
                    assert one.end_time_unix_nano >= one.start_time_unix_nano > 0
                    self.spans[one.name] = {**known, "failed": one.status.code == 2}


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.take(self.path, gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.port = server.server_address[1]
        Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


async def test_requests_commits_and_failures_arrive_as_spans(collector: Collector, database: Database) -> None:
    end = install(TracesSettings(endpoint=f"http://127.0.0.1:{collector.port}/"), "fabriquay-test")
    try:
        async with running_api(api_settings(dsn=database.dsn)) as api:
            assert (await api.http.get(f"/v1/assets/{MILL}/state")).status_code == 200
            assert (await api.http.get("/v1/assets/nowhere/state")).status_code == 404
            assert (await api.http.get("/v1/alarms")).status_code in (200, 503)
        with pytest.raises(ZeroDivisionError), span("a step that fails"):
            raise ZeroDivisionError
    finally:
        end()
    state = collector.spans["GET /v1/assets/{path:path}/state"]
    assert (state["http.response.status_code"], state["failed"]) == (404, False)  # the later of the two
    assert "GET /v1/alarms" in collector.spans
    assert collector.spans["a step that fails"]["failed"]
    assert collector.services == {"fabriquay-test"}
    with span("after the end") as tell:
        tell("after the end", {})
    assert "after the end" not in collector.spans


async def test_a_commit_and_a_fold_arrive_as_spans_with_what_they_held(
    collector: Collector, database: Database
) -> None:
    end = install(TracesSettings(endpoint=f"http://127.0.0.1:{collector.port}"), "fabriquay-test")
    committed = asyncio.Event()

    async def told(_batches: object) -> None:
        committed.set()

    async def unheard(_topic: str, _payload: bytes) -> None:
        return

    try:
        async with open_store(database.dsn) as store:
            ids = await store.plants.signal_ids()
            committer = Committer(store, lambda *_: None, told, Counters())
            working = asyncio.create_task(committer.run())
            await committer.put(admitted([ids[f"{MILL}/power"]] * 3, [1, 1_000_001, 2_000_001]))
            async with asyncio.timeout(20):
                await committed.wait()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await Monitor(load_plant(PLANT), ids, store, unheard)._settle([])
    finally:
        end()
    commit = collector.spans["ingest commit"]
    assert (commit["batches"], commit["rows"], commit["failed"]) == (1, 3, False)
    assert collector.spans["monitor fold"] == {"batches": 0, "findings": 0, "transitions": 0, "failed": False}
