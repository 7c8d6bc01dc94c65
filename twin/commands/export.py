"""`twin export`: every sample into Parquet files, in the order of commitment, to be gone on with at any time.

In: the store. Out: a folder with `samples-<first>-<last>.parquet`, named by the batches in them, and `_cursor.json`.
The cursor is the snapshot: what was committed when the export began is exported, whatever comes meanwhile. Killed
anywhere, it goes on behind the last whole file, so that no sample is there twice or missing.
"""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow
import pyarrow.parquet

from twin.commands.settings import TwinSettings
from twin.errors import ConfigError
from twin.plant.load import load_plant
from twin.samples import SampleBatch
from twin.store.connect import open_store

pa = cast("Any", pyarrow)  # it has no types
pq = cast("Any", pyarrow.parquet)

CURSOR = "_cursor.json"  # readers of a folder of Parquet pass over names like this
SCHEMA = pa.schema(
    [
        pa.field("signal", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("time", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("text", pa.string()),
        pa.field("quality", pa.uint8(), nullable=False),
        pa.field("received_at", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("batch", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Exported:
    """What one run has written."""

    files: int
    rows: int
    batch: int  # the last one that is in the folder; the next run begins behind it


async def export(
    settings: TwinSettings, folder: Path, progress: Callable[[int, int], None], *, file_rows: int = 1_000_000
) -> Exported:
    """Write everything that is committed now and is not in the folder yet; `progress` gets batches done and in all.

    Raises:
        ConfigError: the folder holds the export of another plant.
    """
    _prepare(folder)
    enterprise = load_plant(settings.plant).enterprise
    async with open_store(settings.database) as store:
        cursor = _cursor(folder, enterprise)
        upto = await store.samples.newest_seq()
        names = {number: path for path, number in (await store.plants.signal_ids()).items()}
        files = rows = 0
        first = done = cursor
        waiting: list[tuple[int, SampleBatch]] = []
        held = 0
        async for seq, batch in _until(store.samples.since(cursor), upto):
            waiting.append((seq, batch))
            held += len(batch) + len(batch.texts)
            done = seq
            if held >= file_rows:
                _write(folder, waiting, names)
                _keep(folder, enterprise, done)
                files, rows, waiting, held = files + 1, rows + held, [], 0
            progress(seq - first, upto - first)
        if held:
            _write(folder, waiting, names)
            files, rows = files + 1, rows + held
        _keep(folder, enterprise, max(done, upto))
    return Exported(files, rows, max(done, upto))


async def _until(batches: AsyncIterator[tuple[int, SampleBatch]], upto: int) -> AsyncIterator[tuple[int, SampleBatch]]:
    async for seq, batch in batches:
        if seq > upto:
            return
        yield seq, batch


def _prepare(folder: Path) -> None:
    """The folder, without what a kill has left half written."""
    folder.mkdir(parents=True, exist_ok=True)
    for torn in folder.glob("*.part"):
        torn.unlink()


def _cursor(folder: Path, enterprise: str) -> int:
    """The last batch that is in the folder: of the cursor, or of a file that was finished just before a kill."""
    path = folder / CURSOR
    known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if known.get("enterprise", enterprise) != enterprise:
        raise ConfigError(
            f"{folder} holds the export of {known['enterprise']!r}, not of {enterprise!r}; choose another folder"
        )
    files = [int(one.stem.rpartition("-")[2]) for one in folder.glob("samples-*.parquet")]
    return max([int(known.get("batch", 0)), *files])


def _keep(folder: Path, enterprise: str, seq: int) -> None:
    part = folder / f"{CURSOR}.part"
    part.write_text(json.dumps({"format": 1, "enterprise": enterprise, "batch": seq}), encoding="utf-8")
    part.replace(folder / CURSOR)


def _write(folder: Path, batches: list[tuple[int, SampleBatch]], names: dict[int, str]) -> None:
    path = folder / f"samples-{batches[0][0]:012d}-{batches[-1][0]:012d}.parquet"
    part = path.with_suffix(".parquet.part")
    table = pa.concat_tables([_table(seq, batch, names) for seq, batch in batches]).unify_dictionaries()
    pq.write_table(table, part, compression="zstd")
    part.replace(path)


def _table(seq: int, batch: SampleBatch, names: dict[int, str]) -> Any:  # noqa: ANN401 – a pyarrow table
    texts = batch.texts
    signal = np.concatenate([batch.signal, texts.signal])
    numbers = len(batch)
    return pa.table(
        [
            pa.array([names[one] for one in signal.tolist()], pa.string()).dictionary_encode(),
            _instants(np.concatenate([batch.time, texts.time])),
            pa.concat_arrays([pa.array(batch.value), pa.nulls(len(texts), pa.float64())]),
            pa.concat_arrays([pa.nulls(numbers, pa.string()), pa.array(list(texts.text), pa.string())]),
            pa.array(np.concatenate([batch.quality, texts.quality])),
            _instants(np.concatenate([batch.received, texts.received])),
            pa.array(np.full(len(signal), seq, np.int64)),
        ],
        schema=SCHEMA,
    )


def _instants(time_ns: Any) -> Any:  # noqa: ANN401 – numpy and pyarrow arrays
    return pa.array(time_ns // 1000).cast(pa.timestamp("us", "UTC"))
