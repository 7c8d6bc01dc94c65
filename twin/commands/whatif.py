"""`twin whatif`: one scenario, or a sweep of several, answered in the terminal and into files.

From the live state in the store where there is one, else from the plant model.
"""

import asyncio
import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from twin.commands.settings import TwinSettings, load_twin
from twin.errors import ConfigError, Retryable
from twin.plant.load import load_plant
from twin.plant.tree import Plant
from twin.settings import load
from twin.store.connect import open_store
from twin.whatif.answer import answer, replications_of
from twin.whatif.back_test import Trust
from twin.whatif.build import Setting
from twin.whatif.scenario import ScenarioText
from twin.whatif.simulate import is_compiled
from twin.whatif.statement import Answer

_BARS = " ▁▂▃▄▅▆▇█"
_WIDTH = 64
_PLANT = Path("configs/plant.yaml")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for."""

    plant: Path | None
    scenarios: Sequence[Path]
    output: Path | None = None  # .json, .csv, .arrow, .parquet or .svg
    replications: int | None = None
    scheduler: str | None = None  # a Dask scheduler's address
    as_json: bool = False
    config: Path | None = None  # twin.yaml, which names the store and the plant; only where `plant` is None
    start: Literal["auto", "live", "model"] = "auto"


def whatif(wish: Wish) -> list[Answer]:
    """Answer every scenario; shows progress on a terminal.

    Raises:
        ConfigError: a file is wrong, or names what the plant does not have.
        Retryable: it was to start from the live state, and the store is away.
    """
    settings = _settings(wish)
    plant = load_plant(settings.plant if settings else wish.plant or (wish.config or _PLANT).with_name(_PLANT.name))
    texts = [_text(path, wish.replications) for path in wish.scenarios]
    if wish.output is not None and wish.output.suffix not in {".json", ".csv", ".arrow", ".parquet", ".svg"}:
        raise ConfigError(f"{wish.output}: name a file that ends in .json, .csv, .arrow, .parquet or .svg")
    starts = _starts(wish, settings, plant, texts)
    if wish.scheduler is not None:
        from twin.commands.whatif_cluster import on_cluster

        answers = on_cluster(wish.scheduler, plant, texts, starts)
    else:
        answers = _here(plant, texts, starts)
    if wish.as_json:
        print(json.dumps([one.document() for one in answers]))
    else:
        console = Console()
        for one in answers:
            show(one, console)
    if wish.output is not None:
        write(answers, wish.output)
    return answers


def _settings(wish: Wish) -> TwinSettings | None:
    """What twin.yaml says; None where the plant model is enough, or all there is."""
    if wish.plant is not None or wish.config is None or wish.start == "model":
        return None
    try:
        return load_twin(wish.config)
    except ConfigError as error:
        if wish.start == "live":
            raise
        _say_model(error)
        return None


def _say_model(why: Exception) -> None:
    typer.secho(f"from the plant model, because there is no live state: {why}", err=True, fg="yellow")


def _starts(
    wish: Wish, settings: TwinSettings | None, plant: Plant, texts: Sequence[ScenarioText]
) -> list[tuple[Setting, Trust]]:
    """For every scenario where it begins, and how far to trust that."""
    if settings is None:
        if wish.start == "live":
            raise ConfigError("--from live needs the store that twin.yaml names; give --config, without --plant")
        return [_of_model(text) for text in texts]
    try:
        return asyncio.run(_live(settings, plant, texts))
    except Retryable as error:
        if wish.start == "live":
            raise
        _say_model(error)
        return [_of_model(text) for text in texts]


async def _live(settings: TwinSettings, plant: Plant, texts: Sequence[ScenarioText]) -> list[tuple[Setting, Trust]]:
    from api.history import Surroundings

    async with open_store(settings.database, size=2) as store:
        surroundings = Surroundings(plant, store)
        return [await surroundings(text) for text in texts]


def _of_model(text: ScenarioText) -> tuple[Setting, Trust]:
    """The plant model's own figures, from the scenario's start on."""
    return Setting(text.start_at or datetime.now(UTC), text.horizon_s), Trust()


def _text(path: Path, replications: int | None) -> ScenarioText:
    text = load(path, ScenarioText)
    return text if replications is None else text.model_copy(update={"replications": replications})


def _here(plant: Plant, texts: Sequence[ScenarioText], starts: Sequence[tuple[Setting, Trust]]) -> list[Answer]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
               TimeElapsedColumn(), TimeRemainingColumn())  # fmt: skip
    answers: list[Answer] = []
    with Progress(*columns, console=Console(stderr=True)) as bar:
        for text, (setting, trust) in zip(texts, starts, strict=True):
            name = text.title if is_compiled() else f"{text.title} (compiling the simulator, once)"
            task = bar.add_task(name, total=replications_of(text))

            def told(done: int, total: int, task: Any = task, text: ScenarioText = text) -> None:  # noqa: ANN401 – rich's number
                bar.update(task, completed=done, total=total, description=text.title)

            answers.append(answer(plant, text, setting, trust=trust, progress=told))
    return answers


def show(found: Answer, console: Console) -> None:
    """The answer as tables and a plot of characters."""
    hours = found.horizon_s / 3600
    console.print(f"\n[bold]{found.title}[/bold]: {found.replications:,} futures of {hours:g} h, {found.engine} engine")
    for one in found.outputs:
        console.print(
            f"  {one.site}: {one.base.q50:,.0f} → {one.changed.q50:,.0f} (median), difference {one.difference:+,.1f} "
            f"[{one.low:+,.1f} … {one.high:+,.1f}], 90 % of futures {one.changed.q05:,.0f} … {one.changed.q95:,.0f}, "
            f"at most {one.at_most_per_h:,.1f}/h"
        )
    for fan in found.fans:
        top = max(*fan.base["q50"], *fan.changed["q50"], 1.0)
        console.print(f"  {fan.site}, per {fan.end_s[0] / 60:g} min, median; a full block is {top:,.0f}")
        console.print(f"    base    {spark(fan.base['q50'], top)}\n    changed {spark(fan.changed['q50'], top)}")
    table = Table("asset", "busy", "down", "blocked", "bottleneck", "starves after", "recovers after")
    for asset in found.assets:
        table.add_row(
            asset.asset.removeprefix(f"{found.under}/"),
            f"{asset.base_busy:.0%} → {asset.busy:.0%}",
            f"{asset.down:.1%}",
            f"{asset.blocked:.1%}",
            f"{asset.base_bottleneck:.2f} → {asset.bottleneck:.2f}",
            _span(asset.starves_after_s),
            _span(asset.recovers_after_s),
        )
    console.print(table)
    for order in found.orders:
        late = "" if order.lateness_s is None else f", late by {_span(order.lateness_s.q95)} at worst (95 %)"
        console.print(
            f"  order of {order.things} at {order.asset}, due {_span(order.due_s)}: on time in "
            f"{order.base_on_time:.0%} → {order.on_time:.0%} of futures{late}"
        )
    for takeover in found.takeovers:
        console.print(f"  {takeover.words}")
    for one in found.sensitivity[:3]:
        console.print(f"  {one.asset} 10 % faster: {one.gain_per_h:+,.1f}/h [{one.low:+,.1f} … {one.high:+,.1f}]")
    for site, asset in found.bottlenecks.items():
        console.print(f"  bottleneck of {site}: {asset or 'none for certain'}")
    console.print(f"  trusted: {found.trust}")


def spark(values: Sequence[float], top: float) -> str:
    """One character per few values."""
    each = max(-(-len(values) // _WIDTH), 1)
    means = [sum(values[at : at + each]) / len(values[at : at + each]) for at in range(0, len(values), each)]
    return "".join(_BARS[min(round(8 * value / top), 8)] for value in means)


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


def write(answers: Sequence[Answer], path: Path) -> None:
    """Every answer into one file, in the format that its name says."""
    if path.suffix == ".json":
        path.write_text(json.dumps([one.document() for one in answers], indent=2) + "\n", encoding="utf-8")
        return
    if path.suffix == ".svg":
        path.write_text(svg(answers), encoding="utf-8")
        return
    columns: dict[str, list[Any]] = {}
    for one in answers:
        rows = one.rows()
        columns.setdefault("scenario", []).extend([one.title] * len(rows["site"]))
        for name, values in rows.items():
            columns.setdefault(name, []).extend(values)
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            lines.writerow(columns)
            lines.writerows(zip(*columns.values(), strict=True))
        return
    import pyarrow
    from pyarrow import parquet

    table = cast("Any", pyarrow).table(columns)
    if path.suffix == ".parquet":
        cast("Any", parquet).write_table(table, path)
        return
    with (
        cast("Any", pyarrow).OSFile(str(path), "wb") as sink,
        cast("Any", pyarrow).ipc.new_stream(sink, table.schema) as stream,
    ):
        stream.write_table(table)


def svg(answers: Sequence[Answer]) -> str:
    """The fans as a drawing: the base case's median as a line, the scenario's 90 % band and median over it."""
    width, height, gap = 800, 180, 60
    parts: list[str] = []
    at = 0
    for one in answers:
        for fan in one.fans:
            top = max(*fan.base["q95"], *fan.changed["q95"], 1.0)
            count = len(fan.end_s)

            def path(values: Sequence[float], base: int = at, top: float = top, count: int = count) -> list[str]:
                return [
                    f"{60 + (width - 80) * place / max(count - 1, 1):.1f},{base + gap + height * (1 - value / top):.1f}"
                    for place, value in enumerate(values)
                ]

            middle, usual = " ".join(path(fan.changed["q50"])), " ".join(path(fan.base["q50"]))
            band = path(fan.changed["q05"]) + path(fan.changed["q95"])[::-1]
            title = _escape(f"{one.title} · {fan.site}")
            parts += [
                f'<text x="60" y="{at + gap - 14}" font-size="15">{title}</text>',
                f'<text x="8" y="{at + gap + 10}" font-size="11">{top:,.0f}</text>',
                f'<text x="8" y="{at + gap + height}" font-size="11">0</text>',
                f'<polygon points="{" ".join(band)}" fill="#4c8dff" fill-opacity="0.25"/>',
                f'<polyline points="{middle}" fill="none" stroke="#1f5fd6" stroke-width="2"/>',
                f'<polyline points="{usual}" fill="none" stroke="#777" stroke-dasharray="5 4"/>',
            ]
            at += height + gap
    drawing = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{at + 20}" font-family="sans-serif">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{drawing}\n</svg>\n'
    )


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
