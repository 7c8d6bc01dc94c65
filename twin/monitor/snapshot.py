"""The state as bytes and back: a header with the layout's hash, the sparse part as sorted JSON, the blocks, checksums.

The same state always gives the same bytes. Bytes of another layout or other limits are refused, never reinterpreted:
the monitor then replays from the store. Blocks are indexed by signal id, so a plant that has grown keeps what it knew.
"""

import hashlib
import struct
import zlib
from types import ModuleType
from typing import Any, cast
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray

from twin.errors import Rejected
from twin.kernels import counters, entry, episodes, univariate
from twin.kernels.layout import (
    COUNT,
    DETECTORS,
    EPISODE,
    EXACT,
    REGIME,
    REGIMES,
    Blocks,
    hot_memory,
    hot_records,
    schema_hash,
)
from twin.monitor.plan import Plan
from twin.state.model import Contribution, Evidence, Finding, Transition
from twin.state.twin import LastText, TwinState

MAGIC = b"FQSTATE1"
_HEADER = struct.Struct("<8s16s16sI")  # magic, schema hash, limits hash, sections
_SECTION = struct.Struct("<QI")  # length, crc32


def limits_hash() -> str:
    """16 hex digits that change with any limit of the detectors: states made under other limits are not comparable."""
    named: list[str] = []
    for module in (univariate, episodes, counters, entry):
        named += sorted(f"{module.__name__}.{name}={value!r}" for name, value in _limits(module).items())
    return hashlib.sha256("\n".join(named).encode()).hexdigest()[:16]


def _limits(module: ModuleType) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, int | float | tuple | np.floating)
    }


def pack(state: TwinState) -> bytes:
    """The whole state."""
    blocks = state.blocks
    sections = [
        orjson.dumps(_sparse(state), option=orjson.OPT_SORT_KEYS),
        *(block.tobytes() for block in (blocks.exact, blocks.hot, blocks.regimes, blocks.episodes, blocks.counters)),
    ]
    parts = [_HEADER.pack(MAGIC, schema_hash().encode(), limits_hash().encode(), len(sections))]
    for section in sections:
        parts += [_SECTION.pack(len(section), zlib.crc32(section)), section]
    return b"".join(parts)


def unpack(state: TwinState, plan: Plan, packed: bytes) -> None:
    """Fill an empty `state` from bytes.

    Raises:
        Rejected: `snapshot-layout` when they were made by another layout or other limits, `snapshot-damaged` when torn.
    """
    sparse, *columns = _sections(packed)
    exact, hot, counts = (
        np.frombuffer(columns[0], EXACT),
        np.frombuffer(columns[1], np.float32),
        np.frombuffer(columns[4], COUNT),
    )
    regimes = np.frombuffer(columns[2], REGIME).reshape(-1, REGIMES)
    episode = np.frombuffer(columns[3], EPISODE).reshape(-1, DETECTORS)
    kept = _unchanged(exact, plan)
    blocks: Blocks = state.blocks
    for new, old in ((blocks.exact, exact), (blocks.regimes, regimes), (blocks.episodes, episode)):
        new[kept] = old[kept]
    records = hot_records(blocks.hot)
    records[kept] = hot_records(hot)[kept]
    blocks.hot[:] = hot_memory(records)
    for count in counts:
        slot = plan.slots.get(int(count["signal"]))
        if slot is not None:
            blocks.counters[slot] = count
    _fill_sparse(state, orjson.loads(sparse), set(kept.tolist()))


def _sections(packed: bytes) -> list[memoryview]:
    view = memoryview(packed)
    try:
        magic, schema, limits, count = _HEADER.unpack_from(view)
        if (magic, schema, limits) != (MAGIC, schema_hash().encode(), limits_hash().encode()):
            raise Rejected("snapshot-layout", "the snapshot was made by another version of the layout or its limits")
        at, found = _HEADER.size, list[memoryview]()
        for _ in range(count):
            length, crc = _SECTION.unpack_from(view, at)
            section = view[at + _SECTION.size : at + _SECTION.size + length]
            if len(section) != length or zlib.crc32(section) != crc:
                raise Rejected("snapshot-damaged", f"the snapshot is torn or damaged at byte {at}")
            found.append(section)
            at += _SECTION.size + length
    except struct.error as error:
        raise Rejected("snapshot-damaged", f"the snapshot ends too early ({len(packed)} bytes)") from error
    return found


def _unchanged(exact: NDArray[np.void], plan: Plan) -> NDArray[np.int64]:
    """The signal ids that were there and are still of the same kind; the others begin anew."""
    common = min(len(exact), plan.size)
    return np.flatnonzero(exact["kind"][:common] == plan.config["kind"][:common])


def _sparse(state: TwinState) -> dict[str, Any]:
    return {
        "seq": state.seq,
        "nodes": state.nodes,
        "machines": [[t.asset, t.at_ns, t.code, t.name, t.category] for _, t in sorted(state.machines.items())],
        "findings": [
            [*key, str(f.id), f.asset, f.signal, f.detector, f.since_ns, f.score, f.message, _evidence_row(f.evidence)]
            for key, f in sorted(state.findings.items())
        ],
        "texts": [[number, *text] for number, text in sorted(state.texts.items())],
    }


def _fill_sparse(state: TwinState, sparse: dict[str, Any], kept: set[int]) -> None:
    state.seq = sparse["seq"]
    state.nodes[:] = sparse["nodes"]
    for row in cast("list[list[Any]]", sparse["machines"]):
        if state.plant.has_asset(row[0]):
            state.machines[row[0]] = Transition(*row)
    for number, detector, identity, asset, signal, name, since_ns, score, message, evidence in sparse["findings"]:
        if number in kept:
            told = _evidence(*evidence)
            finding = Finding(UUID(identity), asset, signal, name, since_ns, None, score, message, told)
            state.findings[number, detector] = finding
    for number, *text in sparse["texts"]:
        if number in kept:
            state.texts[number] = LastText(*text)


def _evidence_row(evidence: Evidence) -> list[Any]:
    """As it stands in a snapshot: `_evidence` reads it again."""
    return [
        evidence.p,
        evidence.expected_per_day,
        evidence.centre,
        evidence.spread,
        [[one.signal, one.share, one.sign] for one in evidence.contributions],
        evidence.regime,
        evidence.model,
        None if evidence.earlier is None else str(evidence.earlier),
    ]


def _evidence(
    p: float | None,
    expected_per_day: float | None,
    centre: float | None,
    spread: float | None,
    contributions: list[list[Any]],
    regime: str,
    model: str,
    earlier: str | None,
) -> Evidence:
    return Evidence(
        p,
        expected_per_day,
        centre,
        spread,
        tuple(Contribution(*one) for one in contributions),
        regime,
        model,
        None if earlier is None else UUID(earlier),
    )
