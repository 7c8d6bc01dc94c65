"""Plants, nodes, findings, snapshots, gateways: the small nouns of the store."""

import asyncio
from dataclasses import dataclass, replace
from enum import StrEnum

from tests.store.batches import DAY, T0, S
from twin.state.model import Contribution, Evidence, Finding, Transition, finding_id
from twin.wire.schema import NodeSchema, SchemaEntry


class Kind(StrEnum):
    MEASUREMENT = "measurement"
    TEXT = "text"


@dataclass(frozen=True)
class Signal:
    path: str
    kind: Kind = Kind.MEASUREMENT
    unit: str = "A"


@dataclass(frozen=True)
class Plant:
    """What the store reads of a plant model."""

    revision: str
    signals: tuple[Signal, ...]
    enterprise: str = "fabriquay"


async def test_signals_keep_their_ids_and_new_ones_are_added(store):
    first = await store.plants.register(Plant("r1", (Signal("a/x"), Signal("a/y"))))
    assert first == await store.plants.register(Plant("r1", (Signal("a/x"), Signal("a/y"))))
    second = await store.plants.register(Plant("r2", (Signal("a/y", unit="V"), Signal("a/z"))))
    assert second["a/y"] == first["a/y"]
    assert len({*first.values(), *second.values()}) == 3
    assert await store.plants.signal_ids() == {**first, **second}


async def test_processes_that_register_at_once_agree_on_the_ids(store):
    plants = [Plant(f"r{at}", tuple(Signal(f"a/{n}") for n in range(50))) for at in range(4)]
    found = await asyncio.gather(*(store.plants.register(plant) for plant in plants))
    assert all(ids == found[0] for ids in found)
    assert max(found[0].values()) == 50


async def test_a_schema_is_kept_and_found_by_its_hash(store):
    schema = NodeSchema("edge-1", (SchemaEntry(1, "a/x", "measurement", "A"),))
    for _ in range(2):
        await store.nodes.save_schema(schema)
    assert await store.nodes.schema("edge-1", schema.hash) == schema
    assert await store.nodes.schema("edge-2", schema.hash) is None
    assert await store.nodes.schemas() == [schema]


def finding(since=T0, **more):
    evidence = Evidence(
        p=1e-6,
        expected_per_day=0.3,
        centre=20.0,
        spread=0.5,
        contributions=(Contribution("a/x", 0.8, -1), Contribution("a/y", 0.2, 1)),
        regime="running",
        model="3",
        earlier=finding_id("a/x", "spike", since - DAY),
    )
    start = Finding(finding_id("a/x", "spike", since), "a", "a/x", "spike", since, None, 5.0, "far off", evidence)
    return replace(start, **more)


async def test_a_finding_that_is_written_again_stays_one_and_an_older_one_changes_nothing(store):
    opened, ended = finding(), finding(until_ns=T0 + S, score=9.0)
    await store.findings.write(10, [opened], [], "site")
    assert await store.findings.open() == [opened]
    await store.findings.write(12, [ended], [], "site")
    await store.findings.write(10, [opened], [], "site")
    assert await store.findings.open() == []
    assert await store.findings.between(T0 - DAY, T0 + DAY) == [ended]
    assert await store.findings.between(T0 + 2 * S, T0 + DAY) == []
    assert await store.findings.watermark("site") == 12


async def test_transitions_are_written_once(store):
    states = [Transition("a", T0 + at * S, at, f"s{at}", "Executing") for at in range(3)]
    for _ in range(2):
        await store.findings.write(5, [], states, "site")
    assert await store.findings.transitions("a", T0, T0 + 2 * S) == states[:2]


async def test_a_watermark_begins_at_zero(store):
    assert await store.findings.watermark("nobody") == 0


async def test_a_snapshot_replaces_the_older_one_only(store):
    assert await store.states.load_snapshot("site") is None
    await store.states.save_snapshots(7, {"site": b"\0new\xff"})
    await store.states.save_snapshots(5, {"site": b"old"})
    assert await store.states.load_snapshot("site") == (7, b"\0new\xff")


async def test_the_last_report_of_a_gateway_is_kept(store):
    await store.gateways.upsert("edge-2", {"status": "online", "backlog": {"batches": 3}})
    await store.gateways.upsert("edge-1", {"status": "online"})
    await store.gateways.upsert("edge-2", {"status": "offline"})
    assert [(one.node, one.status) for one in await store.gateways.list()] == [
        ("edge-1", {"status": "online"}),
        ("edge-2", {"status": "offline"}),
    ]
