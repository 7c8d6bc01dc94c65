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
from twin.kernels import blocks as block_ends
from twin.kernels import counters, entry, episodes, regimes, seasons, tails, univariate
from twin.kernels.layout import (
    COUNT,
    DETECTORS,
    EPISODE,
    EXACT,
    FIRST_SCORED,
    KEPT,
    MACHINE,
    ROWS,
    SCORED,
    SLOTS,
    TAIL,
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
_N = KEPT.index(ROWS.index("n"))


def limits_hash() -> str:
    """16 hex digits that change with any limit of the detectors: states made under other limits are not comparable."""
    named: list[str] = []
    for module in (univariate, tails, block_ends, seasons, regimes, episodes, counters, entry):
        named += sorted(f"{module.__name__}.{name}={value!r}" for name, value in _limits(module).items())
    return hashlib.sha256("\n".join(named).encode()).hexdigest()[:16]


def _limits(module: ModuleType) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, int | float | tuple | np.floating)
    }


def pack(state: TwinState) -> bytes:
    """The whole state. Baselines, tails and episodes that nobody has learnt are left out."""
    blocks, alarming = state.blocks, state.alarming
    known = np.flatnonzero((blocks.regimes[:, _N] > 0) | (blocks.tails["blocks"] > 0).any(1)).astype(np.int32)
    eventful = np.flatnonzero((blocks.episodes["began"] != 0).any(1) | (blocks.episodes["since"] != 0).any(1))
    eventful = eventful.astype(np.int32)
    arrays: tuple[NDArray[Any], ...] = (
        blocks.exact,
        blocks.hot,
        known,
        blocks.regimes[known],
        blocks.tails[known],
        eventful,
        blocks.episodes[eventful],
        blocks.seasons,
        blocks.machines,
        blocks.counters,
        alarming.mean,
        alarming.blocks,
        alarming.oddest,
        alarming.side,
    )
    sections = [orjson.dumps(_sparse(state), option=orjson.OPT_SORT_KEYS), *(array.tobytes() for array in arrays)]
    parts = [_HEADER.pack(MAGIC, schema_hash().encode(), limits_hash().encode(), len(sections))]
    for section in sections:
        parts += [_SECTION.pack(len(section), zlib.crc32(section)), section]
    return b"".join(parts)


def unpack(state: TwinState, plan: Plan, packed: bytes) -> None:
    """Fill an empty `state` from bytes.

    Raises:
        Rejected: `snapshot-layout` when they were made by another layout or other limits, `snapshot-damaged` when torn.
    """
    written, *columns = _sections(packed)
    sparse = orjson.loads(written)
    dtypes = (EXACT, np.float32, np.int32, np.float32, TAIL, np.int32, EPISODE, np.float32, MACHINE, COUNT)
    typed = zip(columns, (*dtypes, np.float64, np.float64, np.float64, np.int8), strict=True)
    arrays: list[Any] = [np.frombuffer(column, dtype) for column, dtype in typed]
    exact, hot, known, regimes, tails, eventful, episodes, seasons, machines, counts, *fused = arrays
    mean, blocks_known, oddest, side = fused
    kept = _unchanged(exact, plan)
    blocks, alarming = state.blocks, state.alarming
    blocks.exact[kept] = exact[kept]
    records = hot_records(blocks.hot)
    records[kept] = hot_records(hot)[kept]
    blocks.hot[:] = hot_memory(records)
    old = np.array(sparse["layout"], np.int64).reshape(3, -1)  # by signal: regime_start, regimes, season
    same = kept[old[1, kept] == plan.config["regimes"][kept]]
    rows = _rows(old[0], old[1], same, plan)
    blocks.regimes[rows[known][rows[known] >= 0]] = regimes.reshape(-1, len(KEPT))[rows[known] >= 0]
    blocks.tails[rows[known][rows[known] >= 0]] = tails.reshape(-1, SCORED)[rows[known] >= 0]
    still = np.isin(eventful, kept)
    blocks.episodes[eventful[still]] = episodes.reshape(-1, DETECTORS)[still]
    seasonal = kept[(old[2, kept] >= 0) & (plan.config["season"][kept] >= 0)]
    blocks.seasons[plan.config["season"][seasonal]] = seasons.reshape(-1, SLOTS)[old[2, seasonal]]
    places = {path: at for at, path in enumerate(plan.assets)}
    for at, path in enumerate(sparse["assets"]):
        if path in places:
            blocks.machines[places[path]] = machines[at]
            alarming.mean[places[path]], alarming.blocks[places[path]] = mean[at], blocks_known[at]
    alarming.oddest[kept], alarming.side[kept] = oddest[kept], side[kept]
    for count in counts:
        slot = plan.slots.get(int(count["signal"]))
        if slot is not None:
            blocks.counters[slot] = count
    _fill_sparse(state, sparse, set(kept.tolist()))


def _rows(start: NDArray[np.int64], count: NDArray[np.int64], same: NDArray[np.int64], plan: Plan) -> NDArray[np.int64]:
    """Where each row of the snapshot's regimes belongs now; -1: its signal is gone or has another number of them."""
    rows = np.full(int((start + count).max(initial=0)), -1, np.int64)
    first, of = plan.config["regime_start"], count[same]
    offsets = np.arange(int(of.sum())) - np.repeat(np.cumsum(of) - of, of)
    rows[np.repeat(start[same], of) + offsets] = np.repeat(first[same].astype(np.int64), of) + offsets
    return rows


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
        "products": state.products,
        "assets": state.alarming.assets,
        "layout": state.layout,
        "block": state.alarming.block,
        "budgets": [
            [name, one.balance, one.bend, one.discoveries, one.told, one.days]
            for name, one in zip(state.alarming.area_names, state.alarming.budgets, strict=True)
        ],
        "last": [[*key, *one] for key, one in sorted(state.alarming.last.items())],
        "earlier": [[*key, str(one)] for key, one in sorted(state.alarming.earlier.items())],
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
    state.products.update({path: text for path, text in sparse["products"].items() if state.plant.has_asset(path)})
    _fill_alarming(state, sparse, kept)


def _fill_alarming(state: TwinState, sparse: dict[str, Any], kept: set[int]) -> None:
    alarming = state.alarming
    alarming.block = sparse["block"]
    budgets = dict(zip(alarming.area_names, alarming.budgets, strict=True))
    for name, balance, bend, discoveries, told, days in sparse["budgets"]:
        if name in budgets:
            one = budgets[name]
            one.balance, one.bend, one.discoveries, one.told, one.days = balance, bend, discoveries, told, days
    alarming.last.update({(n, k): (score, regime) for n, k, score, regime in sparse.get("last", ()) if n in kept})
    alarming.earlier.update({(n, k): UUID(one) for n, k, one in sparse["earlier"] if n in kept})
    for number, detector in state.findings:
        if detector >= FIRST_SCORED:
            alarming.open(int(alarming.asset_of[number]))


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
