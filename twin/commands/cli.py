"""The one command line, `twin`. Each command imports what it needs when it runs: `twin edge …` pays for the edge."""

import asyncio
import importlib.metadata
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeVar, cast

import typer

from twin.commands.access_cli import keys_app, users_app
from twin.commands.alarms_cli import alarms_app
from twin.commands.console import TWIN_YAML, Configuration, quiet, say, serve, show
from twin.commands.edge_cli import edge_app
from twin.commands.store_cli import store_app
from twin.errors import ConfigError, Retryable

app = typer.Typer(
    help="Fabriquay: the live digital twin of a micro-factory and a container terminal.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(edge_app, name="edge")
app.add_typer(alarms_app, name="alarms")
app.add_typer(users_app, name="users")
app.add_typer(keys_app, name="keys")
app.add_typer(store_app, name="store")

Error = TypeVar("Error", bound=BaseException)


def main() -> None:
    """Entry point: turns the three kinds of error into messages and exit statuses."""
    logging.basicConfig(
        level=os.environ.get("FABRIQUAY_LOG", "INFO").upper(),
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        app()
    except* ConfigError as errors:
        problems = [problem for error in _leaves(errors) for problem in error.problems]
        for problem in problems:
            typer.secho(problem, err=True, fg="red")
        count = len(problems)
        typer.echo(f"{count} problem{'s' if count > 1 else ''} in the configuration; nothing was started.", err=True)
        raise SystemExit(2) from None
    except* Retryable as errors:
        for error in _leaves(errors):
            typer.secho(str(error), err=True, fg="red")
        raise SystemExit(1) from None


def _leaves(group: BaseExceptionGroup[Error]) -> Iterator[Error]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(cast("BaseExceptionGroup[Error]", error))
        else:
            yield error


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Options before the command."""
    if show:
        typer.echo(f"fabriquay {importlib.metadata.version('fabriquay')}")
        raise typer.Exit


@app.command()
def run(config: Configuration = TWIN_YAML) -> None:
    """Run the hot path: receive, commit, judge, publish the live state."""
    from twin.commands.run import run_twin
    from twin.commands.settings import load_twin

    settings = load_twin(config)
    serve(run_twin(settings), traces=(settings.traces, "fabriquay-run"))


@app.command()
def prepare(plant: Annotated[Path, typer.Option(help="The plant model.")] = Path("configs/plant.yaml")) -> None:
    """Compile the models now, a minute or two once per release; else the first `run` and what-if take that time."""
    from twin.commands.prepare import prepare as prepare_parts

    quiet()
    for part in prepare_parts(plant):
        typer.echo(f"{part.part}: ready after {part.took_s:.1f} s")


@app.command()
def learn(
    config: Configuration = TWIN_YAML,
    once: Annotated[bool, typer.Option("--once", help="One turn of each job now, then leave.")] = False,
    job: Annotated[list[str] | None, typer.Option("--job", help="Only this job; may be repeated.")] = None,
    status: Annotated[bool, typer.Option("--status", help="Show the last turn of every job and leave.")] = False,
) -> None:
    """Run the slow loop: fit and score models, each job in its own rhythm; with --once, status 1 when one fails."""
    from twin.commands.learn import last_turns, learn_once, turn_lines, well
    from twin.commands.learn import learn as run_learn
    from twin.commands.settings import load_twin

    settings = load_twin(config)
    if not once and not status:
        serve(run_learn(settings, job or ()))
        return
    turns = asyncio.run(last_turns(settings) if status else learn_once(settings, job or ()))
    say(turn_lines(turns))
    if once and not well(turns):
        raise typer.Exit(1)


@app.command()
def kpis(
    under: Annotated[str | None, typer.Argument(help="A site, area, line or unit; default: every site.")] = None,
    by: Annotated[str, typer.Option(help="hour, shift, day, order or total.")] = "total",
    level: Annotated[str | None, typer.Option(help="Every site, area, line or unit at or below it.")] = None,
    start: Annotated[str, typer.Option(help="RFC 3339, or back from now: -8h, -7d.")] = "-1d",
    end: Annotated[str, typer.Option(help="RFC 3339 or now.")] = "now",
    config: Configuration = TWIN_YAML,
    as_csv: Annotated[bool, typer.Option("--csv", help="Every figure as CSV.")] = False,
) -> None:
    """Key figures: OEE and its factors, output, MTBF, crane rates; formulas in docs/reference/kpis.md."""
    from twin.commands.kpis import csv_lines, figures, table_lines
    from twin.commands.settings import load_twin

    quiet()
    rows = asyncio.run(figures(load_twin(config), under, (by, level), (start, end)))
    say(csv_lines(rows) if as_csv else table_lines(rows))


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where the Parquet files and the cursor are.")],
    config: Configuration = TWIN_YAML,
) -> None:
    """Write every sample into Parquet files; run again it goes on where it was, also after a kill."""
    from twin.commands.export import export as export_samples
    from twin.commands.settings import load_twin

    quiet()
    with typer.progressbar(length=1000, label="batches", file=sys.stderr) as bar:

        def progress(done: int, of: int) -> None:
            bar.update(round(1000 * done / max(of, 1)) - bar.pos)

        done = asyncio.run(export_samples(load_twin(config), folder, progress))
    say([f"{done.rows:,} samples in {done.files} new files; everything up to batch {done.batch:,} is in {folder}"])


@app.command()
def api(config: Configuration = TWIN_YAML) -> None:
    """Serve the REST API, the live feed and the web page."""
    from twin.commands.serve_api import serve_api
    from twin.commands.settings import load_twin

    settings = load_twin(config)
    serve(serve_api(settings), traces=(settings.traces, "fabriquay-api"))


@app.command()
def opcua(config: Configuration = TWIN_YAML) -> None:
    """Serve the twin's state to SCADA and MES as an OPC UA server that nobody can write to."""
    from api.northbound import serve_northbound
    from twin.commands.settings import load_twin

    settings = load_twin(config)
    serve(serve_northbound(settings.plant, settings.broker, settings.opcua))


import_app = typer.Typer(help="Take in what other systems know.", no_args_is_help=True)
app.add_typer(import_app, name="import")


@import_app.command("maintenance")
def import_maintenance_file(
    file: Annotated[Path, typer.Argument(help="CSV: asset,at,until_at,kind,component,comment.")],
    config: Configuration = TWIN_YAML,
) -> None:
    """Maintenance and failures of the machines from a CSV file: all of it or, with every mistake named, nothing."""
    from twin.commands.import_maintenance import import_maintenance
    from twin.commands.settings import load_twin

    quiet()
    say(asyncio.run(import_maintenance(load_twin(config), file)))


@app.command()
def migrate(config: Configuration = TWIN_YAML) -> None:
    """Bring the database's schema up to date and register the plant's signals."""
    from twin.commands.migrate import migrate_store
    from twin.commands.settings import load_twin

    asyncio.run(migrate_store(load_twin(config)))


@app.command()
def check(
    folder: Annotated[
        Path, typer.Argument(help="The folder with twin.yaml, the plant and the edge-*.yaml files.")
    ] = Path("configs"),
) -> None:
    """Check every configuration file, and each against the others, without touching the network."""
    from twin.commands.check import check_folder

    for line in check_folder(folder):
        typer.secho(line, fg="green")


@app.command()
def doctor(
    config: Configuration = TWIN_YAML,
    as_json: Annotated[bool, typer.Option("--json", help="The checks as JSON.")] = False,
) -> None:
    """Look at the running installation and say what is wrong and what to do; status 1 when there is a problem."""
    from twin.commands.diagnosis import document, is_well, lines
    from twin.commands.doctor import diagnose
    from twin.commands.settings import load_twin

    quiet()
    found = asyncio.run(diagnose(load_twin(config), config.parent))
    show(lines(found), document(found) if as_json else None)
    if not is_well(found):
        raise typer.Exit(1)


@app.command()
def demo(
    folder: Annotated[
        Path, typer.Option(help="Where the demo keeps its data; a second start continues with it.")
    ] = Path(".fabriquay"),
    configs: Annotated[Path | None, typer.Option(help="The configuration folder; default: the demo plant.")] = None,
    rate: Annotated[
        float | None, typer.Option(help="Values per second of the simulated plant, up to 20000.", min=1, max=20_000)
    ] = None,
    port: Annotated[int, typer.Option(help="The page's port; another free one when it is taken.")] = 8000,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    broker: Annotated[
        Literal["embedded", "mosquitto"], typer.Option(help="The MQTT broker; Mosquitto must be installed.")
    ] = "embedded",
) -> None:
    """The whole twin on this machine: database, broker, simulated plant, two edge agents, run, api and page."""
    from twin.commands.demo import DemoOptions, run_demo

    raise SystemExit(asyncio.run(run_demo(DemoOptions(folder, configs, rate, port, open_page, broker))))


@app.command()
def whatif(
    scenarios: Annotated[list[Path], typer.Argument(help="Scenario files; examples are in configs/scenarios.")],
    config: Configuration = TWIN_YAML,
    plant: Annotated[Path | None, typer.Option(help="A plant model without a store; instead of --config.")] = None,
    start: Annotated[
        Literal["auto", "live", "model"],
        typer.Option("--from", help="Start from the live state in the store, or from the plant model."),
    ] = "auto",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also into a file: .json, .csv, .arrow, .parquet or .svg.")
    ] = None,
    replications: Annotated[int | None, typer.Option(help="Futures per case.", min=10, max=100_000)] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Run a sweep on this Dask scheduler, tcp://host:port.", envvar="FABRIQUAY_DASK")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The answers as JSON.")] = False,
) -> None:
    """What if? Simulate scenarios against the base case: throughput, bottleneck, who starves when, late orders."""
    from twin.commands.whatif import Wish
    from twin.commands.whatif import whatif as answer_all

    quiet()
    answer_all(Wish(plant, scenarios, output, replications, scheduler, as_json, config, start))


@app.command(hidden=True)
def broker(port: int, folder: Path) -> None:
    """The embedded broker of the demo; its password comes from FABRIQUAY_BROKER_PASSWORD."""
    from twin.demo.broker import run_broker
    from twin.demo.broker_users import demo_users

    serve(run_broker(port, demo_users(os.environ["FABRIQUAY_BROKER_PASSWORD"]), folder))


@app.command(hidden=True)
def database(folder: Path) -> None:
    """The embedded PostgreSQL of the demo."""
    from twin.commands.database import keep_database

    serve(keep_database(folder))


@app.command(hidden=True)
def equipment(config: Configuration) -> None:
    """The simulated plant: real OPC UA server and MQTT devices."""
    from twin.commands.equipment import simulate

    serve(simulate(config))


if __name__ == "__main__":
    main()
